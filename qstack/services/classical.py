"""What a host tells the layers of their neighbours: whether control messages reach them."""

from __future__ import annotations

from qstack.core.nouns import Indication, noun


@noun
class NeighbourLost(Indication):
    """A neighbour does not answer, or has started anew: everything agreed with it is void.

    Circuits through it have to be torn down and both of their ends told (reason `Reason.LOST_PEER`, QS-L3-011).
    """

    peer: int


@noun
class NeighbourFound(Indication):
    """A neighbour that was lost answers again; both sides begin from nothing."""

    peer: int
