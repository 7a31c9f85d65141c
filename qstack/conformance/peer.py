"""The suite for a node that is somebody's program: the judge is its neighbour, and has nothing but the wire.

A vendor's own pytest does the same with one fixture::

    class TestMine(PeerSuite):
        @pytest.fixture
        def make(self, running_node):
            return Seat(number=0, subject=1, name="n1", call=("127.0.0.1", 52242), ...)

Nodes without a laboratory are enough: no pair is made here.
"""

from __future__ import annotations

import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from qstack.conformance.marks import Unsupported, requirement
from qstack.conformance.peer_scene import play
from qstack.conformance.peer_talk import Peer
from qstack.conformance.peer_trouble import ChannelTests, TroubleTests
from qstack.conformance.peer_wire import Seat, context_of
from qstack.core.errors import WireError
from qstack.services.reasons import Reason
from qstack.wire.codec import decode, encode
from qstack.wire.link import UNASSIGNED, Add, AddAck, AddRej
from qstack.wire.network import Complete, Keepalive, Track
from qstack.wire.signalling import Reject, SetupReq, SetupRsp, Teardown


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


class MeetingTests:
    """Who is there, and who it is."""

    @requirement("QS-CL-330")
    def test_both_sides_introduce_themselves_alike(self, make: Seat) -> None:
        """On the connection that the judge opens, and on the one that the node opens."""

        async def scene(there: Peer) -> None:
            await there.meet()
            await there.set_up()  # what it says of that needs its own connection
            said = {(one.node, one.incarnation) for one in there.theirs}
            if {node for node, _ in said} != {make.subject}:
                raise there.fail(f"node {make.subject} introduces itself as {[node for node, _ in said]}")
            if len(said) != 1:
                raise there.fail(f"the same start on both connections, not {sorted(start for _, start in said)}")

        play(make, scene)

    @requirement("QS-CL-331")
    def test_every_question_whether_it_lives_is_answered(self, make: Seat) -> None:
        """Three of them, at once."""

        async def scene(there: Peer) -> None:
            line = await there.meet()
            there.answers = False
            there.write(3 * encode(Keepalive(make.number, make.start)))
            for number in range(3):
                try:
                    said = decode(await line.next(make.patience))
                except (TimeoutError, WireError):
                    said = None
                if not isinstance(said, Keepalive):
                    raise there.fail(f"of 3 KEEPALIVEs {number} are answered")

        play(make, scene)

    @requirement("QS-CL-332")
    def test_a_number_that_is_not_that_of_the_certificate_is_turned_away(self, make: Seat) -> None:
        """That of the judged node itself, and one that nobody has."""

        async def scene(there: Peer) -> None:
            for number in (make.subject, 1 << 20):
                _, answer = await there.introduce(node=number)
                if answer is not None:
                    raise there.fail(f"no answer to somebody with the certificate of {make.number} who says {number}")

        play(make, scene)

    @requirement("QS-CL-333")
    def test_an_older_start_is_turned_away(self, make: Seat) -> None:
        """One before the newest that was seen."""

        async def scene(there: Peer) -> None:
            make.start += 1
            await there.meet()
            _, answer = await there.introduce(start=make.start - 1)
            if answer is not None:
                raise there.fail(f"no answer to start {make.start - 1} after {make.start}")

        play(make, scene)

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

        play(make, scene)


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
                answers = await there.told((AddAck, AddRej), time)
            if answers != 3 * answers[:1]:
                raise there.fail("the same answer every time")

        play(make, scene)

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

        play(make, scene)

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

        play(make, scene)

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

        play(make, scene)

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

        play(make, scene)


async def _accepted(there: Peer, asked: SetupReq) -> None:
    if not isinstance(await there.set_up(asked), SetupRsp):
        raise Unsupported("circuits that end at it")


class PeerSuite(MeetingTests, TroubleTests, ChannelTests, TalkTests):
    """Everything that a node is held to by a neighbour that has nothing but the wire."""

    profile = "node"
