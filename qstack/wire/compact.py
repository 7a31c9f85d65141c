"""Compact mode: the headers of the quantum data plane prototype in P4 (Kozlowski et al.), byte for byte.

They stand directly behind an Ethernet header: ethertype 0x4401 is followed by EGP, 0x4402 by EGP and QNP.  There is no
common header; read and write them with `decode_as` and `encode`.
"""

from __future__ import annotations

from qstack.core.nouns import Message, noun
from qstack.wire.codec import bare
from qstack.wire.kinds import BELL, FLAG, PAIR
from qstack.wire.layout import Field, Reserved


@bare("P4 EGP", Field("label", 16), Field("pair", 16, PAIR), Field("bell", 2, BELL), Reserved(30))
@noun
class CompactLink(Message):
    """A link pair exists.

    Parameters
    ----------
    label
        Link label.
    pair
        Pair number on the link.
    bell
        Its Bell index.
    """

    label: int
    pair: int
    bell: int


@bare("P4 QNP", Field("circuit", 16), Field("pair", 16, PAIR), Field("bell", 2, BELL), Reserved(30))
@noun
class CompactTrack(Message):
    """Follow a pair along its circuit.

    Parameters
    ----------
    circuit
        Number of the circuit.
    pair
        Pair number.
    bell
        Bell index so far.
    """

    circuit: int
    pair: int
    bell: int


@bare(
    "P4 BSM",
    Field("station", 16),
    Field("sequence", 16),
    Field("success", 1, FLAG),
    Field("bell", 2, BELL),
    Reserved(29),
)
@noun
class CompactOutcome(Message):
    """Outcome of a Bell measurement, told to both sides.

    Parameters
    ----------
    station
        Number of the measurement unit.
    sequence
        Number of the outcome.
    success
        Whether there is a pair.
    bell
        Its Bell index.
    """

    station: int
    sequence: int
    success: bool
    bell: int
