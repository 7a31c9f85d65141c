"""The reliable ordered channel, two ends against a carrier that does what it likes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qstack.hosts.reliable import FLIGHT, WAITING, Datagram, Reliable
from qstack.wire.channel import ChannelAck, Tag
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
