"""Bob's end of a block: he measured, and he corrects his key.

    PROPOSE --Propose/Detections--> SIFTED --Sifted/Estimate--> PARITIES
    PARITIES --Parities/Verdicts--> PARITIES      PARITIES --Verify/Verified--> AMPLIFY
    AMPLIFY --Amplify--> TAG --Tag/Tag--> FINISHED

Bob finishes one message before Alice.  If that last message is lost he holds a key that she never got; her next
`Propose` says so, and his key manager voids it (`Ledger.finished`).
"""

from __future__ import annotations

from hmac import compare_digest

import numpy as np

from qstack.keys.channel import Side
from qstack.keys.end import End, GiveUpError, Party
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
from qstack.keys.reconcile.strategy import Bits
from qstack.keys.records import BOB_BASIS, BOB_BIT, Marks, Record


class Bob(End):
    """The receiver.

    Parameters
    ----------
    party, record, simulated
        As in `End`.
    last
        The last block that he took part in, or -1: an older number is a replay.
    """

    def __init__(self, party: Party, record: Record, *, last: int = -1, simulated: bool = True) -> None:
        super().__init__(Side.BOB, party, record, last, simulated=simulated)
        self._slot = 0
        self._raw: Bits = np.empty(0, np.uint8)
        self._labels: Marks = np.empty(0, np.uint8)
        self._handlers = {
            Propose: self._propose,
            Sifted: self._sifted,
            Parities: self._reconcile,
            Verify: self._verify,
            Amplify: self._accept,
            Tag: self._tag,
        }
        self._due = (Propose,)

    def _propose(self, message: Propose) -> list[bytes]:
        party, record = self.party, self.record
        if message.version != VERSION:
            raise GiveUpError(Reason.TERMS, f"protocol version {message.version}, this end speaks {VERSION}")
        if (message.alice, message.bob) != (party.peer, party.name):
            raise GiveUpError(Reason.TERMS, f"block for {message.alice!r} and {message.bob!r} came to {party.name!r}")
        if message.terms != self.terms.digest:
            raise GiveUpError(Reason.TERMS, "the peer's terms have another digest")
        if message.pulses != record.total:
            raise GiveUpError(Reason.TERMS, f"{message.pulses} pulses announced, {record.total} gates opened")
        if message.block <= self.block:
            raise GiveUpError(Reason.REPLAY, f"block {message.block} after block {self.block}")
        self.block, self._slot, self.finished = message.block, message.slot, message.finished - 1
        self._tally.detected = int(record.pulse.size)
        self._due = (Sifted,)
        detections = Detections(record.pulse, record.field(BOB_BASIS), record.self_tests, record.self_test_clicks)
        return [self._channel.send(detections)]

    def _sifted(self, message: Sifted) -> list[bytes]:
        record, tally = self.record, self._tally
        if message.kept.size != record.pulse.size or message.labels.size != 2 * int(message.kept.sum()):
            raise GiveUpError(Reason.MESSAGE, "the sifting message does not fit the clicks announced")
        chosen = message.kept.view(bool)
        labels = np.packbits(message.labels.reshape(-1, 2), axis=1, bitorder="little").ravel()
        self._check_labels(labels)
        basis, bit = record.field(BOB_BASIS)[chosen], record.field(BOB_BIT)[chosen]
        test = basis == 1
        if message.test.size != int(np.count_nonzero(test)):
            raise GiveUpError(Reason.MESSAGE, f"{message.test.size} test bits came, {int(test.sum())} were due")
        self._labels = labels[~test]
        self._raw = self._key = bit[~test]
        tally.key, tally.test = self._count(self._labels), self._count(labels[test])
        tally.test_errors = self._count(labels[test], bit[test] != message.test)
        self._judge_test()
        self._corrector = self.party.reconciler.bob(self._key, self._expected_error())
        self._due = (Parities,)
        return [self._channel.send(Estimate(tally.test_errors))]

    def _reconcile(self, message: Parities) -> list[bytes]:
        assert self._corrector is not None
        self._judge_leak()
        answer = self._corrector.answer(message.bits)
        assert answer is not None
        if self._corrector.done:
            self._due = (Verify,)
        return [self._channel.send(Verdicts(answer))]

    def _verify(self, message: Verify) -> list[bytes]:
        assert self._corrector is not None
        self._key = self._corrector.key
        if not compare_digest(self._hash(self._key, message.point), message.tag):
            raise GiveUpError(Reason.VERIFICATION, "the keys differ after reconciliation")
        self._tally.key_errors = self._count(self._labels, self._key != self._raw)
        self._due = (Amplify,)
        return [self._channel.send(Verified(self._tally.key_errors))]

    def _accept(self, message: Amplify) -> list[bytes]:
        self._judge_leak()
        length = self._judge_bounds()
        if message.length != length:
            raise GiveUpError(Reason.MESSAGE, f"a key of {message.length} bits proposed, the proof allows {length}")
        self._amplify(message)
        self._due = (Tag,)
        return []

    def _tag(self, message: Tag) -> list[bytes]:
        self._channel.claim(self._slot)
        self._check_tag(message)
        answer = self._channel.send(self._channel.tag(Side.BOB))
        self._finish()
        return [answer]
