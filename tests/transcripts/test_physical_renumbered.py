"""A link that is numbered anew: the first success after that may be the one that is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qstack.conformance.transcript import Transcript
from qstack.physical.layer import PhysicalLayer
from qstack.physical.serial import SEQUENCES
from qstack.services.device import Herald, Missed
from qstack.services.l1_physical import Heralded, Renumber, Skipped

HERALD = Herald(2, 0, 17, 0, 2, qubit=5, emitted=100, basis=-1, outcome=-1)


@pytest.fixture
def anew() -> Transcript:
    return Transcript(PhysicalLayer({2: 2}), node=1) >> HERALD >> Renumber(2)


@pytest.mark.requirement("QS-L1-470")
@pytest.mark.parametrize("sequence", [0, 1, 40_000, SEQUENCES - 1])
def test_a_success_that_was_missed_first_is_reported(anew, sequence):
    """That one: what was before it has been forgotten, too."""
    behind = (sequence + 1) % SEQUENCES
    anew >> Missed(2, sequence)
    anew.exactly(Skipped(2, sequence, behind))
    anew >> Missed(2, sequence)
    anew.silent()
    anew >> replace(HERALD, sequence=behind)
    anew.exactly(Heralded(2, 0, 17, behind, 2, 5, 100, -1, -1))


@pytest.mark.requirement("QS-L1-470", "QS-L1-281")
def test_a_success_that_was_not_missed_is_none(anew):
    anew >> replace(HERALD, sequence=7)
    anew.exactly(Heralded(2, 0, 17, 7, 2, 5, 100, -1, -1))
    anew >> Missed(2, 7)
    anew.silent()
