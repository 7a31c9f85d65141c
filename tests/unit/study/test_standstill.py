"""A network in which nothing will ever happen again says so, and the run counts as failed."""

from __future__ import annotations

import pytest

from qstack.cli import invoke

SCENARIO = """\
name: nobody listens
network:
  chain:
    segments: 1
    length: 10 km
  hardware:
    all: textbook
stack:
  transport: deaf
flows:
  - name: pairs
    from: n0
    to: n1
run:
  until: 10 s
"""

PLUGIN = """\
import qstack
from qstack.core.layer import Layer, Waiting, on
from qstack.services.l3_network import Connected, Disconnected, Pair
from qstack.services.l4_transport import Close, Open

QSTACK_API = (1, 0)


class Deaf(Layer):
    name = "deaf"

    @on(Open, Close, Connected, Disconnected, Pair)
    def nothing(self, noun, ctx):
        return ()

    def waiting(self):
        return [Waiting("a kind word", 1, 5_000_000_000_000)]


@qstack.hookimpl
def qstack_layers():
    return [qstack.Offer("deaf", lambda options, site: Deaf(), level="transport")]
"""


@pytest.mark.requirement("QS-CV-015")
def test_a_standstill_is_told_with_who_waits_for_whom(tmp_path, capsys):
    (tmp_path / "s.yaml").write_text(SCENARIO)
    (tmp_path / "qstackfile.py").write_text(PLUGIN)
    assert invoke(["run", str(tmp_path / "s.yaml"), "--quiet"]) == 1
    said = capsys.readouterr().err
    assert (
        "standstill at 0 s: nothing is left to do, but flows are open: pairs (0 pairs so far, the last at never)"
        in said
    )
    assert "n0 waits for a kind word from n1 since 5 s" in said
