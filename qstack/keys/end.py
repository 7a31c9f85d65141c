"""What the two ends of a key link share: one block, one state machine, one account.

    WAITING for one kind of message --that message--> handler --> WAITING for the next kind
            |                                            |
            +--anything else, Abort, a failed check------+--> REJECTED
                                                         +--> FINISHED

An end takes bytes and returns bytes; it has no clock and no socket.  Exactly one kind of message is due at any time,
so reordering, repetition and reflection end the block at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from qstack.core.errors import ConfigError, LocalProtocolError, RemoteProtocolError, WireError
from qstack.keys.amplify import seed_bits, toeplitz
from qstack.keys.authentication import KeyPool, OutOfKeyError, Signer
from qstack.keys.channel import Channel, Side
from qstack.keys.finite import NOTHING, Bounds, Counts
from qstack.keys.hashing import universal
from qstack.keys.information import phase_entropy
from qstack.keys.ledger import Assumption, Block, Ledger, Reason, Rejected
from qstack.keys.messages import Abort, Amplify, Message, Tag
from qstack.keys.reconcile.strategy import Bits, Corrector, Reconciler
from qstack.keys.records import Record
from qstack.keys.secret import Secret, SecretBits
from qstack.keys.terms import FIXED, SOURCES, VARIABLE, Proof, Terms

FLOOR_ERROR = 1e-4
"""Error rate that reconciliation is told at least."""


class GiveUpError(RemoteProtocolError):
    """The block cannot go on."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Party:
    """Who an end is, for all its blocks.

    Parameters
    ----------
    name, peer
        Names of the two nodes.
    terms
        The agreement.
    reconciler
        The strategy that the terms name.
    pool
        Authentication key.
    signer
        Signs blocks while the pool is dry; without one a dry pool stops everything.
    """

    name: str
    peer: str
    terms: Terms
    reconciler: Reconciler
    pool: KeyPool = field(repr=False)
    signer: Signer | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.reconciler.name != self.terms.reconciliation:
            raise ConfigError(f"the terms name {self.terms.reconciliation!r}, the strategy is {self.reconciler.name!r}")


@dataclass(slots=True)
class Tally:
    """What an end has counted so far."""

    detected: int = 0
    key: tuple[int, ...] = ()
    test: tuple[int, ...] = ()
    test_errors: tuple[int, ...] = ()
    key_errors: tuple[int, ...] = ()
    bounds: Bounds = NOTHING

    @property
    def counts(self) -> Counts:
        """The counts as the proof takes them."""
        return Counts(self.key, self.test, self.test_errors, self.key_errors)

    @property
    def test_error(self) -> float:
        """Error rate among the test bits; one half while there are none."""
        return sum(self.test_errors) / sum(self.test) if sum(self.test) else 0.5


class End:
    """One end at work on one block.

    Parameters
    ----------
    side, party
        Who this is.
    record
        What the hardware wrote down.
    block
        Number of the block; Bob learns it from Alice.
    simulated
        Whether the record came out of a generator.
    """

    def __init__(self, side: Side, party: Party, record: Record, block: int, *, simulated: bool) -> None:
        self.party = party
        self.terms = party.terms
        self.record = record
        self.block = block
        self.finished = -1
        self.outcome: Block | Rejected | None = None
        self._side = side
        self._simulated = simulated
        self._channel = Channel(side, party.pool, party.signer)
        self._tally = Tally()
        self._key: Bits = np.empty(0, np.uint8)
        self._secret: Bits = np.empty(0, np.uint8)
        self._corrector: Corrector | None = None
        self._handlers: dict[type[Message], Callable[[Any], list[bytes]]] = {}
        self._due: tuple[type[Message], ...] = ()

    def receive(self, data: bytes) -> list[bytes]:
        """Take a message off the wire and return what to send.

        Parameters
        ----------
        data
            One message.

        Raises
        ------
        LocalProtocolError
            When the block is over.
        """
        if self.outcome is not None:
            raise LocalProtocolError(f"block {self.block} is over")
        try:
            return self._handle(self._channel.receive(data))
        except GiveUpError as error:
            return self._give_up(error.reason, str(error))
        except OutOfKeyError as error:
            return self._give_up(Reason.OUT_OF_KEY, str(error))
        except (WireError, RemoteProtocolError, ConfigError) as error:
            return self._give_up(Reason.MESSAGE, str(error))

    def _handle(self, message: Message) -> list[bytes]:
        if isinstance(message, Abort):
            self._reject(Reason.PEER, f"{message.reason}: {message.detail}")
            return []
        if type(message) not in self._due:
            due = " or ".join(kind.__name__ for kind in self._due)
            raise GiveUpError(Reason.MESSAGE, f"{type(message).__name__} came, {due} was due")
        return self._handlers[type(message)](message)

    def _give_up(self, reason: Reason, detail: str) -> list[bytes]:
        self._reject(reason, detail)
        return [self._channel.send(Abort(reason.name, detail))]

    def _reject(self, reason: Reason, detail: str) -> None:
        self.outcome = Rejected(reason, detail, self._ledger(0, 0))
        self._forget()

    def _forget(self) -> None:
        """Overwrite the keys of this block."""
        self._key = np.zeros(0, np.uint8)
        self._secret = np.zeros(0, np.uint8)
        self._corrector = None

    @property
    def leak(self) -> int:
        """What the channel counted against the key [bit]."""
        alice, bob = self._channel.disclosed
        return alice + (bob if self.terms.count_reverse else 0)

    def _count(self, labels: np.ndarray[Any, Any], chosen: np.ndarray[Any, Any] | None = None) -> tuple[int, ...]:
        """Return how many clicks fall on each intensity."""
        values = labels if chosen is None else labels[chosen]
        return tuple(int(n) for n in np.bincount(values, minlength=self.terms.intensities))

    def _check_labels(self, labels: np.ndarray[Any, Any]) -> None:
        if labels.size and int(labels.max()) >= self.terms.intensities:
            raise GiveUpError(Reason.MESSAGE, f"an intensity label beyond {self.terms.intensities - 1}")

    def _judge_test(self) -> None:
        """Give the block up early where nothing can come of it."""
        tally, terms = self._tally, self.terms
        error, bits = tally.test_error, sum(tally.key)
        if error > terms.alarm:
            raise GiveUpError(Reason.ALARM, f"{error:.4f} of the test bits are wrong, more than {terms.alarm}")
        spent = phase_entropy(error) + (terms.most_leak(bits) / bits if bits else 1.0)
        if spent >= 1:
            detail = f"{error:.4f} of the test bits are wrong: h(e_X) + f h(e_Z) = {spent:.3f}, nothing to amplify"
            raise GiveUpError(Reason.NO_KEY, detail)
        if terms.proof is not Proof.ONE_DECOY:
            self._judge_bounds()

    def _expected_error(self) -> float:
        """Return the error rate that reconciliation is told; the same number at both ends."""
        return max(self.terms.key_error or self._tally.test_error, FLOOR_ERROR)

    def _judge_bounds(self) -> int:
        """Return the length that the proof allows; give up where it allows none."""
        tally, terms = self._tally, self.terms
        tally.bounds = terms.bounds(tally.counts)
        if terms.tolerances and not terms.tolerances.admit(tally.bounds):
            found = tally.bounds
            raise GiveUpError(
                Reason.TOLERANCE,
                f"vacuum {found.vacuum:.0f}, single {found.single:.0f}, phase error {found.phase_error:.4f} found; "
                f"announced {terms.tolerances}",
            )
        length = terms.length(tally.bounds, sum(tally.key))
        if length <= 0:
            raise GiveUpError(Reason.NO_KEY, f"the proof leaves no secret bit of {sum(tally.key)}")
        return length

    def _judge_leak(self) -> None:
        """Give up once the two sides have said more than agreed.

        It is asked at every message, because a false parity can send a reconciliation round in circles.
        """
        most = self.terms.most_leak(sum(self._tally.key))
        if self.leak > most:
            raise GiveUpError(Reason.LEAK, f"{self.leak} bits disclosed, {most:.0f} agreed")

    def _hash(self, key: Bits, point: bytes) -> bytes:
        """Return the verification hash of a key."""
        state = universal(point)
        state.update(len(key).to_bytes(8, "big") + np.packbits(key).tobytes())
        return state.value().to_bytes(16, "little")

    def _amplify(self, message: Amplify) -> None:
        self._secret = toeplitz(self._key, message.seed, message.length)

    def _seed_size(self, length: int) -> int:
        return seed_bits(self._key.size, length)

    def _check_tag(self, message: Tag) -> None:
        try:
            self._channel.check(message)
        except RemoteProtocolError as error:
            raise GiveUpError(Reason.AUTHENTICATION, str(error)) from None

    def _finish(self) -> None:
        """Keep the key: the transcript is authentic."""
        pool = self.party.pool
        length = int(self._secret.size)
        refill = min(self.terms.refill_bits, length - length % 256)
        ledger = self._ledger(length, refill)
        pool.settle(self.finished)
        if refill:
            secret = Secret(np.packbits(self._secret[:refill]).tobytes())
            pool.refill(self.block, secret, self.terms.secrecy + self.terms.correctness)
        rest = self._secret[refill:]
        self.outcome = Block(SecretBits(np.packbits(rest).tobytes(), rest.size), ledger)
        self._forget()

    def _ledger(self, length: int, refill: int) -> Ledger:
        terms, tally, channel = self.terms, self._tally, self._channel
        kind = VARIABLE if terms.tolerances is None else FIXED
        return Ledger(
            block=self.block,
            proof=f"{terms.proof}: {SOURCES[terms.proof]}; {kind}",
            pulses=self.record.total,
            detected=tally.detected,
            key_bits=sum(tally.key),
            test_bits=sum(tally.test),
            test_errors=sum(tally.test_errors) if tally.test_errors else -1,
            key_errors=sum(tally.key_errors) if tally.key_errors else -1,
            disclosed_alice=channel.disclosed[Side.ALICE],
            disclosed_bob=channel.disclosed[Side.BOB],
            leak=self.leak,
            authentication_bits=channel.authentication_bits,
            bounds=tally.bounds,
            length=length,
            refill_bits=refill,
            epsilon_secrecy=terms.secrecy,
            epsilon_correctness=terms.correctness,
            epsilon_authentication=channel.epsilon,
            assumptions=assumptions(terms, signed=channel.signed),
            finished=self.finished,
            simulated=self._simulated,
        )


def assumptions(terms: Terms, *, signed: bool = False) -> tuple[Assumption, ...]:
    """Return what a key made under these terms rests on."""
    authentic = Assumption.SIGNED if signed else Assumption.AUTHENTIC
    common = (authentic, Assumption.RANDOM, Assumption.DETECTORS, Assumption.SHIELDED)
    light = (Assumption.SINGLE,) if terms.proof is Proof.PAIRS else (Assumption.PHASES, Assumption.INTENSITIES)
    return common + light + (() if terms.count_reverse else (Assumption.POSITIONS,))
