"""Alice's end of a block: she prepared the pulses, and her key stands.

start/Propose --> DETECTIONS --Detections/Sifted--> ESTIMATE --Estimate/Parities--> VERDICTS
VERDICTS --Verdicts/Parities--> VERDICTS      VERDICTS --Verdicts, done/Verify--> VERIFIED
VERIFIED --Verified/Amplify, Tag--> TAG --Tag--> FINISHED
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from qstack.keys.authentication import SIGN
from qstack.keys.channel import Side
from qstack.keys.end import End, GiveUpError, Party
from qstack.keys.hashing import TAG_BYTES
from qstack.keys.ledger import Reason
from qstack.keys.messages import (
    VERSION,
    Amplify,
    Detections,
    Estimate,
    Parities,
    Propose,
    Sifted,
    Tag,
    Verdicts,
    Verified,
    Verify,
)
from qstack.keys.records import ALICE_BASIS, ALICE_BIT, INTENSITY, Marks, Pulses, Record

Entropy = Callable[[int], bytes]
"""Returns so many random bytes: `os.urandom` where keys are served, a stream of the run in a simulation."""
SELF_TEST_SHARE = 0.9
"""Share of its own test pulses that a receiver must see."""


class Alice(End):
    """The sender.

    Parameters
    ----------
    party, record, block, simulated
        As in `End`.
    entropy
        Source of the public hash points and seeds.
    finished
        The last block that she finished, or -1.
    """

    def __init__(
        self,
        party: Party,
        record: Record,
        block: int,
        entropy: Entropy,
        *,
        finished: int = -1,
        simulated: bool = True,
    ) -> None:
        super().__init__(Side.ALICE, party, record, block, simulated=simulated)
        self._entropy = entropy
        self.finished = finished
        self._slot = party.pool.next_slot if party.pool.slots or party.signer is None else SIGN
        self._handlers = {
            Detections: self._sift,
            Estimate: self._estimate,
            Verdicts: self._reconcile,
            Verified: self._verified,
            Tag: self._tag,
        }

    def start(self) -> list[bytes]:
        """Open the block; returns what to send."""
        self._due = (Detections,)
        party = self.party
        if not party.pool.slots and party.signer is None:
            return self._give_up(Reason.OUT_OF_KEY, "the authentication pool is empty: bootstrap it again")
        proposal = Propose(
            version=VERSION,
            block=self.block,
            pulses=self.record.total,
            alice=party.name,
            bob=party.peer,
            terms=self.terms.digest,
            slot=self._slot,
            finished=self.finished + 1,
        )
        return [self._channel.send(proposal)]

    def _sift(self, message: Detections) -> list[bytes]:
        if message.basis.size != message.pulse.size:
            raise GiveUpError(Reason.MESSAGE, f"{message.pulse.size} clicks came with {message.basis.size} bases")
        if message.self_test_clicks < SELF_TEST_SHARE * message.self_tests:
            seen = f"{message.self_test_clicks} of {message.self_tests} test pulses"
            raise GiveUpError(Reason.BLINDED, f"the receiver saw {seen} of its own")
        mark = self._look_up(message.pulse)
        basis = mark >> np.uint8(ALICE_BASIS) & np.uint8(1)
        bit = mark & np.uint8(1 << ALICE_BIT)
        labels = mark >> np.uint8(INTENSITY)
        self._check_labels(labels)
        kept = (basis == message.basis).view(np.uint8)
        chosen = kept.view(bool)
        test = chosen & (basis == 1)
        key = chosen & (basis == 0)
        self._key = bit[key]
        self._tally.detected = int(mark.size)
        self._tally.key, self._tally.test = self._count(labels, key), self._count(labels, test)
        self._due = (Estimate,)
        pairs = np.unpackbits(labels[chosen][:, None], axis=1, count=2, bitorder="little")
        return [self._channel.send(Sifted(kept, pairs.ravel(), bit[test]))]

    def _look_up(self, pulse: Pulses) -> Marks:
        """Return the marks of the pulses that Bob says he saw."""
        mine = self.record
        if np.array_equal(pulse, mine.pulse):
            return mine.mark
        place = np.searchsorted(mine.pulse, pulse)
        if pulse.size and (place[-1] >= mine.pulse.size or not np.array_equal(mine.pulse[place], pulse)):
            raise GiveUpError(Reason.MESSAGE, "clicks at pulses that were never sent")
        return mine.mark[place]

    def _estimate(self, message: Estimate) -> list[bytes]:
        tally = self._tally
        tally.test_errors = _fitting(message.errors, tally.test, "test")
        self._judge_test()
        self._corrector = self.party.reconciler.alice(self._key, self._expected_error())
        self._due = (Verdicts,)
        return [self._channel.send(Parities(self._corrector.open()))]

    def _reconcile(self, message: Verdicts) -> list[bytes]:
        assert self._corrector is not None
        self._judge_leak()
        answer = self._corrector.answer(message.bits)
        if answer is not None:
            return [self._channel.send(Parities(answer))]
        point = self._entropy(TAG_BYTES)
        self._due = (Verified,)
        return [self._channel.send(Verify(point, self._hash(self._key, point)))]

    def _verified(self, message: Verified) -> list[bytes]:
        tally = self._tally
        tally.key_errors = _fitting(message.key_errors, tally.key, "key")
        self._judge_leak()
        length = self._judge_bounds()
        size = self._seed_size(length)
        seed = np.unpackbits(np.frombuffer(self._entropy((size + 7) // 8), np.uint8), count=size)
        amplify = Amplify(length, seed)
        self._channel.claim(self._slot)
        self._amplify(amplify)
        self._due = (Tag,)
        said = self._channel.send(amplify)
        return [said, self._channel.send(self._channel.tag(Side.ALICE))]

    def _tag(self, message: Tag) -> list[bytes]:
        self._check_tag(message)
        self._finish()
        return []


def _fitting(errors: tuple[int, ...], bits: tuple[int, ...], basis: str) -> tuple[int, ...]:
    """Return Bob's error counts if there can be so many."""
    if len(errors) != len(bits) or any(e > n for e, n in zip(errors, bits, strict=True)):
        raise GiveUpError(Reason.MESSAGE, f"{basis} errors {errors} do not fit {basis} bits {bits}")
    return errors
