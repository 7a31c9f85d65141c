"""Verdicts as text for people."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from qstack.conformance.judge import Verdict

WIDTH = 120
LINES = 30
"""Lines of a dialogue that a report shows; the older ones are left out."""


def text(name: str, profile: str, verdicts: Sequence[Verdict], *, whole: bool = False) -> Iterator[str]:
    """Return the lines of a report: one for each verdict, and after a failure what a vendor needs to mend it.

    Parameters
    ----------
    name, profile
        Who was judged as what.
    verdicts
        What came of it.
    whole
        Show passes too, and dialogues at their full length.
    """
    yield f"{name} as {profile}"
    for verdict in verdicts:
        if verdict.verdict == "pass" and not whole:
            continue
        head = f"{verdict.id} ({verdict.level})"
        yield f"{head:<22}{verdict.verdict:<13}{verdict.test}"
        if verdict.verdict == "unsupported":
            yield f"{'':22}{verdict.detail} are not claimed"
        elif verdict.verdict == "not run":
            yield f"{'':22}{verdict.detail}"
        elif verdict.verdict == "fail":
            lines = verdict.detail.splitlines()
            hidden = 0 if whole else max(0, len(lines) - LINES)
            if hidden:
                yield f"      ... {hidden} lines before; --whole shows them"
            for line in lines[hidden:]:
                yield f"   {line if whole or len(line) < WIDTH else line[: WIDTH - 4] + ' ...'}"
            yield textwrap.fill(verdict.text, WIDTH)
            yield f"{verdict.place}\n"
    yield f"{name}: {summary(verdicts)}"


def summary(verdicts: Sequence[Verdict]) -> str:
    """Return how many passed and failed, in words; others only where there are some."""
    count = {word: sum(v.verdict == word for v in verdicts) for word in ("pass", "fail", "unsupported", "not run")}
    others = [f"{count[word]} {word}" for word in ("unsupported", "not run") if count[word]]
    return ", ".join([f"{count['pass']} passed", f"{count['fail']} failed", *others])
