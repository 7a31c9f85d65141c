"""The tests of the peer suite for callers that break the rules, and for the numbers of messages."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from zlib import crc32

from qstack.conformance.marks import Unsupported, requirement
from qstack.conformance.peer_scene import play
from qstack.conformance.peer_talk import FIRST, Peer
from qstack.conformance.peer_wire import Seat, Wire
from qstack.wire.channel import Tag
from qstack.wire.codec import CHECKED, encode
from qstack.wire.network import Complete, Keepalive
from qstack.wire.signalling import Reject, SetupReq, SetupRsp

FLOOD = 20_000
"""Messages of a flood."""
STALLED = 8
"""Connections that say nothing."""
NOISE = bytes(range(256))
OTHERS = ((0, 0x0F, 0x20), (2, 0xFF, 0x01), (1, 0x00, 200))
"""Version 2, a flag that nobody has, a type that nobody has: the byte, which bits of it are kept, which are set."""


def sealed(data: bytes) -> bytes:
    """Return changed bytes with the checksum that fits them, where they have one."""
    return data[:-4] + crc32(data[:-4]).to_bytes(4, "big") if data[2] & CHECKED else data


async def not_obeyed(there: Peer, asked: SetupReq, data: bytes) -> None:
    """Send bytes that are no message though they look like a request, and see that nobody answers it.

    Raises
    ------
    AssertionError
        If somebody does, or an honest request is not answered afterwards.
    """
    there.lines.append(f" >> {data.hex(' ', 4)}")
    there.write(data)
    await there.fence()
    if there.verdict_on(asked):
        raise there.fail(f"no answer to bytes that are no message; circuit {asked.circuit} was answered")


class TroubleTests:
    """Peers that break the rules."""

    @requirement("QS-WI-004")
    def test_what_is_of_another_version_is_not_obeyed(self, make: Seat) -> None:
        """Another version, a reserved flag, a type that the plane does not have."""
        for place, kept, added in OTHERS:

            async def scene(there: Peer, place: int = place, kept: int = kept, added: int = added) -> None:
                await there.meet()
                asked = there.circuit()
                data = bytearray(there.data(asked))
                data[place] = data[place] & kept | added
                await not_obeyed(there, asked, sealed(bytes(data)))

            play(make, scene)

    @requirement("QS-WI-005")
    def test_a_length_that_does_not_fit_is_not_obeyed(self, make: Seat) -> None:
        """One word more of fixed part than the layout has."""

        async def scene(there: Peer) -> None:
            await there.meet()
            asked = there.circuit()
            data = bytearray(there.data(asked))
            data[3] += 1
            await not_obeyed(there, asked, sealed(bytes(data)))

        play(make, scene)

    @requirement("QS-WI-008")
    def test_a_wrong_checksum_is_not_obeyed(self, make: Seat) -> None:
        """One bit of it."""

        async def scene(there: Peer) -> None:
            await there.meet()
            asked = there.circuit()
            data = bytearray(there.data(asked, flags=CHECKED))
            data[-1] ^= 1
            await not_obeyed(there, asked, bytes(data))

        play(make, scene)

    @requirement("QS-CL-334")
    def test_after_every_trouble_an_honest_caller_is_served(self, make: Seat) -> None:
        """After noise, half a message, a length that never comes, and an end without a word."""
        long = bytes.fromhex("1304 0004 ffff 0000")
        for trouble in (NOISE, long[:5], long + NOISE, b""):

            async def scene(there: Peer, trouble: bytes = trouble) -> None:
                line = await there.meet()
                there.lines.append(f" >> {trouble[:16].hex(' ', 4)}  ({len(trouble)} bytes, then the end)")
                line.writer.write(trouble)
                line.writer.close()  # with TLS's own farewell, so that everything before it arrives
                with suppress(OSError):
                    await line.writer.wait_closed()
                await there.again()
                await there.set_up()

            play(make, scene)

    @requirement("QS-CL-015")
    def test_hostile_connections_disturb_nobody(self, make: Seat) -> None:
        """Callers that say nothing, noise, no introduction: an honest connection goes on through all of it."""

        async def scene(there: Peer) -> None:
            line = await there.meet()
            for number in range(STALLED):
                stalled = Wire(*await asyncio.open_connection(*make.call))
                there.wires.append(stalled)
                if number % 2:
                    stalled.writer.write(NOISE)
            for words in (NOISE, encode(Complete(FIRST))):
                rude = await there.open()
                rude.writer.write(words)
                await rude.ends(make.patience)
            if await line.ends(0.05):
                raise there.fail("the honest connection goes on")
            await there.set_up()

        play(make, scene)

    @requirement("QS-CL-015")
    def test_a_flood_is_survived(self, make: Seat) -> None:
        """Of a caller that reads no answer."""

        async def scene(there: Peer) -> None:
            line = await there.meet()
            there.lines.append(f" >> {FLOOD} x {Keepalive(make.number, make.start)}")
            line.writer.write(FLOOD * encode(Keepalive(make.number, make.start)))
            other = await there.open()
            other.close()
            await there.again()
            await there.set_up()

        play(make, scene)

    @requirement("QS-CL-009")
    def test_silence_is_noticed(self, make: Seat) -> None:
        """A neighbour that asks nothing and answers nothing loses its connections."""

        async def scene(there: Peer) -> None:
            line = await there.meet()
            there.answers = False
            if not await line.ends(make.silence):
                raise there.fail(f"an end of the connection within {make.silence:g} s of silence")

        play(make, scene)


class ChannelTests:
    """Numbers, acknowledgements, repetitions."""

    @requirement("QS-CL-001")
    def test_a_number_that_was_there_before_is_not_taken_again(self, make: Seat) -> None:
        """Though it carries something else."""

        async def scene(there: Peer) -> None:
            await there.meet()
            first, replayed = there.circuit(), there.circuit()
            await there.set_up(first)
            there.say(replayed, number=0)
            await there.fence()
            if there.verdict_on(replayed):
                raise there.fail("no answer to what carries a number that was there before")

        play(make, scene)

    @requirement("QS-CL-335")
    def test_what_skips_a_number_does_not_come_first(self, make: Seat) -> None:
        """It waits for the number before, or is not taken at all."""

        async def scene(there: Peer) -> None:
            await there.meet()
            first, second = there.circuit(), there.circuit()
            there.say(second, number=1)
            if make.reliable:
                there.say(first, number=0)
                await there.decided(second)
                await there.decided(first)
            else:
                await there.fence()
            early = there.verdict_on(second) and not (make.reliable and _before(there, first, second))
            if early:
                raise there.fail(f"no answer to circuit {second.circuit} before number 0 is there")

        play(make, scene)

    @requirement("QS-CL-336")
    def test_every_message_is_acknowledged(self, make: Seat) -> None:
        """With the number that is expected next; what comes again is acknowledged again."""
        _on_datagrams(make)

        async def scene(there: Peer) -> None:
            await there.meet()
            await there.set_up()  # from its answer on the node is known to have both connections
            asked = there.circuit()
            for number, expected in ((1, 2), (1, 2), (2, 3)):
                heard = len(there.acks)
                there.say(asked if number == 1 else there.circuit(), number=number)
                await there.until(partial(_told, there.acks, heard, expected), f"ChannelAck(expected={expected})")

        play(make, scene)

    @requirement("QS-CL-337")
    def test_what_is_not_acknowledged_is_repeated(self, make: Seat) -> None:
        """Twice at least, as long as nothing acknowledges it."""
        _on_datagrams(make)

        async def scene(there: Peer) -> None:
            await there.meet()
            there.acknowledges = False
            asked = there.circuit()
            there.say(asked)
            await there.until(
                lambda: there.numbers.count(0) >= 3, "the answer three times, while nothing acknowledges it"
            )

        play(make, scene)

    @requirement("QS-CL-242")
    def test_what_was_for_another_start_is_dropped(self, make: Seat) -> None:
        """Of the judge, or of the node."""
        _on_datagrams(make)

        async def scene(there: Peer) -> None:
            await there.meet()
            wrong = [Tag(there.tag.sender - 1, there.tag.receiver), Tag(there.tag.sender, there.tag.receiver - 1)]
            stray = [there.circuit() for _ in wrong]
            for asked, tag in zip(stray, wrong, strict=True):
                there.say(asked, number=0, tag=tag)
            await there.fence()
            if any(there.verdict_on(asked) for asked in stray):
                raise there.fail("no answer to what was for another start")

        play(make, scene)


def _before(there: Peer, first: SetupReq, second: SetupReq) -> bool:
    order = [one.circuit for one in there.heard if isinstance(one, SetupRsp | Reject)]
    return order.index(first.circuit) < order.index(second.circuit)


def _on_datagrams(seat: Seat) -> None:
    if not seat.reliable:
        raise Unsupported("datagrams of a reliable channel")


def _told(acks: list[int], heard: int, expected: int) -> bool:
    return expected in acks[heard:]
