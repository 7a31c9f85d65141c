"""A link one end of which is full: the other one stops sending photons that nobody meets, and goes on in time."""

from __future__ import annotations

import pytest
from link_bench import ROW, Pairs

from qstack.core.clock import SECOND
from qstack.link.room import SILENCE
from qstack.services.device import Free
from qstack.services.l2_link import Ok
from qstack.wire.physical import NO_CLASSICAL_OTHER

LANES = 2
QUIET = int(SILENCE * ROW.seconds_per_pair * SECOND)
"""After so long without a success an end asks [ps]."""


@pytest.fixture(params=["skip", "each"])
def pairs(request):
    made = Pairs(request.param, lanes=LANES, keeping=2)
    made.ask(1, 3, 9)
    made.simulation.at(20 * SECOND, lambda _: None, None)  # something else goes on
    return made


def alone(pairs):
    return pairs.medium.links[1, 2].refused.get(NO_CLASSICAL_OTHER, 0) if pairs.medium.midpoint else 0


@pytest.mark.requirement("QS-L2-016", "QS-L2-311")
def test_attempts_rest_while_the_other_end_is_full(pairs):
    pairs.run(2 * QUIET / SECOND)
    assert len(pairs.of(Ok)) == len(pairs.of(Ok, 2)) == LANES
    messages, vain = pairs.simulation.messages[1], alone(pairs)
    assert vain > 100 or not pairs.medium.midpoint, "nobody has said anything yet"
    pairs.run(9)
    assert len(pairs.of(Ok)) == LANES
    assert pairs.simulation.messages[1] - messages < 9 * SECOND / QUIET + 2
    assert alone(pairs) == vain, "no photon for an end that is full"
    for place in range(7):
        pairs.feed(2, Free(pairs.of(Ok, 2)[place].qubit))
        pairs.run(1)
        assert len(pairs.of(Ok)) == LANES + place + 1, "the memory that was freed has another half"
    assert [ok.sequence for ok in pairs.of(Ok)] == [ok.sequence for ok in pairs.of(Ok, 2)]
