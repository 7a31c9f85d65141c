"""What the two ends of a key link say to each other, in the order in which they say it.

    Alice                                   Bob
    Propose   block, terms, epsilons   -->
                                       <--  Detections  which pulses clicked, in which bases
    Sifted    what is kept, test bits  -->
                                       <--  Estimate    errors among the test bits, by intensity
    Parities  of reconciliation        -->
                                       <--  Verdicts    of reconciliation             (repeated)
    Verify    hash of her key          -->
                                       <--  Verified    his key has the same; errors by intensity
    Amplify   length, Toeplitz seed    -->
    Tag       over all of the above    -->
                                       <--  Tag         over all of the above
    either at any time: Abort

Nothing here is secret on the wire.  What depends on the key is *disclosure*, declared here field by field, and counted
by the channel: see `Disclosure`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from qstack.core.errors import WireError
from qstack.keys.codec import FORMS, Reader
from qstack.keys.hashing import TAG_BITS
from qstack.keys.reconcile.strategy import Bits
from qstack.keys.records import Pulses

VERSION = 1
COUNT_BITS = 64


class Message:
    """A message: its fields and their forms on the wire, in order."""

    forms: ClassVar[dict[str, str]] = {}

    @property
    def disclosed(self) -> int:
        """Bits of this message that depend on the key [bit]."""
        return 0


@dataclass(frozen=True, slots=True)
class Propose(Message):
    """Alice opens a block; everything that the proof needs to be fixed beforehand is fixed here."""

    forms: ClassVar = {
        "version": "u64",
        "block": "u64",
        "pulses": "u64",
        "alice": "text",
        "bob": "text",
        "terms": "raw",
        "slot": "u64",
        "finished": "u64",
    }
    version: int
    block: int
    pulses: int
    alice: str
    bob: str
    terms: bytes
    """Digest of the agreed terms, tolerances and epsilons included."""
    slot: int
    """Authentication slot of this block."""
    finished: int
    """One more than the last block that Alice finished; 0 for none."""


@dataclass(frozen=True, slots=True)
class Detections(Message):
    """Bob names the pulses that clicked and his bases."""

    forms: ClassVar = {"pulse": "rising", "basis": "bits", "self_tests": "u64", "self_test_clicks": "u64"}
    pulse: Pulses = field(repr=False)
    basis: Bits = field(repr=False)
    self_tests: int
    self_test_clicks: int


@dataclass(frozen=True, slots=True)
class Sifted(Message):
    """Alice names the clicks with equal bases, their intensities (two bits each), and her bits in the test basis."""

    forms: ClassVar = {"kept": "bits", "labels": "bits", "test": "bits"}
    kept: Bits = field(repr=False)
    labels: Bits = field(repr=False)
    test: Bits = field(repr=False)


@dataclass(frozen=True, slots=True)
class Estimate(Message):
    """Bob counts his wrong test bits, by intensity."""

    forms: ClassVar = {"errors": "u64s"}
    errors: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Disclosure(Message):
    """The only message a reconciliation strategy can send: bits, every one of which counts as leaked.

    What its length gives away depends on what was said before: the channel counts that.
    """

    forms: ClassVar = {"bits": "bits"}
    bits: Bits = field(repr=False)

    @property
    def disclosed(self) -> int:
        """All its bits."""
        return int(self.bits.size)


class Parities(Disclosure):
    """Reconciliation, Alice to Bob."""

    __slots__ = ()


class Verdicts(Disclosure):
    """Reconciliation, Bob to Alice."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Verify(Message):
    """Alice hashes her reconciled key at a fresh public point."""

    forms: ClassVar = {"point": "raw", "tag": "raw"}
    point: bytes
    tag: bytes

    @property
    def disclosed(self) -> int:
        """The whole tag."""
        return TAG_BITS


@dataclass(frozen=True, slots=True)
class Verified(Message):
    """Bob's key has the same hash; he says how many bits he had to correct, by intensity."""

    forms: ClassVar = {"key_errors": "u64s"}
    key_errors: tuple[int, ...]

    @property
    def disclosed(self) -> int:
        """Every count, as if it were a fresh number."""
        return COUNT_BITS * len(self.key_errors)


@dataclass(frozen=True, slots=True)
class Amplify(Message):
    """Alice says how long the key will be and chooses the hash."""

    forms: ClassVar = {"length": "u64", "seed": "bits"}
    length: int
    seed: Bits = field(repr=False)


@dataclass(frozen=True, slots=True)
class Tag(Message):
    """Authentication of everything said in this block so far; itself no part of it."""

    forms: ClassVar = {"tag": "raw"}
    tag: bytes


@dataclass(frozen=True, slots=True)
class Abort(Message):
    """The block is given up."""

    forms: ClassVar = {"reason": "text", "detail": "text"}
    reason: str
    detail: str


KINDS: tuple[type[Message], ...] = (
    Propose,
    Detections,
    Sifted,
    Estimate,
    Parities,
    Verdicts,
    Verify,
    Verified,
    Amplify,
    Tag,
    Abort,
)
_NUMBERS = {kind: number for number, kind in enumerate(KINDS)}


def encode(message: Message) -> bytes:
    """Return a message as bytes."""
    parts = [bytes([_NUMBERS[type(message)]])]
    parts += [FORMS[form][0](getattr(message, name)) for name, form in message.forms.items()]
    return b"".join(parts)


def decode(data: bytes) -> Message:
    """Return bytes as a message.

    Raises
    ------
    WireError
        When they are none.
    """
    reader = Reader(data)
    number = reader.number(1)
    if number >= len(KINDS):
        raise WireError(f"message kind {number}: there are {len(KINDS)}")
    kind = KINDS[number]
    values = {name: FORMS[form][1](reader) for name, form in kind.forms.items()}
    reader.finish()
    return kind(**values)
