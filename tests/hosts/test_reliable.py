"""The reliable ordered channel, two ends against a carrier that does what it likes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qstack.hosts.reliable import FLIGHT, WAITING, Datagram, Reliable
from qstack.wire.channel import ChannelAck, Tag, tag_of, tagged
from qstack.wire.codec import ACK_WANTED, CHECKED, decode, encode, header
from qstack.wire.dump import hexdump
from qstack.wire.network import Complete, Keepalive

TIMEOUT = 100


def numbers(messages):
    return [m.circuit for m in messages]


def test_in_order_and_acknowledged():
    a, b = Reliable(0, TIMEOUT), Reliable(1, TIMEOUT)
    out = [d for i in range(3) for d in a.send(Complete(i), 0).out]
    assert [d.sequence for d in out] == [0, 1, 2]
    assert all(d.wanted for d in out)
    late = b.receive(out[1], 1)
    assert late.up == []
    assert late.out == [Datagram(ChannelAck(0))]
    step = b.receive(out[0], 2)
    assert numbers(step.up) == [0, 1]
    a.receive(step.out[0], 3)
    assert len(a.flight) == 1
    again = b.receive(out[0], 4)
    assert again.up == []
    assert again.out == [Datagram(ChannelAck(2))]


def test_timeout_repeats_from_the_oldest_and_doubles():
    a = Reliable(0, TIMEOUT)
    a.send(Complete(7), 0)
    a.send(Complete(8), 5)
    assert a.due(99).out == []
    assert numbers(d.message for d in a.due(100).out) == [7, 8]
    assert a.deadline == 300
    a.receive(Datagram(ChannelAck(1)), 250)
    assert a.deadline == 350
    a.receive(Datagram(ChannelAck(2)), 300)
    assert a.deadline is None


@pytest.mark.requirement("QS-CL-011")
def test_numbers_wrap():
    a, b = Reliable(0, TIMEOUT), Reliable(1, TIMEOUT)
    for i in range(70_000):
        for d in a.send(Complete(i), i).out:
            step = b.receive(d, i)
            assert numbers(step.up) == [i]
            a.receive(step.out[0], i)
    assert a.base == b.expected == 70_000 % (1 << 16)


@pytest.mark.requirement("QS-CL-010")
def test_flight_is_bounded_and_memory_too():
    a = Reliable(0, TIMEOUT)
    sent = [d for i in range(1000) for d in a.send(Complete(i), 0).out]
    assert len(sent) == FLIGHT
    b = Reliable(1, TIMEOUT)
    for i in range(1 << 12):
        b.receive(Datagram(Complete(i), i + 1, wanted=True), 0)
    assert len(b.early) < FLIGHT
    for _ in range(WAITING):
        lost = a.send(Complete(0), 0).lost
        if lost:
            break
    assert lost
    assert not a.waiting


@pytest.mark.requirement("QS-CL-001")
def test_liveness_is_lost_and_found():
    a, b = Reliable(0, TIMEOUT, tries=3), Reliable(1, TIMEOUT)
    b.receive(a.send(Complete(1), 0).out[0], 1)
    now, step = 0, None
    while not (step and step.lost):
        now = a.deadline
        step = a.due(now)
        assert now < 10_000
    assert step.out == [Datagram(Keepalive(0, 1), wanted=True, tag=Tag(1, 0))]
    assert a.send(Complete(2), now).out == []
    answer = b.receive(step.out[0], now)
    assert answer.lost
    assert answer.found
    found = a.receive(answer.out[0], now)
    assert found.found
    assert numbers(d.message for d in found.out) == [2]
    assert numbers(b.receive(found.out[0], now).up) == [2]


def lost(a, b):
    """Let A give B up, and both begin anew; return A's former question and when."""
    step = type("Nothing", (), {"lost": False})
    while not step.lost:
        now = a.deadline
        step = a.due(now)
    a.receive(b.receive(step.out[0], now).out[0], now)
    assert a.up
    return step.out[0], now


@pytest.mark.requirement("QS-CL-242")
def test_a_datagram_of_a_former_start_is_a_stray_even_if_its_number_fits():
    a, b = Reliable(0, TIMEOUT, tries=3), Reliable(1, TIMEOUT, tries=3)
    held = a.send(Complete(1), 0).out[0]
    answer = b.send(Complete(5), 0).out[0]
    _, now = lost(a, b)
    assert b.receive(held, now).up == []
    assert a.receive(answer, now).up == []
    assert (a.strays, b.strays) == (1, 1)
    fresh = a.send(Complete(2), now).out[0]
    assert fresh.sequence == held.sequence
    assert numbers(b.receive(fresh, now).up) == [2]
    assert a.receive(Datagram(ChannelAck(1), tag=held.tag), now).out == []
    assert len(a.flight) == 1, "an acknowledgement of a former start acknowledges nothing"


@pytest.mark.requirement("QS-CL-242")
def test_old_questions_and_answers_to_old_questions_are_not_believed():
    a, b = Reliable(0, TIMEOUT, tries=3, interval=1000), Reliable(1, TIMEOUT, tries=3)
    a.start(0)
    old = a.due(a.deadline).out[0]
    stale = b.receive(old, 1).out[0]
    question, now = lost(a, b)
    assert b.receive(old, now).out == []
    assert b.theirs == question.message.incarnation
    a.up, a._asking = False, True
    assert not a.receive(stale, now).found
    assert a.strays == b.strays == 1


@pytest.mark.requirement("QS-CL-242")
def test_starts_wrap():
    a = Reliable(0, TIMEOUT, incarnation=(1 << 32) - 1)
    b = Reliable(1, TIMEOUT, theirs=(1 << 32) - 1)
    step = b.receive(Datagram(Keepalive(0, 3), wanted=True, tag=Tag(3, 0)), 0)
    assert step.lost
    assert b.theirs == 3
    assert a.receive(Datagram(ChannelAck(0), tag=Tag(0, 5)), 0).up == []
    assert a.strays == 1


@pytest.mark.requirement("QS-CL-242")
@pytest.mark.parametrize("message", [Complete(7), ChannelAck(3), Keepalive(1, 2)])
def test_tags_travel_as_bytes(message):
    data = tagged(message, 9, ACK_WANTED | CHECKED, Tag(3, (1 << 32) - 1))
    assert tag_of(data) == Tag(3, (1 << 32) - 1)
    assert decode(data) == message
    assert header(data).sequence == 9
    assert tag_of(encode(message, 9, CHECKED)) is None
    dump = hexdump(data)
    assert "channel tag" in dump
    assert "ffffffff" in dump


@pytest.mark.requirement("QS-CL-009")
def test_silence_is_noticed():
    a = Reliable(0, TIMEOUT, tries=3, interval=1000)
    a.start(0)
    asked, lost = 0, False
    for _ in range(20):
        step = a.due(a.deadline)
        asked += len(step.out)
        lost = lost or step.lost
    assert asked > 3
    assert lost
    b = Reliable(1, TIMEOUT)
    a = Reliable(0, TIMEOUT, tries=3, interval=1000)
    a.start(0)
    for _ in range(20):
        now = a.deadline
        for d in a.due(now).out:
            for back in b.receive(d, now).out:
                step = a.receive(back, now)
                assert not step.lost
                assert step.out == []
    assert a.up


@pytest.mark.requirement("QS-CL-001")
@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 400), st.integers(0, 400)), min_size=20, max_size=200),
    st.integers(0, 200),
)
def test_exactly_once_in_order_whatever_happens(weather, number):
    """Loss, duplication and delay chosen by hypothesis; afterwards the weather is fine."""
    ends = {0: Reliable(0, 500, tries=1000), 1: Reliable(1, 500, tries=1000)}
    got = {0: [], 1: []}
    air, now, count = [], 0, 0
    fate = iter(weather)

    def obey(node, step):
        got[node].extend(numbers(step.up))
        for d in step.out:
            copies, first, second = next(fate, (1, 10, 10))
            air.extend((now + delay, i, 1 - node, d) for i, delay in enumerate((first, second, first)[:copies]))

    while count < number or air or any(end.flight for end in ends.values()):
        if count < number:
            for node, end in ends.items():
                obey(node, end.send(Complete(count), now))
            count += 1
        now = min([t[0] for t in air] + [e.deadline for e in ends.values() if e.deadline] + [now + 50])
        for flight in [f for f in air if f[0] <= now]:
            air.remove(flight)
            obey(flight[2], ends[flight[2]].receive(flight[3], now))
        for node, end in ends.items():
            obey(node, end.due(now))
        assert now < 10**7
    assert got == {0: list(range(number)), 1: list(range(number))}
