"""Plane 5: what two applications say to each other.

Messages of this plane ride on a reliable ordered channel between the two ends of a flow.

To sift a key (BBM92, Bennett, Brassard, Mermin 1992), pairs are dealt with in blocks, numbered by the end that did not
ask:

    responder  --Have-->            initiator
    responder  <--Bases--           initiator     both results exist: bases may be told
    responder  --Bases-->           initiator
    responder  <--Reveal--          initiator     the bits that are given up to count errors
    responder  --Reveal-->          initiator

To check teleportation, and remote state preparation, the end that asked says for each qubit how it is to be measured, and
counts the answers:

    initiator  --Claim or Steer-->  responder
    initiator  <--Finding--         responder

In a CHSH game the end that did not ask tells its settings and bits in blocks, and the other end counts:

    initiator  <--Played--          responder
"""

from __future__ import annotations

from qstack.core.nouns import Message, noun
from qstack.wire.codec import MANDATORY, Plane, pdu
from qstack.wire.kinds import BASIS, BIT, FLAG, PAIR
from qstack.wire.layout import Field, Kind, List, Reserved

STEP = Kind("2 pi/65536", show=lambda raw: f"{raw} x 2 pi/65536")


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


@pdu(
    "TELEPORT_CLAIM",
    Plane.HOST,
    19,
    Field("flow", 32),
    Field("sequence", 32),
    Field("basis", 8, BASIS),
    Reserved(24),
)
@noun
class Claim(Message):
    """A teleported qubit was prepared in an eigenstate of this basis: measure it so.  Which eigenstate is not told.

    Parameters
    ----------
    flow
        Number of the flow.
    sequence
        Number of the qubit.
    basis
        Z, X or Y.
    """

    flow: int
    sequence: int
    basis: int


@pdu(
    "RSP_STEER",
    Plane.HOST,
    20,
    Field("flow", 32),
    Field("sequence", 32, PAIR),
    Field("azimuth", 16, STEP),
    Field("bit", 1),
    Reserved(15),
)
@noun
class Steer(Message):
    """The other half of a pair was measured: a state on the equator is prepared up to a Z where the bit is 1.

    Parameters
    ----------
    flow
        Number of the flow.
    sequence
        Number of the pair.
    azimuth
        Where on the equator, so that it can be checked.
    bit
        Outcome of the measurement.
    """

    flow: int
    sequence: int
    azimuth: int
    bit: int


@pdu("FINDING", Plane.HOST, 21, Field("flow", 32), Field("sequence", 32), Field("bit", 1), Reserved(31))
@noun
class Finding(Message):
    """What a `Claim` or a `Steer` has led to.

    Parameters
    ----------
    flow, sequence
        As in the question.
    bit
        Outcome, with the Pauli frame taken into account.
    """

    flow: int
    sequence: int
    bit: int


@pdu(
    "CHSH_PLAYED",
    Plane.HOST,
    22,
    Field("flow", 32),
    Field("last", 1, FLAG),
    Reserved(31),
    List("pairs", MANDATORY | 2, 32, PAIR),
    List("settings", MANDATORY | 3, 8, BIT),
    List("bits", MANDATORY | 4, 8, BIT),
)
@noun
class Played(Message):
    """The sender's half of some rounds of a CHSH game.

    Parameters
    ----------
    flow
        Number of the flow.
    last
        Whether no more will follow.
    pairs, settings, bits
        Pair numbers, and for each the setting and the outcome.
    """

    flow: int
    last: bool
    pairs: tuple[int, ...]
    settings: tuple[int, ...]
    bits: tuple[int, ...]
