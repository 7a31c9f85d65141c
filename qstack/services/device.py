"""What layers ask of a device, and what a device answers.

These requests fall off the bottom of the pile.  Whatever answers them is hardware: a simulated medium, a vendor's
model, a driver.  A qubit is named by a number that is never used twice on a node, so a freed memory can never be
mistaken for its successor (QS-L1-010).
"""

from __future__ import annotations

from qstack.core.nouns import Indication, Request, noun

TURN = 1 << 16
"""Steps of a full turn: angles are whole numbers of them."""


@noun
class Trigger(Request):
    """Attempt entanglement on a lane at every cycle in which its memory is free, until told otherwise.

    Parameters
    ----------
    peer
        Neighbour at the other end of the link.
    lane
        Memory of this link, counted from 0; lane k of one end is entangled with lane k of the other.
    aid
        Absolute queue id sent to the midpoint with each attempt; -1 stops attempting.
    row
        Row of the link's parameter table (bright-state population and the like).
    keep
        True: keep the qubit.  False: measure it at once, in a basis drawn from `bases`.
    bases
        Bases to draw from when the qubit is measured at once.
    """

    peer: int
    lane: int
    aid: int
    row: int
    keep: bool
    bases: tuple[int, ...]


@noun
class Swap(Request):
    """Measure two halves in the Bell basis; both memories are free afterwards."""

    left: int
    right: int


@noun
class Measure(Request):
    """Measure a qubit in a Pauli basis; its memory is free afterwards.  The answer repeats `purpose`."""

    qubit: int
    basis: int
    purpose: int


@noun
class Probe(Request):
    """Measure a qubit in a Pauli basis for the network's own purposes; its memory is free afterwards."""

    qubit: int
    basis: int


@noun
class Apply(Request):
    """Apply a Pauli: bit 1 of `pauli` is X, bit 0 is Z."""

    qubit: int
    pauli: int


@noun
class Distil(Request):
    """Run one end of a two-to-one distillation: `spare` is measured and freed, `keep` stays.

    The Paulis turn both pairs into Phi+ before the scheme runs; one end applies them, the other sends zeros.
    """

    keep: int
    spare: int
    scheme: str
    keep_pauli: int
    spare_pauli: int


@noun
class Free(Request):
    """Forget a qubit."""

    qubit: int


@noun
class AskRoom(Request):
    """Ask how many memories of a link are free.

    The device answers with `Room`; if none is free, it answers once more when one is.
    """

    peer: int


@noun
class MeasureAlong(Request):
    """Measure a qubit along any direction; its memory is free afterwards.  The answer is `Measured` with basis -1.

    Parameters
    ----------
    qubit
        Which one.
    polar, azimuth
        Direction on the Bloch sphere, in steps of 2 pi / `TURN`: from Z towards X, and from X towards Y.
    purpose
        Repeated in the answer.
    """

    qubit: int
    polar: int
    azimuth: int
    purpose: int


@noun
class Prepare(Request):
    """Make a data qubit in a memory of its own, in the pure state that this direction points at; see `MeasureAlong`."""

    polar: int
    azimuth: int
    purpose: int


@noun
class BellMeasure(Request):
    """Measure a data qubit and a half of a pair in the Bell basis; both memories are free afterwards.

    What was in `data` is then in the partner of `half`, up to the Pauli that the pair's Bell index XOR the outcome names.
    """

    data: int
    half: int
    purpose: int


@noun
class DrawBits(Request):
    """Ask for random bits; a real node answers from its quantum random generator."""

    number: int
    purpose: int


@noun
class Herald(Indication):
    """What the midpoint's REPLY to a successful attempt says.

    Parameters
    ----------
    peer, lane
        Where.
    aid
        Absolute queue id of the attempt, equal at both ends.
    sequence
        Number of this success on this link, modulo 2**16, equal at both ends.
    bell
        Announced Bell index.
    qubit
        Number of the qubit, or -1 if it was measured.
    emitted
        When the attempt's photon left this node [ps]: the half ages from here.
    basis, outcome
        Basis and bit of a measured qubit, else -1.
    """

    peer: int
    lane: int
    aid: int
    sequence: int
    bell: int
    qubit: int
    emitted: int
    basis: int
    outcome: int


@noun
class Missed(Indication):
    """What a REPLY without success says: the number of the last success, which this node may not have heard of."""

    peer: int
    sequence: int


@noun
class Room(Indication):
    """How many memories of a link hold nothing now.

    Parameters
    ----------
    peer
        Neighbour at the other end of the link.
    free
        Number of lanes whose memory at this end is free; one of which an attempt is under way may count as free.
    """

    peer: int
    free: int


@noun
class Spoiled(Indication):
    """What a memory has stored is lost: the cryostat has warmed up, a trap was emptied, and the like.

    The memory holds its qubit, fully mixed, until that is freed.

    Parameters
    ----------
    peer, lane
        Whose half it is; see `Trigger`.
    qubit
        Its number.
    """

    peer: int
    lane: int
    qubit: int


@noun
class Swapped(Indication):
    """The outcome of a `Swap` as a Bell index; -1 if the measurement has announced none: both pairs are lost."""

    left: int
    right: int
    outcome: int


@noun
class Measured(Indication):
    """The bit of a `Measure`, or of a `MeasureAlong` (basis -1)."""

    qubit: int
    basis: int
    outcome: int
    purpose: int


@noun
class Prepared(Indication):
    """The data qubit that a `Prepare` of this purpose has made."""

    qubit: int
    purpose: int


@noun
class BellMeasured(Indication):
    """The outcome of a `BellMeasure` as a Bell index."""

    data: int
    half: int
    outcome: int
    purpose: int


@noun
class Probed(Indication):
    """The bit of a `Probe`."""

    qubit: int
    basis: int
    outcome: int


@noun
class Distilled(Indication):
    """The bit of this end's measurement in a `Distil`."""

    keep: int
    spare: int
    outcome: int


@noun
class Bits(Indication):
    """Random bits, least significant first, for the `DrawBits` of this purpose."""

    purpose: int
    number: int
    value: int


@noun
class Interfere(Request):
    """A midpoint asks its detectors for the Bell measurement of the two photons of a lane in a cycle."""

    lane: int
    cycle: int
    row: int


@noun
class Clicked(Indication):
    """What the detectors say: the announced Bell index, or -1 if their clicks announce nothing."""

    lane: int
    cycle: int
    bell: int
