"""The suite for classical channels: one direction, asked when its datagrams arrive.

A vendor writes one fixture::

    class TestMine(ChannelSuite):
        @pytest.fixture
        def make(self):
            return lambda delay: MyChannel(delay)

What a channel loses, doubles or holds up is its own business; that it is no faster than light is not.
"""

from __future__ import annotations

from collections.abc import Callable

from qstack.conformance.chance import seeded
from qstack.conformance.marks import Unsupported, extended, requirement
from qstack.plugin.chance import generator
from qstack.plugin.contracts import ClassicalChannel

MakeChannel = Callable[[int], ClassicalChannel]
LIGHT = (1, 5_000_000, 125_000_000)
"""Times that light needs [ps]: next door, 1 km, 25 km."""
SPARSE = 10**13
"""Time after which no datagram waits for an older one any more [ps]."""
NUMBER = 400

Sent = list[tuple[int, tuple[int, ...]]]


def sent(make: MakeChannel, light: int, *, apart: int, size: int, seed: int = 3) -> tuple[ClassicalChannel, Sent]:
    """Send datagrams at equal distances [ps] and return when each was sent and when it arrives."""
    channel, draw = make(light), generator(seeded(seed), 0, "channel")
    return channel, [(k * apart, tuple(channel.arrivals(k * apart, size, draw))) for k in range(NUMBER)]


def streams(make: MakeChannel) -> list[tuple[str, int, ClassicalChannel, Sent]]:
    """Return datagrams of several sizes, close together and far apart, in words and as sent."""
    return [
        (f"light needs {light} ps, {size} byte every {apart} ps", light, *sent(make, light, apart=apart, size=size))
        for light in LIGHT
        for size, apart in ((0, SPARSE), (40, 1_000), (1500, 1_000_000))
    ]


class ChannelSuite:
    """Everything that a classical channel is held to."""

    profile = "channel"

    @requirement("QS-CL-281")
    def test_nothing_is_faster_than_light(self, make: MakeChannel) -> None:
        """Whatever its size, and however many are on their way."""
        for words, light, _, told in streams(make):
            for at, arrivals in told:
                for arrival in arrivals:
                    assert arrival >= at + light, f"{words}: sent at {at} ps, it arrives at {arrival} ps"

    @requirement("QS-CL-012")
    def test_the_delay_is_the_longest(self, make: MakeChannel) -> None:
        """Of datagrams that wait for no other."""
        for light in LIGHT:
            channel, told = sent(make, light, apart=SPARSE, size=0)
            worst = max((arrival - at for at, arrivals in told for arrival in arrivals), default=0)
            assert worst <= channel.delay, f"announced: {channel.delay} ps; a datagram takes {worst} ps"

    @requirement("QS-CL-282")
    def test_what_is_repeated_arrives_in_the_end(self, make: MakeChannel) -> None:
        """A channel on which nothing arrives is none."""
        for words, _, _, told in streams(make):
            assert any(arrivals for _, arrivals in told), f"{words}: of {NUMBER} datagrams none arrives"

    @requirement("QS-CL-283")
    def test_the_same_stream_gives_the_same(self, make: MakeChannel) -> None:
        """And two directions do not know of each other."""
        for light in LIGHT:
            _, first = sent(make, light, apart=1_000, size=40)
            assert first == sent(make, light, apart=1_000, size=40)[1], "the same random stream gives other arrivals"
            one, other = make(light), make(light)
            draws = generator(seeded(3), 0, "channel"), generator(seeded(4), 0, "channel")
            between = []
            for at, _ in first:
                between.append((at, tuple(one.arrivals(at, 40, draws[0]))))
                other.arrivals(at, 40, draws[1])
            assert first == between, "what travels in one direction changes the other"

    @requirement("QS-CL-284")
    @extended("ideal-arrivals")
    def test_an_ideal_channel_is_ideal(self, make: MakeChannel) -> None:
        """Every datagram once, after the announced delay, which is light's; so they keep their order."""
        for words, light, channel, told in streams(make):
            if not channel.ideal:
                raise Unsupported("ideal channels")
            assert channel.delay == light, f"{words}: the announced delay is {channel.delay} ps"
            for at, arrivals in told:
                assert arrivals == (at + light,), f"{words}: sent at {at} ps, it arrives at {arrivals}"

    @requirement("QS-CL-285")
    def test_times_are_whole_picoseconds(self, make: MakeChannel) -> None:
        """The announced delay and every arrival."""
        for words, _, channel, told in streams(make):
            assert type(channel.delay) is int, f"{words}: a delay of {channel.delay!r}"
            odd = [arrival for _, arrivals in told for arrival in arrivals if type(arrival) is not int]
            assert not odd, f"{words}: arrivals at {odd[:3]}"
