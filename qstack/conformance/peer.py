"""The suite for a node that is somebody's program: the judge is its neighbour, and has nothing but the wire.

A vendor's own pytest does the same with one fixture::

    class TestMine(PeerSuite):
        @pytest.fixture
        def make(self, running_node):
            return Seat(number=0, subject=1, call=("127.0.0.1", 52242), ...)

Nodes without a laboratory are enough: no pair is made here.
"""

from __future__ import annotations

import asyncio
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from zlib import crc32

from qstack.conformance.marks import Unsupported, requirement
from qstack.conformance.peer_talk import Peer, Seat, context_of
from qstack.core.errors import WireError
from qstack.services.reasons import Reason
from qstack.wire.channel import Tag
from qstack.wire.codec import CHECKED, decode, encode
from qstack.wire.link import UNASSIGNED, Add, AddAck, AddRej
from qstack.wire.network import Complete, Keepalive, Track
from qstack.wire.signalling import Reject, SetupReq, SetupRsp, Teardown

FLOOD = 20_000
"""Messages of a flood."""
STALLED = 8
"""Connections that say nothing."""
NOISE = bytes(range(256))
RESERVED = 0x01
"""A flag that nobody has."""


def strangers(seat: Seat, folder: Path) -> Seat:
    """Return the seat with a certificate of the same name that another authority has signed.

    Raises
    ------
    Unsupported
        If nothing is installed that makes certificates.
    """
    try:
        from qstack.integration.certificates import make_certificates  # noqa: PLC0415 - needs an extra

        name = common_name_of(seat.certificate)
        made = make_certificates(folder, [name], "an authority that nobody knows")[name]
    except ImportError as error:
        raise Unsupported("certificates of another authority") from error
    return replace(seat, certificate=made.certificate, key=made.key)


def common_name_of(certificate: Path) -> str:
    """Return whose certificate a file holds."""
    from cryptography import x509  # noqa: PLC0415 - an extra

    (name,) = x509.load_pem_x509_certificate(certificate.read_bytes()).subject.get_attributes_for_oid(
        x509.NameOID.COMMON_NAME
    )
    return str(name.value)


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


class MeetingTests:
    """Who is there, and who it is."""

    @requirement("QS-CL-330")
    def test_both_sides_introduce_themselves_alike(self, make: Seat) -> None:
        """On the connection that the judge opens, and on the one that the node opens."""

        async def scene(there: Peer) -> None:
            await there.meet()
            said = {(one.node, one.incarnation) for one in there.theirs}
            if {node for node, _ in said} != {make.subject}:
                raise there.fail(f"node {make.subject} introduces itself as {[node for node, _ in said]}")
            if len(said) != 1:
                raise there.fail(f"the same start on both connections, not {sorted(start for _, start in said)}")

        make.play(scene)

    @requirement("QS-CL-331")
    def test_every_question_whether_it_lives_is_answered(self, make: Seat) -> None:
        """Three of them, at once."""

        async def scene(there: Peer) -> None:
            line = await there.meet()
            there.write(3 * encode(Keepalive(make.number, make.start)))
            for number in range(3):
                try:
                    said = decode(await line.next(make.patience))
                except (TimeoutError, WireError):
                    said = None
                if not isinstance(said, Keepalive):
                    raise there.fail(f"of 3 KEEPALIVEs {number} are answered")

        make.play(scene)

    @requirement("QS-CL-332")
    def test_a_number_that_is_not_that_of_the_certificate_is_turned_away(self, make: Seat) -> None:
        """That of the judged node itself, and one that nobody has."""

        async def scene(there: Peer) -> None:
            for number in (make.subject, 1 << 20):
                _, answer = await there.introduce(node=number)
                if answer is not None:
                    raise there.fail(f"no answer to somebody with the certificate of {make.number} who says {number}")

        make.play(scene)

    @requirement("QS-CL-333")
    def test_an_older_start_is_turned_away(self, make: Seat) -> None:
        """One before the newest that was seen."""

        async def scene(there: Peer) -> None:
            make.start += 1
            await there.meet()
            _, answer = await there.introduce(start=make.start - 1)
            if answer is not None:
                raise there.fail(f"no answer to start {make.start - 1} after {make.start}")

        make.play(scene)

    @requirement("QS-CL-002")
    def test_without_a_certificate_nobody_is_heard(self, make: Seat) -> None:
        """With none at all, and with one of the right name that a stranger has signed."""

        async def scene(there: Peer) -> None:
            contexts = [("no certificate", context_of(make, listens=False, certificate=False))]
            with suppress(Unsupported), tempfile.TemporaryDirectory() as folder:
                foreign = strangers(make, Path(folder))
                contexts.append(("a stranger's certificate", context_of(foreign, listens=False)))
            for words, context in contexts:
                data = b""
                with suppress(AssertionError, TimeoutError, WireError):  # refused already during the handshake
                    wire = await there.open(context=context)
                    wire.writer.write(encode(Keepalive(make.number, make.start)))
                    data = await wire.next(make.patience)
                if data:
                    raise there.fail(f"no word to somebody with {words}, not {decode(data)}")

        make.play(scene)


class TroubleTests:
    """Peers that break the rules."""

    @requirement("QS-WI-004")
    def test_what_is_of_another_version_is_not_obeyed(self, make: Seat) -> None:
        """Another version, a reserved flag, a type that the plane does not have."""
        for place, changed in ((0, lambda old: 0x20 | old & 0x0F), (2, lambda old: old | RESERVED), (1, lambda _: 200)):

            async def scene(there: Peer, place: int = place, changed=changed) -> None:  # type: ignore[no-untyped-def]
                await there.meet()
                asked = there.circuit()
                data = bytearray(there.data(asked))
                data[place] = changed(data[place])
                await not_obeyed(there, asked, sealed(bytes(data)))

            make.play(scene)

    @requirement("QS-WI-005")
    def test_a_length_that_does_not_fit_is_not_obeyed(self, make: Seat) -> None:
        """One word more of fixed part than the layout has."""

        async def scene(there: Peer) -> None:
            await there.meet()
            asked = there.circuit()
            data = bytearray(there.data(asked))
            data[3] += 1
            await not_obeyed(there, asked, sealed(bytes(data)))

        make.play(scene)

    @requirement("QS-WI-008")
    def test_a_wrong_checksum_is_not_obeyed(self, make: Seat) -> None:
        """One bit of it."""

        async def scene(there: Peer) -> None:
            await there.meet()
            asked = there.circuit()
            data = bytearray(there.data(asked, flags=CHECKED))
            data[-1] ^= 1
            await not_obeyed(there, asked, bytes(data))

        make.play(scene)

    @requirement("QS-CL-334")
    def test_after_every_trouble_an_honest_caller_is_served(self, make: Seat) -> None:
        """After noise, half a message, a length that never comes, and an end without a word."""
        long = bytes.fromhex("1304 0004 ffff 0000")
        for trouble in (NOISE, long[:5], long + NOISE, b""):

            async def scene(there: Peer, trouble: bytes = trouble) -> None:
                line = await there.meet()
                there.lines.append(f" >> {trouble[:16].hex(' ', 4)}  ({len(trouble)} bytes, then the end)")
                line.writer.write(trouble)
                line.writer.write_eof() if line.writer.can_write_eof() else await line.writer.drain()
                await asyncio.sleep(0.02)
                await there.again()
                await there.set_up()

            make.play(scene)

    @requirement("QS-CL-015")
    def test_hostile_connections_disturb_nobody(self, make: Seat) -> None:
        """Callers that say nothing, noise, a lie: an honest connection goes on through all of it."""

        async def scene(there: Peer) -> None:
            line = await there.meet()
            writers = [(await asyncio.open_connection(*make.call))[1] for _ in range(STALLED)]
            for writer in writers[::2]:
                writer.write(NOISE)
            lying, _ = await there.introduce(node=make.subject)
            await lying.ends(make.patience)
            noisy = await there.open()
            noisy.writer.write(NOISE)
            await noisy.ends(make.patience)
            ended = await line.ends(0.05)
            for writer in writers:
                writer.transport.abort()
            if ended:
                raise there.fail("the honest connection goes on")
            await there.set_up()

        make.play(scene)

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

        make.play(scene)

    @requirement("QS-CL-009")
    def test_silence_is_noticed(self, make: Seat) -> None:
        """A neighbour that asks nothing and answers nothing loses its connections."""

        async def scene(there: Peer) -> None:
            line = await there.meet()
            there.answers = False
            if not await line.ends(make.silence):
                raise there.fail(f"an end of the connection within {make.silence:g} s of silence")

        make.play(scene)


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

        make.play(scene)

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

        make.play(scene)

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
                await there.until(lambda heard=heard: len(there.acks) > heard, f"ChannelAck(expected={expected})")
                if there.acks[-1] != expected:
                    raise there.fail(f"ChannelAck(expected={expected}), not {there.acks[-1]}")

        make.play(scene)

    @requirement("QS-CL-337")
    def test_what_is_not_acknowledged_is_repeated(self, make: Seat) -> None:
        """And not any more when it is."""
        _on_datagrams(make)

        async def scene(there: Peer) -> None:
            await there.meet()
            there.answers = False
            asked = there.circuit()
            there.say(asked)
            await there.until(
                lambda: there.numbers.count(0) >= 3, "the answer three times, while nothing acknowledges it"
            )

        make.play(scene)

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

        make.play(scene)


class TalkTests:
    """What a neighbour asks for, and what it gets."""

    @requirement("QS-L2-010")
    def test_an_add_is_answered_every_time(self, make: Seat) -> None:
        """And in the same way."""

        async def scene(there: Peer) -> None:
            await there.meet()
            asked = there.circuit()
            await there.set_up(asked)
            aid = 1 if make.number < make.subject else UNASSIGNED
            add = Add(1, aid, asked.label, 1, 1, 0.5, 0, keep=True, bases=(), start=0, deadline=0, consecutive=True)
            for time in (1, 2, 3):
                there.say(add)
                await there.until(lambda time=time: len(_added(there)) >= time, f"{time} answers to as many ADDs")
            if _added(there) != 3 * _added(there)[:1]:
                raise there.fail("the same answer every time")

        make.play(scene)

    @requirement("QS-L3-041")
    def test_a_label_in_use_is_rejected(self, make: Seat) -> None:
        """With the number of the circuit that asks for it."""

        async def scene(there: Peer) -> None:
            await there.meet()
            first = there.circuit()
            await _accepted(there, first)
            second = there.circuit(label=first.label)
            if not isinstance(await there.set_up(second), Reject):
                raise there.fail(f"Reject of circuit {second.circuit}, whose label is in use")

        make.play(scene)

    @requirement("QS-L3-042")
    def test_a_path_through_somebody_else_is_refused(self, make: Seat) -> None:
        """One that does not lead through the node, and one that does not come from the judge."""

        async def scene(there: Peer) -> None:
            await there.meet()
            elsewhere = make.number + make.subject + 1
            for path in ((make.number, elsewhere), (elsewhere, make.subject)):
                asked = there.circuit(path=path)
                there.say(asked)
                await there.fence()
                if any(isinstance(one, SetupRsp) for one in there.verdict_on(asked)):
                    raise there.fail(f"no acceptance of a circuit along {path}")

        make.play(scene)

    @requirement("QS-L3-047")
    def test_an_unknown_circuit_is_ignored(self, make: Seat) -> None:
        """Nothing is said about it, and the connection goes on."""

        async def scene(there: Peer) -> None:
            line = await there.meet()
            gone = there.circuit().circuit
            there.say(Track(gone, make.number, 1, 1, 0, 1, 60_000))
            there.say(Complete(gone, 1, make.number, make.subject))
            there.say(Teardown(gone, Reason.TORN_DOWN))
            await there.set_up()
            said = [one for one in there.heard if getattr(one, "circuit", -1) == gone]
            if said:
                raise there.fail(f"nothing about circuit {gone}, which nobody has, not {said[0]}")
            assert line is there.line

        make.play(scene)

    @requirement("QS-L3-011")
    def test_what_was_torn_down_is_free_again(self, make: Seat) -> None:
        """Label and session serve the next circuit."""

        async def scene(there: Peer) -> None:
            await there.meet()
            first = there.circuit()
            await _accepted(there, first)
            there.say(Teardown(first.circuit, Reason.TORN_DOWN))
            second = there.circuit(label=first.label, session=first.session)
            if not isinstance(await there.set_up(second), SetupRsp):
                raise there.fail(f"SetupRsp of circuit {second.circuit}, whose label and session are free again")

        make.play(scene)


def _before(there: Peer, first: SetupReq, second: SetupReq) -> bool:
    order = [one.circuit for one in there.heard if isinstance(one, SetupRsp | Reject)]
    return order.index(first.circuit) < order.index(second.circuit)


def _on_datagrams(seat: Seat) -> None:
    if not seat.reliable:
        raise Unsupported("datagrams of a reliable channel")


def _added(there: Peer) -> list[AddAck | AddRej]:
    return [one for one in there.heard if isinstance(one, AddAck | AddRej)]


async def _accepted(there: Peer, asked: SetupReq) -> None:
    if not isinstance(await there.set_up(asked), SetupRsp):
        raise Unsupported("circuits that end at it")


class PeerSuite(MeetingTests, TroubleTests, ChannelTests, TalkTests):
    """Everything that a node is held to by a neighbour that has nothing but the wire."""

    profile = "node"
