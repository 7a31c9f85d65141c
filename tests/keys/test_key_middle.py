"""A man in the middle of the classical channel: no block survives with a changed transcript."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qstack.keys import bbm92
from qstack.keys.alice import Alice
from qstack.keys.authentication import KeyPool
from qstack.keys.bbm92 import Pairs
from qstack.keys.bob import Bob
from qstack.keys.channel import Side
from qstack.keys.end import Party
from qstack.keys.eve.middle import Delay, Drop, Edit, Listener, Reflect, Repeat, Tampering
from qstack.keys.ledger import Assumption, Block, Reason, Rejected
from qstack.keys.messages import KINDS, Abort, Tag, decode
from qstack.keys.randomness import stream
from qstack.keys.secret import Secret
from qstack.keys.session import Link, exchange, reconciler, straight
from qstack.keys.terms import Proof, Terms

PAIRS = Pairs(x=0.99, y=0.98, z=0.99, p_key=0.7)
NUMBER = 20_000
SECRET = bytes((5 * i + 1) % 256 for i in range(16 + 32 * 20))
CLICKS = [bbm92.sample(PAIRS, NUMBER, 3, block) for block in range(4)]
TERMS = Terms(proof=Proof.PAIRS, leak_limit=0.25)


def make_link(wire=straight):
    link = Link.between("delft", "leiden", TERMS, Secret(SECRET), stream(1, 0, "public").bytes)
    link.wire = wire
    return link


def listen():
    """The messages of an honest block, in order."""
    listener = Listener()
    assert make_link(listener).run_block(CLICKS[0]).accepted
    return [message for _, message in listener.heard]


HEARD = listen()
LAST = len(HEARD) - 1
FIRST = {kind.__name__: [type(m) for m in HEARD].index(kind) for kind in KINDS if kind in {type(m) for m in HEARD}}
TARGETS = sorted({*FIRST.values(), FIRST["Parities"] + 2, FIRST["Parities"] + 3, FIRST["Verify"] - 1, LAST})


def attacked(wire):
    return make_link(wire).run_block(CLICKS[0])


def test_the_honest_transcript_has_every_kind_of_message():
    said = {type(message) for message in HEARD}
    assert said == {kind for kind in KINDS if kind is not Abort}
    assert len(TARGETS) == 14


@pytest.mark.requirement("QS-KY-004")
@pytest.mark.parametrize("place", [0.0, 0.02, 0.3, 0.7, 0.999999])
@pytest.mark.parametrize("number", TARGETS)
def test_an_edited_message_never_survives(number, place):
    outcome = attacked(Edit(number, place=place))
    assert not isinstance(outcome.alice, Block)
    if number < LAST:  # Bob has finished before the very last message, Alice's check of his tag
        assert not isinstance(outcome.bob, Block)
    for end in (outcome.alice, outcome.bob):
        assert not isinstance(end, Rejected) or end.ledger.length == 0


@pytest.mark.requirement("QS-KY-004")
@pytest.mark.parametrize("attack", [Drop, Reflect, Delay])
@pytest.mark.parametrize("number", TARGETS[:-1])
def test_lost_reflected_and_reordered_messages_never_survive(attack, number):
    outcome = attacked(attack(number))
    assert not isinstance(outcome.alice, Block)
    assert not isinstance(outcome.bob, Block)


@pytest.mark.parametrize("number", TARGETS)
def test_a_repeated_message_changes_nothing_or_ends_the_block(number):
    outcome = attacked(Repeat(number))
    assert isinstance(outcome.alice, Block) == (number >= LAST - 1)
    if isinstance(outcome.alice, Block):
        assert outcome.alice.key == outcome.bob.key


@given(number=st.integers(0, LAST - 1), place=st.floats(0, 1))
@settings(max_examples=150, deadline=None)
def test_no_edit_anywhere_survives(number, place):
    outcome = attacked(Edit(number, place=place))
    assert not isinstance(outcome.alice, Block)
    assert not isinstance(outcome.bob, Block)


def test_a_tampering_wire_without_a_deed_is_abstract():
    with pytest.raises(NotImplementedError):
        Tampering(0)(Side.ALICE, b"x")


def replayed(last):
    """Bob after he heard Alice's side of a finished block a second time."""
    listener = Listener()
    link = make_link(listener)
    assert link.run_block(CLICKS[0]).accepted
    bob = Bob(link.bob, CLICKS[0].bob, last=last)
    for speaker, frame in listener.frames:
        if speaker is Side.ALICE and bob.outcome is None:
            bob.receive(frame)
    return bob.outcome


@pytest.mark.requirement("QS-KY-004")
def test_an_old_block_cannot_be_replayed():
    assert replayed(last=0).reason is Reason.REPLAY


def test_a_replay_to_a_forgetful_bob_fails_at_the_pads():
    outcome = replayed(last=-1)
    assert isinstance(outcome, Rejected)
    assert "slot" in outcome.detail


def lose_bobs_tag(speaker, data):
    return [] if speaker is Side.BOB and isinstance(decode(data), Tag) else straight(speaker, data)


def test_when_bobs_last_word_is_lost_alice_says_so_in_the_next_block():
    link = make_link()
    assert link.run_block(CLICKS[0]).accepted
    link.wire = lose_bobs_tag
    half = link.run_block(CLICKS[1])
    assert half.alice is None
    assert isinstance(half.bob, Block)
    link.wire = straight
    after = link.run_block(CLICKS[2])
    assert after.accepted
    assert after.bob.ledger.finished == 0
    later = link.run_block(CLICKS[3])
    assert later.accepted
    assert later.bob.ledger.finished == 2
    assert link.alice.pool.slots == link.bob.pool.slots
    assert later.alice.key == later.bob.key


def impersonate(first_secret):
    """Eve answers Alice as Bob, with a secret of her own choice."""
    alice = Alice(make_link().alice, CLICKS[0].alice, 0, stream(1, 0, "public").bytes)
    eve = Party("leiden", "delft", TERMS, reconciler(TERMS.reconciliation), KeyPool(Secret(first_secret)))
    return exchange(alice, Bob(eve, CLICKS[0].bob))


def test_an_impostor_without_the_first_secret_fails():
    alice, eve = impersonate(bytes(len(SECRET)))
    assert {alice.reason, eve.reason} == {Reason.AUTHENTICATION, Reason.PEER}


def test_an_impostor_with_the_first_secret_holds_the_key_and_the_ledger_names_the_assumption():
    alice, eve = impersonate(SECRET)
    assert isinstance(alice, Block)
    assert alice.key == eve.key
    assert Assumption.AUTHENTIC in alice.ledger.assumptions


def test_a_disturbed_block_costs_no_authentication_key_and_a_forged_tag_one_slot():
    link = make_link(Edit(FIRST["Parities"]))
    before = link.alice.pool.slots
    assert not link.run_block(CLICKS[0]).accepted
    assert link.alice.pool.slots == link.bob.pool.slots == before
    link.wire = Edit(FIRST["Tag"])
    assert not link.run_block(CLICKS[0]).accepted
    assert link.alice.pool.slots == link.bob.pool.slots == before - 1
    assert link.backoff.wait_s == 2.0


def test_pools_fall_back_into_step_after_losses():
    """Whatever was lost, the next block that goes through is authenticated by the same pads."""
    for kind, number in FIRST.items():
        link = make_link(Drop(number))
        link.run_block(CLICKS[0])
        link.wire = straight
        outcome = link.run_block(CLICKS[1])
        assert outcome.accepted, kind
        assert outcome.alice.key == outcome.bob.key
