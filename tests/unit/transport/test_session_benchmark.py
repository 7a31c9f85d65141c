"""The benchmark of sessions: what it compares delivers the same pairs, and it notices if not."""

from __future__ import annotations

import pytest

from benchmarks import sessions
from benchmarks.networks import Run, WrongPhysics
from benchmarks.table import TABLE


def test_a_session_delivers_what_the_circuit_delivers_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "SECONDS", 0.2)
    (row,) = [benchmark for benchmark in TABLE if benchmark.name == "session_share"]
    assert row.relative
    assert row.gate == pytest.approx(100 / 1.3)
    assert row.run(**row.parameters, turns=1) > 0


def test_other_pairs_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = iter([Run(1.0, 100.0, 0.9, 10, 1), Run(1.0, 90.0, 0.9, 10, 1)])
    monkeypatch.setattr(sessions, "timed", lambda experiment, seconds: next(runs))
    with pytest.raises(WrongPhysics, match="90 pairs/s"):
        sessions.share(1, "pairs", turns=1)
