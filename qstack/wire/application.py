"""Plane 5: what two applications say to each other to sift a key (BBM92, Bennett, Brassard, Mermin 1992).

Messages of this plane ride on a reliable ordered channel between the two ends of a flow.  Pairs are dealt with in
blocks, numbered by the end that did not ask:

    responder  --Have-->            initiator
    responder  <--Bases--           initiator     both results exist: bases may be told
    responder  --Bases-->           initiator
    responder  <--Reveal--          initiator     the bits that are given up to count errors
    responder  --Reveal-->          initiator
"""

from __future__ import annotations

from qstack.core.nouns import Message, noun
from qstack.wire.codec import MANDATORY, Plane, pdu
from qstack.wire.kinds import BASIS, BIT, FLAG, PAIR
from qstack.wire.layout import Field, List, Reserved


@pdu(
    "BBM92_HAVE",
    Plane.HOST,
    16,
    Field("flow", 32),
    Field("block", 32),
    Field("last", 1, FLAG),
    Reserved(31),
    List("pairs", MANDATORY | 2, 32, PAIR),
)
@noun
class Have(Message):
    """The sender holds results for these pairs.

    Parameters
    ----------
    flow
        Number of the flow.
    block
        Number of the block, from 0.
    last
        Whether no block will follow.
    pairs
        Pair numbers.
    """

    flow: int
    block: int
    last: bool
    pairs: tuple[int, ...]


@pdu(
    "BBM92_BASES",
    Plane.HOST,
    17,
    Field("flow", 32),
    Field("block", 32),
    List("pairs", MANDATORY | 2, 32, PAIR),
    List("bases", MANDATORY | 3, 8, BASIS),
)
@noun
class Bases(Message):
    """The sender's bases for pairs that both ends have measured.

    Parameters
    ----------
    flow, block
        As in `Have`.
    pairs, bases
        Pair numbers, and the basis of each.
    """

    flow: int
    block: int
    pairs: tuple[int, ...]
    bases: tuple[int, ...]


@pdu(
    "BBM92_REVEAL",
    Plane.HOST,
    18,
    Field("flow", 32),
    Field("block", 32),
    List("pairs", MANDATORY | 2, 32, PAIR),
    List("bits", MANDATORY | 3, 8, BIT),
)
@noun
class Reveal(Message):
    """The sender's bits of the pairs that are given up to count errors; the other sifted pairs of the block are kept.

    Parameters
    ----------
    flow, block
        As in `Have`.
    pairs, bits
        Pair numbers, and the bit of each; the responder's are flipped so that a perfect pair gives equal bits.
    """

    flow: int
    block: int
    pairs: tuple[int, ...]
    bits: tuple[int, ...]
