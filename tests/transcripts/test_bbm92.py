"""Dialogues with the two ends of a key flow."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qstack.application.bbm92 import BLOCK, Bbm92
from qstack.application.entropy import BLOCK as ENTROPY
from qstack.application.entropy import LOW
from qstack.application.layer import PATIENCE, ApplicationLayer
from qstack.application.pairs import Wish
from qstack.conformance.transcript import ANY, Transcript
from qstack.core.errors import LocalProtocolError, RemoteProtocolError
from qstack.core.nouns import Send
from qstack.services.device import Bits, DrawBits, Measure, Measured
from qstack.services.l4_transport import Closed, Delivery, Open, Opened
from qstack.services.l5_application import Consumed, Finished, Kept, Sifted, Start
from qstack.services.reasons import Reason
from qstack.wire.application import Bases, Have, Reveal

FLOW = 7
Z, X = 0, 1


def end(*, initiator: bool, sample: float = 0.5, entropy: int = 0) -> Transcript:
    """Return one end whose device gives these bits and then zeros: bases first."""
    app = Bbm92(FLOW, Wish(2 if initiator else 1, 0.8, 4), initiator=initiator, sample=sample)
    t = Transcript(ApplicationLayer([app]), node=1 if initiator else 2).from_(2 if initiator else 1)
    t >> Opened(FLOW, app.peer, initiator) << DrawBits(ENTROPY, FLOW)
    return t >> Bits(FLOW, ENTROPY, entropy)


def app(t: Transcript) -> Bbm92:
    return t.layers[0].applications[0]


def give(t: Transcript, pair: int, bit: int, bell: int = 0) -> None:
    t >> Delivery(FLOW, pair, bell, 100 + pair, 0.9, 5)
    basis = t.last(Measure).basis
    t >> Measured(100 + pair, basis, bit, FLOW)


def test_the_initiator_opens():
    t = end(initiator=True)
    t >> Start(FLOW)
    t.exactly(Open(FLOW, 2, 0.8, 4))


@pytest.mark.parametrize(("bit", "basis"), [(0, Z), (1, X)])
def test_a_pair_is_measured_as_it_comes_in_a_basis_of_ones_own(bit, basis):
    t = end(initiator=True, entropy=bit)
    t >> Delivery(FLOW, 3, 2, 55, 0.9, 5)
    t.exactly(Consumed(FLOW, 3, 2, 55, 0.9, 5), Measure(55, basis, FLOW))


@pytest.mark.requirement("QS-L5-013")
def test_nothing_is_measured_without_entropy():
    t = Transcript(ApplicationLayer([Bbm92(FLOW, Wish(2, 0.8, 4), initiator=True)]), node=1)
    t >> Delivery(FLOW, 3, 2, 55, 0.9, 5)
    t.exactly(DrawBits(ENTROPY, FLOW))
    t >> Bits(FLOW, ENTROPY, 1) << Measure(55, X, FLOW)


@pytest.mark.requirement("QS-L5-013")
def test_entropy_is_renewed_in_time():
    t = end(initiator=True)
    for pair in range(ENTROPY - LOW):
        t >> Delivery(FLOW, pair, 0, pair, 0.9, 5)
    t.never(DrawBits, more_than=1)
    t >> Delivery(FLOW, 9999, 0, 9999, 0.9, 5) << DrawBits(ENTROPY, FLOW)


@pytest.mark.requirement("QS-L5-010")
def test_bases_are_told_only_after_both_results_exist():
    t = end(initiator=True)
    give(t, 0, 0)
    give(t, 1, 1)
    t.never(Bases)
    t >> Have(FLOW, 0, last=False, pairs=(0, 2))
    t.exactly(Send(2, Bases(FLOW, 0, (0,), (Z,))))
    give(t, 2, 1)
    t.never(Bases, more_than=1)
    t >> Have(FLOW, 1, last=False, pairs=(1,)) << Send(2, Bases(FLOW, 1, (2, 1), (Z, Z)))
    t = end(initiator=False)
    for pair in range(BLOCK):
        give(t, pair, 0)
    t.never(Bases)
    t << Send(1, Have(FLOW, 0, last=False, pairs=tuple(range(BLOCK))))


def test_the_responder_answers_with_its_bases_and_then_with_its_bits():
    t = end(initiator=False, entropy=0b0110)
    for pair, bit in enumerate((0, 1, 0, 1)):
        give(t, pair, bit)
    t >> Closed(FLOW, Reason.NONE) << Send(1, Have(FLOW, 0, last=True, pairs=(0, 1, 2, 3)))
    t >> Bases(FLOW, 0, (0, 1, 2, 3), (Z, Z, X, Z)) << Send(1, Bases(FLOW, 0, (0, 1, 2, 3), (Z, X, X, Z)))
    t.never(Sifted)
    t >> Reveal(FLOW, 0, (0, 2), (0, 1))
    t.exactly(
        Send(1, Reveal(FLOW, 0, (0, 2), (0, 0))),
        Sifted(FLOW, 0, Z, 0),
        Sifted(FLOW, 2, X, 1),
        Kept(FLOW, 3, Z),
        Finished(FLOW, Reason.NONE),
    )
    assert app(t).key == {3: 1}
    assert app(t).counts == {Z: [1, 0], X: [1, 1]}
    assert not app(t).results


@pytest.mark.requirement("QS-L5-011")
@pytest.mark.parametrize(("sample", "revealed"), [(0.0, (1,)), (1.0, (0, 1, 2))])
def test_every_x_bit_and_a_sample_of_the_z_bits_are_given_up(sample, revealed):
    t = end(initiator=True, sample=sample, entropy=0b010)
    for pair in range(3):
        give(t, pair, 1)
    t >> Have(FLOW, 0, last=False, pairs=(0, 1, 2)) >> Bases(FLOW, 0, (0, 1, 2), (Z, X, Z))
    t.exactly(Send(2, Reveal(FLOW, 0, revealed, (1,) * len(revealed))))
    t >> Reveal(FLOW, 0, revealed, (1,) * len(revealed))
    assert [k.pair for k in t.all(Kept)] == [p for p in range(3) if p not in revealed]
    assert list(app(t).key.values()) == [1] * (3 - len(revealed))


@pytest.mark.requirement("QS-CV-002", "QS-L5-012")
@pytest.mark.parametrize("basis", [Z, X])
@pytest.mark.parametrize("bell", range(4))
def test_one_end_turns_its_bits_by_the_frame(bell, basis):
    turned = bell >> 1 if basis == Z else bell & 1
    for initiator in (True, False):
        t = end(initiator=initiator, entropy=basis)
        give(t, 0, 0, bell)
        assert app(t).results[0].bit == (0 if initiator else turned)


def test_the_last_block_waits_for_the_last_result():
    t = end(initiator=True)
    t >> Delivery(FLOW, 0, 0, 100, 0.9, 5) >> Closed(FLOW, 0) >> Have(FLOW, 0, last=True, pairs=(0,))
    t.never(Bases)
    t >> Measured(100, Z, 1, FLOW) << Send(2, Bases(FLOW, 0, (0,), (Z,)))
    t = end(initiator=False)
    t >> Delivery(FLOW, 0, 0, 100, 0.9, 5) >> Closed(FLOW, 0)
    assert not t.last(Have).last
    t >> Measured(100, Z, 1, FLOW) << Send(1, Have(FLOW, 1, last=True, pairs=(0,)))


@pytest.mark.requirement("QS-L5-009")
def test_a_refused_flow_is_finished_with_its_reason():
    t = Transcript(ApplicationLayer([Bbm92(FLOW, Wish(2, 0.8, 4), initiator=True)]), node=1)
    t >> Start(FLOW) >> Closed(FLOW, Reason.NO_ROUTE)
    t.exactly(Finished(FLOW, Reason.NO_ROUTE))


@pytest.mark.requirement("QS-L5-009")
def test_a_flow_without_pairs_is_finished_once_at_both_ends():
    t = end(initiator=True)
    t >> Closed(FLOW, Reason.TORN_DOWN) >> Have(FLOW, 0, last=True, pairs=()) >> Bases(FLOW, 0, (), ())
    t >> Reveal(FLOW, 0, (), ()) << Finished(FLOW, Reason.TORN_DOWN)
    t.never(Finished, more_than=1)


GOOD = (Have(FLOW, 0, last=False, pairs=(0,)), Bases(FLOW, 0, (0,), (Z,)), Reveal(FLOW, 0, (0,), (1,)))


@pytest.mark.requirement("QS-L5-014")
@pytest.mark.parametrize(
    "wrong",
    [
        (Bases(FLOW, 0, (5,), (Z,)),),
        (Bases(FLOW, 0, (0,), (Z, Z)),),
        (Bases(FLOW, 3, (0,), (Z,)),),
        (Reveal(FLOW, 0, (0,), (1,)),),
        (GOOD[0], GOOD[1], Reveal(FLOW, 0, (1,), (1,))),
        (GOOD[0], GOOD[1], Reveal(FLOW, 0, (0,), ())),
        (*GOOD, GOOD[2]),
    ],
)
def test_a_peer_that_does_not_follow_is_refused(wrong):
    t = end(initiator=True)
    give(t, 0, 1)
    for message in wrong[:-1]:
        t >> message
    with pytest.raises(RemoteProtocolError):
        t >> wrong[-1]


@pytest.mark.requirement("QS-L5-014")
def test_strangers_and_wrong_sides_are_refused():
    t = end(initiator=True)
    for message in GOOD:
        with pytest.raises(RemoteProtocolError):
            t.from_(9) >> message
    with pytest.raises(RemoteProtocolError):
        end(initiator=False) >> GOOD[0]
    with pytest.raises(RemoteProtocolError, match="no application"):
        t.from_(2) >> replace(GOOD[0], flow=99)


def test_misuse_is_refused():
    with pytest.raises(LocalProtocolError, match="sample"):
        Bbm92(FLOW, Wish(2, 0.8, 4), initiator=True, sample=1.5)
    t = end(initiator=True)
    with pytest.raises(LocalProtocolError, match="not to be measured"):
        t >> Measured(5, Z, 0, FLOW)


def test_a_whole_exchange_between_two_ends():
    a, b = end(initiator=True, entropy=0b1100), end(initiator=False, entropy=0b1010)
    for pair in range(4):
        give(a, pair, pair & 1)
        give(b, pair, pair & 1)
    a >> Closed(FLOW, 0)
    b >> Closed(FLOW, 0)
    at = {id(a): 0, id(b): 0}
    for source, target in ((b, a), (a, b), (b, a), (a, b), (b, a)):
        message = next(m.message for m in source.answers[at[id(source)] :] if isinstance(m, Send))
        at[id(source)] = len(source.answers)
        target >> message
    assert a.last(Finished) == b.last(Finished) == Finished(FLOW, 0)
    assert a.all(Sifted) == b.all(Sifted) == [Sifted(FLOW, 0, Z, 0), Sifted(FLOW, 3, X, 0)]
    assert app(a).key == app(b).key == {}
    assert b.last(Have) == Have(FLOW, 0, last=True, pairs=ANY)


@pytest.mark.requirement("QS-L5-221")
@pytest.mark.parametrize("initiator", [True, False])
def test_an_end_that_hears_nothing_more_gives_up(initiator):
    t = end(initiator=initiator)
    give(t, 0, 1)
    t >> Closed(FLOW, Reason.NONE)
    t.never(Finished)
    t.wait(PATIENCE) << Finished(FLOW, Reason.LOST_PEER)
    assert not app(t).results
    late = [Bases(FLOW, 0, (0,), (Z,)), Reveal(FLOW, 0, (0,), (1,))] + [
        Have(FLOW, 0, last=True, pairs=(0,))
    ] * initiator
    for message in late:
        t >> message
        t.silent()
    t.never(Finished, more_than=1)


def test_who_has_finished_does_not_give_up():
    t = end(initiator=False)
    t >> Closed(FLOW, Reason.NONE) >> Bases(FLOW, 0, (), ()) >> Reveal(FLOW, 0, (), ()) << Finished(FLOW, Reason.NONE)
    t.wait(2 * PATIENCE)
    t.never(Finished, more_than=1)
