"""Tests of link layers: what is told of pairs, deadlines and withdrawal."""

from __future__ import annotations

from dataclasses import replace

from qstack.conformance.bench import Bench
from qstack.conformance.link_talk import CREATE, LONG, answerer, asker, claims, herald, incoming, standing
from qstack.conformance.marks import Unsupported, extended, requirement
from qstack.conformance.stand import PERIOD, ROUND_TRIP, Make, expect, talk
from qstack.conformance.transcript import ANY
from qstack.core.nouns import Send
from qstack.services.device import Free, Spoiled
from qstack.services.l1_physical import Attempt, Heralded, Skipped
from qstack.services.l2_link import Accepted, Err, Ok, Withdraw
from qstack.services.reasons import Reason
from qstack.wire.link import UNASSIGNED, Add, AddAck, Drop, DropAck, LinkExpire, LinkExpireAck


class DeliveryTests:
    """What is told of pairs."""

    @requirement("QS-L2-002")
    def test_both_ends_tell_of_the_same_pairs(self, make: Make) -> None:
        """Whoever asked."""
        bench = Bench(make)
        bench.ask(1, CREATE)
        bench.ask(2, replace(CREATE, peer=1, purpose=5))
        bench.run(LONG)
        same = bench.pairs(1) == bench.pairs(2) and len(bench.pairs(1)) == 6
        opposite = [not remote for remote in bench.directions(1)] == bench.directions(2)
        if not (same and opposite):
            raise bench.ends[1].mismatch(
                f"- the same six pairs at both ends, in opposite direction\n{bench.dialogue()}"
            )

    @requirement("QS-L2-027")
    def test_the_label_comes_back(self, make: Make) -> None:
        """Unchanged, at either end."""
        t = asker(make)
        herald(t, 0) << Ok(2, 4, ANY, 0, 2, ANY, ANY, 7, ANY, -1, -1)
        t = answerer(make, incoming(purpose=77))
        herald(t, 0) << Ok(1, 77, ANY, 0, 2, ANY, ANY, 7, ANY, -1, -1)

    @requirement("QS-L2-003")
    def test_numbers_of_living_pairs_are_not_used_again(self, make: Make) -> None:
        """One lane's last pair has the number 5; the numbers begin anew, and the other lane's pair gets it again."""
        t = asker(make, replace(CREATE, number=10))
        aid = standing(t)[0]
        for lane, sequence, qubit in ((0, 0, 7), (1, 5, 8), (0, 0, 9)):
            t >> Heralded(2, lane, aid, sequence, 2, qubit, t.context.now, -1, -1)
        t >> Heralded(2, 0, aid, 5, 2, 10, t.context.now, -1, -1)
        expect(t, not any(isinstance(answer, Ok) for answer in t.open), "no second pair of a number that may be alive")

    @requirement("QS-L2-017")
    @extended("atomic-requests")
    def test_an_atomic_request_is_not_interrupted(self, make: Make) -> None:
        """Whoever else asks."""
        claims(make, "atomic requests", replace(CREATE, atomic=True))
        bench = Bench(make)
        bench.ask(2, replace(CREATE, peer=1, purpose=5, number=20))
        bench.ask(1, replace(CREATE, number=20, atomic=True))
        bench.ask(1, replace(CREATE, purpose=6, number=20))
        bench.run(LONG)
        for node in (1, 2):
            told = [purpose for purpose, _, _ in bench.pairs(node)]
            whole = told.count(4) == 20 and told[told.index(4) : told.index(4) + 20] == [4] * 20
            if not whole:
                raise bench.ends[node].mismatch(f"- the 20 pairs of purpose 4 without others in between, not {told}")

    @requirement("QS-L2-018")
    @extended("collected-pairs")
    def test_collected_pairs_are_delivered_together(self, make: Make) -> None:
        """When the last has come."""
        request = replace(CREATE, number=2, consecutive=False)
        claims(make, "requests whose pairs are delivered together", request)
        t = asker(make, request)
        herald(t, 0, qubit=7).never(Ok)
        herald(t, 1, qubit=8)
        expect(t, [answer.qubit for answer in t.open if isinstance(answer, Ok)] == [7, 8], "both pairs at once")

    @requirement("QS-L2-018")
    def test_a_pair_is_delivered_at_once(self, make: Make) -> None:
        """In the instant of its herald."""
        t = asker(make)
        for sequence in range(3):
            herald(t, sequence)
            expect(t, any(isinstance(answer, Ok) for answer in t.open), "an Ok in the instant of the herald")

    @requirement("QS-L2-005")
    def test_as_many_as_were_asked_for(self, make: Make) -> None:
        """Three, and then no more attempts."""
        t = asker(make)
        aid = standing(t)[0]
        for sequence in range(3):
            expect(t, standing(t)[0] == aid, f"attempts for pair {sequence + 1} of 3")
            herald(t, sequence)
        expect(t, set(standing(t).values()) == {-1}, "no attempt after the last pair")
        herald(t, 3, aid=aid)
        t.never(Ok, more_than=3)

    @requirement("QS-L2-038")
    def test_the_qubit_of_an_ended_request_is_freed(self, make: Make) -> None:
        """And nothing is said of one that was measured."""
        t = talk(make, 1, 2)
        herald(t, 0, aid=44, qubit=7) << Free(7)
        herald(t, 1, aid=44, qubit=-1, basis=0)
        t.never(Free, more_than=1)

    @requirement("QS-L2-019")
    @extended("measured-pairs")
    def test_a_measured_pair_has_a_basis_and_a_bit(self, make: Make) -> None:
        """And no qubit."""
        request = replace(CREATE, keep=False, bases=(0, 1))
        claims(make, "pairs of type M", request)
        t = asker(make, request)
        attempt = t.last(Attempt)
        expect(t, not attempt.keep and set(attempt.bases) == {0, 1}, "attempts that measure in one of both bases")
        herald(t, 0, qubit=-1, basis=1) << Ok(2, 4, ANY, 0, 2, ANY, ANY, -1, ANY, 1, 1)


class ExpiryTests:
    """Pairs of which one end alone knows."""

    @requirement("QS-L2-013")
    def test_what_was_not_told_is_expired(self, make: Make) -> None:
        """Exactly these."""
        t = asker(make)
        herald(t, 0)
        t >> Skipped(2, 1, 3)
        told = t.last(LinkExpire)
        expect(t, (told.low, told.high) == (1, 3), "an EXPIRE of the pairs from 1 to 3")

    @requirement("QS-L2-053")
    def test_an_expire_is_repeated(self, make: Make) -> None:
        """Until the other end has heard."""
        t = asker(make)
        herald(t, 0)
        t >> Skipped(2, 1, 2)
        told = t.last(LinkExpire)
        t.wait(LONG)
        expect(t, len(t.all(LinkExpire)) >= 3, "three EXPIREs without an answer")
        t >> LinkExpireAck(told.aid, 2, told.low, told.high)
        before = len(t.all(LinkExpire))
        t.wait(LONG).never(LinkExpire, more_than=before)

    @requirement("QS-L2-015")
    def test_an_expire_is_answered_every_time(self, make: Make) -> None:
        """And the user is told once."""
        t = asker(make)
        herald(t, 0)
        aid, create = standing(t)[0], t.last(Ok).create_id
        for _ in range(2):
            t >> LinkExpire(aid, create, 1, 0, 1)
            t << Send(2, LinkExpireAck(aid, ANY, 0, 1))
        expired = [err for err in t.all(Err) if err.reason == Reason.EXPIRE]
        expect(t, [(err.low, err.high) for err in expired] == [(0, 1)], "one Err of reason EXPIRE for the pair 0")

    @requirement("QS-L2-014")
    def test_a_lost_reply_costs_a_pair_and_no_more(self, make: Make) -> None:
        """At either end, both count the same pairs, as many as were asked for."""
        for deaf in (1, 2):
            bench = Bench(make, missed={deaf: 1})
            bench.ask(1, CREATE)
            bench.run(LONG)
            pairs = bench.valid(1)
            if pairs != bench.valid(2) or len(pairs) != 3:
                raise bench.ends[deaf].mismatch(
                    f"- three pairs, the same at both ends, not {pairs}\n{bench.dialogue()}"
                )

    @requirement("QS-L2-451")
    def test_a_pair_that_the_device_has_lost_is_expired(self, make: Make) -> None:
        """At both ends, once; another one comes instead."""
        for t in (asker(make), answerer(make)):
            if Spoiled not in t.handlers:
                raise Unsupported("losses of stored halves")
            aid = standing(t)[0]
            for sequence in range(3):
                herald(t, sequence, aid=aid, qubit=7 + sequence)
            told = t.last(Ok)
            t >> Spoiled(t.sender, 0, 8) << Err(t.sender, 4, told.create_id, Reason.EXPIRE, ANY, 1, 2)
            said = t.last(LinkExpire)
            expect(t, (said.low, said.high) == (1, 2), "an EXPIRE of the pair 1")
            t >> LinkExpireAck(said.aid, 3, 1, 2) >> Spoiled(t.sender, 0, 8) >> Spoiled(t.sender, 0, 99)
            expect(t, len(t.all(Err)) == 1 and len(t.all(LinkExpire)) == 1, "one loss is told once, and no other")
            expect(t, aid in standing(t).values(), "attempts for the request that lacks a pair")
            herald(t, 3, aid=aid, qubit=10)
            expect(
                t, t.last(Ok).sequence == 3 and set(standing(t).values()) == {-1}, "another pair instead, and no more"
            )


class EndingTests:
    """Deadlines and withdrawal."""

    DATED = replace(CREATE, max_time=50 * ROUND_TRIP)

    @requirement("QS-L2-029")
    @extended("deadlines")
    def test_a_deadline_is_told_once(self, make: Make) -> None:
        """At the asking end."""
        claims(make, "deadlines", self.DATED)
        t = asker(make, self.DATED)
        t.at(50 * ROUND_TRIP - 1).never(Err)
        t.wait(1)
        expect(t, t.last(Err) == Err(2, 4, ANY, Reason.TIMEOUT, remote=False), "an Err of reason TIMEOUT")
        t.wait(LONG).never(Err, more_than=1)

    @requirement("QS-L2-029")
    @extended("deadlines")
    def test_a_deadline_is_told_at_the_other_end(self, make: Make) -> None:
        """At the same time."""
        claims(make, "deadlines", self.DATED)
        t = answerer(make, incoming(deadline=50 * ROUND_TRIP))
        t.at(50 * ROUND_TRIP)
        expect(t, t.last(Err) == Err(1, 4, ANY, Reason.TIMEOUT, remote=True), "an Err of reason TIMEOUT")
        t.wait(LONG).never(Err, more_than=1)

    @requirement("QS-L2-004")
    @extended("deadlines")
    def test_no_pair_after_the_deadline(self, make: Make) -> None:
        """Even if it was under way."""
        claims(make, "deadlines", self.DATED)
        t = asker(make, self.DATED)
        aid = standing(t)[0]
        t.at(50 * ROUND_TRIP)
        herald(t, 0, aid=aid)
        t.never(Ok)

    @requirement("QS-L2-035")
    def test_no_pair_after_a_withdrawal(self, make: Make) -> None:
        """At the end that withdraws."""
        t = asker(make)
        aid = standing(t)[0]
        t >> Withdraw(2, 4)
        expect(t, set(standing(t).values()) == {-1}, "no attempt after the withdrawal")
        herald(t, 0, aid=aid)
        t.never(Ok)

    @requirement("QS-L2-035")
    def test_no_pair_after_the_withdrawal_of_an_unanswered_request(self, make: Make) -> None:
        """The answer comes too late."""
        t = talk(make, 1, 2) >> CREATE
        add = t.last(Add)
        aid = 1 if add.aid == UNASSIGNED else add.aid
        t >> Withdraw(2, 4)
        t >> AddAck(add.cseq, aid)
        t.wait(LONG)
        expect(t, set(standing(t).values()) == {-1}, "no attempt for what was withdrawn")

    @requirement("QS-L2-036")
    def test_a_drop_is_answered_every_time(self, make: Make) -> None:
        """The answer may have been lost."""
        t = answerer(make)
        for _ in range(2):
            t >> Drop(4, 9)
            t << Send(1, DropAck(4, 9))

    @requirement("QS-L2-037")
    def test_a_withdrawal_is_repeated(self, make: Make) -> None:
        """Three times at least, and no more after the answer."""
        t = asker(make) >> Withdraw(2, 4)
        t.wait(LONG)
        expect(t, len(t.all(Drop)) >= 3, "three DROPs without an answer")
        t = asker(make) >> Withdraw(2, 4)
        t >> DropAck(4, t.last(Drop).cseq)
        t.wait(LONG).never(Drop, more_than=1)

    @requirement("QS-L2-044")
    def test_a_purpose_on_its_way_out(self, make: Make) -> None:
        """REJECTED until the other end has confirmed."""
        t = asker(make) >> Withdraw(2, 4)
        t >> CREATE
        t << Err(2, 4, ANY, Reason.REJECTED, remote=False)
        t >> DropAck(4, t.last(Drop).cseq)
        t >> CREATE
        t << Accepted(2, 4, ANY)

    @requirement("QS-L2-045")
    def test_other_purposes_go_on(self, make: Make) -> None:
        """One is withdrawn, the other gets its pairs."""
        bench = Bench(make)
        bench.ask(1, replace(CREATE, number=500))
        bench.ask(1, replace(CREATE, purpose=6, number=60))
        bench.run(2 * ROUND_TRIP + 5 * PERIOD)
        bench.ask(1, Withdraw(2, 4))
        bench.run(LONG)
        got = [sum(purpose == 6 for purpose, _, _ in bench.pairs(node)) for node in (1, 2)]
        if got != [60, 60]:
            raise bench.ends[1].mismatch(f"- 60 pairs of purpose 6 at both ends, not {got}\n{bench.dialogue()}")
