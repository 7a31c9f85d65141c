"""Authentication key: spent once, refilled late, never reused, never absent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qstack.core.errors import ConfigError, RemoteProtocolError
from qstack.keys.authentication import SLOT_BYTES, WINDOW, Backoff, KeyPool, OutOfKeyError
from qstack.keys.channel import Channel, Side
from qstack.keys.messages import Abort, Estimate, Tag, Verified
from qstack.keys.secret import Secret

MATERIAL = bytes((11 * i + 5) % 256 for i in range(16 + 4 * SLOT_BYTES))


def pool(material=MATERIAL):
    return KeyPool(Secret(material))


def test_slots_are_handed_out_in_order_and_once():
    keys = pool()
    pads = [keys.spend(slot) for slot in range(4)]
    assert b"".join(p.alice.reveal() + p.bob.reveal() for p in pads) == MATERIAL[16:]
    with pytest.raises(OutOfKeyError, match="slot 4"):
        keys.spend(4)
    with pytest.raises(ConfigError, match="slot 2"):
        keys.spend(2)


def test_skipped_slots_are_gone():
    keys = pool()
    keys.spend(2)
    assert keys.slots == 1
    with pytest.raises(ConfigError):
        keys.spend(1)


def test_a_slot_far_ahead_is_an_attack():
    with pytest.raises(ConfigError, match="only 0 to 64"):
        pool().spend(WINDOW + 1)


def test_low_is_raised_below_the_floor():
    keys = KeyPool(Secret(MATERIAL), floor_slots=3)
    assert not keys.low
    keys.spend(0)
    keys.spend(1)
    assert keys.low


def test_a_refill_counts_only_when_the_peer_finished_too():
    keys = pool()
    keys.refill(7, Secret(bytes(SLOT_BYTES)), 1e-9)
    assert keys.slots == 4
    keys.settle(7)
    assert (keys.slots, keys.epsilon, keys.pending) == (5, 1e-9, -1)
    keys.refill(8, Secret(bytes(SLOT_BYTES)), 1e-9)
    keys.settle(7)
    assert (keys.slots, keys.epsilon, keys.pending) == (5, 1e-9, -1)


def test_sizes_that_cannot_be_are_refused():
    with pytest.raises(ConfigError, match="15 bytes"):
        KeyPool(Secret(bytes(15)))
    with pytest.raises(ConfigError, match="not a whole number"):
        pool().refill(0, Secret(bytes(31)), 0.0)


def test_a_pool_shows_its_size_only():
    assert repr(pool()) == "KeyPool(<4 slots>)"


@given(slots=st.lists(st.integers(0, 6), max_size=8))
def test_no_pad_is_ever_used_twice(slots):
    keys, used = pool(), []
    for slot in slots:
        try:
            pads = keys.spend(slot)
        except (ConfigError, OutOfKeyError):
            continue
        used += [pads.alice.reveal(), pads.bob.reveal()]
    assert len(used) == len(set(used))
    assert all(pad in MATERIAL for pad in used)


def test_backoff_doubles_up_to_a_limit_and_forgets_after_success():
    backoff = Backoff(first_s=1, most_s=10)
    waits = []
    for _ in range(6):
        backoff.record(accepted=False)
        waits.append(backoff.wait_s)
    assert waits == [1, 2, 4, 8, 10, 10]
    backoff.record(accepted=True)
    assert backoff.wait_s == 0


def channels():
    ends = Channel(Side.ALICE, pool()), Channel(Side.BOB, pool())
    for end in ends:
        end.claim(0)
    return ends


def test_equal_transcripts_have_equal_tags_and_each_side_its_own():
    alice, bob = channels()
    bob.receive(alice.send(Estimate((1, 2))))
    alice.receive(bob.send(Verified((3,))))
    one, two = alice.tag(Side.ALICE), bob.tag(Side.BOB)
    assert one != two
    bob.check(one)
    alice.check(two)
    assert alice.authentication_bits == bob.authentication_bits == 256
    assert alice.disclosed == bob.disclosed == [0, 64]


@pytest.mark.parametrize("forged", [b"", bytes(16), bytes(17)])
def test_other_tags_are_refused(forged):
    _, bob = channels()
    with pytest.raises(RemoteProtocolError, match="changed on its way"):
        bob.check(Tag(forged))


def test_a_reflected_tag_is_refused():
    alice, _ = channels()
    with pytest.raises(RemoteProtocolError):
        alice.check(alice.tag(Side.ALICE))


def test_who_said_it_is_part_of_the_transcript():
    alice, bob = channels()
    alice.send(Estimate((1,)))
    bob.send(Estimate((1,)))
    with pytest.raises(RemoteProtocolError):
        bob.check(alice.tag(Side.ALICE))


def test_nothing_can_follow_a_sealed_transcript_but_an_abort():
    alice, _ = channels()
    alice.tag(Side.ALICE)
    alice.send(Abort("why", "because"))
    with pytest.raises(RemoteProtocolError, match="sealed"):
        alice.send(Estimate((1,)))
