"""Each way in which bytes can be wrong has its own sentence and offset."""

from dataclasses import replace
from zlib import crc32

import pytest

from qstack.core.errors import WireError
from qstack.core.nouns import Message
from qstack.services.reasons import Reason
from qstack.wire import ACK_WANTED, CHECKED, decode, decode_as, encode, header
from qstack.wire.codec import AUTHENTICATED
from qstack.wire.kinds import DRAFT_TIME, REASONS
from qstack.wire.link import UNASSIGNED, Add, AddAck, AddRej, Hello
from qstack.wire.network import Expire, Forward, Track
from qstack.wire.physical import Reply
from qstack.wire.service import LinkAck, LinkCreate, LinkOkKeep, decode_service
from qstack.wire.signalling import Reject, SetupReq, SetupRsp, Teardown

TRACK = Track(circuit=9, origin=1, origin_pair=7, link_pair=8, bell=2, epoch=1, estimate=57015)
SETUP = SetupReq(circuit=9, session=3, path=(1, 2, 4), fidelities=(0.8, 1.0), label=6, cutoff=5)
ADD = Add(
    cseq=1,
    aid=UNASSIGNED,
    purpose=2,
    create_id=3,
    number=4,
    min_fidelity=0.5,
    priority=7,
    keep=False,
    bases=(0, 1, 2),
    start=5,
    deadline=0,
)


def changed(data, offset, value):
    return data[:offset] + bytes([value]) + data[offset + 1 :]


def wrong(data):
    with pytest.raises(WireError) as caught:
        decode(data)
    return str(caught.value), caught.value.offset


class TestHeader:
    data = encode(TRACK)

    @pytest.mark.parametrize("size", range(8))
    def test_too_short(self, size):
        assert wrong(self.data[:size]) == (
            f"a message has at least 8 bytes, here are {size} (at byte {size})",
            size,
        )

    @pytest.mark.requirement("QS-WI-004")
    def test_version(self):
        assert wrong(changed(self.data, 0, 0x32)) == ("HEADER: version is 3, not 1 (at byte 0)", 0)

    def test_plane_without_name(self):
        text, offset = wrong(changed(self.data, 0, 0x1C))
        assert text.startswith("HEADER.plane: 12 is no plane; known are 0 physical, 1 link")
        assert offset == 0

    def test_plane_without_messages(self):
        assert wrong(changed(self.data, 0, 0x17))[0] == "plane 7 has no type 3; known are [] (at byte 1)"

    @pytest.mark.requirement("QS-WI-004")
    def test_type(self):
        text = "plane 2 has no type 99; known are [1, 2, 3, 4, 5, 6] (at byte 1)"
        assert wrong(changed(self.data, 1, 99)) == (text, 1)

    @pytest.mark.requirement("QS-WI-004")
    def test_reserved_flags(self):
        assert wrong(changed(self.data, 2, 0x04)) == ("flags 0x04 are reserved and must be 0 (at byte 2)", 2)

    @pytest.mark.requirement("QS-WI-007")
    def test_authentication(self):
        text = "an authentication trailer cannot be checked without a key (at byte 2)"
        assert wrong(changed(self.data, 2, AUTHENTICATED)) == (text, 2)

    @pytest.mark.requirement("QS-WI-005")
    def test_header_words(self):
        assert wrong(changed(self.data, 3, 8)) == ("TRACK has 9 header words, not 8 (at byte 3)", 3)

    @pytest.mark.requirement("QS-WI-005")
    def test_length_below_the_fixed_part(self):
        assert wrong(changed(self.data, 5, 35)) == ("a length of 35 does not fit TRACK with flags 0x00 (at byte 4)", 4)

    def test_length_beyond_the_fixed_part_without_lists(self):
        data = changed(self.data, 5, 40) + bytes(4)
        assert wrong(data) == ("a length of 40 does not fit TRACK with flags 0x00 (at byte 4)", 4)

    @pytest.mark.requirement("QS-WI-005")
    def test_truncated(self):
        text = "truncated: 36 bytes are announced, here are 35 (at byte 35)"
        assert wrong(self.data[:-1]) == (text, 35)

    @pytest.mark.requirement("QS-WI-005")
    def test_over_long(self):
        text = "over-long: 36 bytes are announced, here are 37 (at byte 36)"
        assert wrong(self.data + b"\0") == (text, 36)

    def test_sequence_counts_modulo_65536(self):
        data = encode(TRACK, sequence=65536 + 5, flags=ACK_WANTED)
        assert (header(data).sequence, header(data).flags) == (5, ACK_WANTED)
        assert decode(data) == TRACK
        assert header(encode(TRACK, sequence=65536 + 6)).sequence == 6


class TestChecksum:
    data = encode(TRACK, flags=CHECKED)

    @pytest.mark.requirement("QS-WI-008")
    def test_is_that_of_zlib(self):
        assert self.data[-4:] == crc32(self.data[:-4]).to_bytes(4, "big")
        assert decode(self.data) == TRACK

    @pytest.mark.requirement("QS-WI-008")
    @pytest.mark.parametrize("bit", range(32))
    def test_one_wrong_bit_is_found(self, bit):
        data = changed(self.data, 8 + bit, self.data[8 + bit] ^ 1)
        text, offset = wrong(data)
        assert text.startswith("the checksum should be ")
        assert offset == 36


class TestContent:
    @pytest.mark.requirement("QS-WI-006")
    def test_reserved_bits(self):
        data = encode(TRACK)
        assert wrong(changed(data, 31, 1)) == ("TRACK: reserved bits must be 0, not 0x1 (at byte 30)", 30)

    @pytest.mark.requirement("QS-WI-015")
    def test_unknown_reason(self):
        text, offset = wrong(changed(encode(Expire(9, 1, 7, 16)), 18, 99))
        assert text.startswith("EXPIRE.reason: 99 is no reason; known are 0 NONE, 1 UNSUPP")
        assert offset == 18

    @pytest.mark.requirement("QS-WI-015")
    def test_unknown_error_of_the_midpoint(self):
        data = encode(Reply(3, 11, 0, 1, 2, 3, 4))
        assert wrong(changed(data, 8, 0x3C))[0].startswith("REPLY.error: 12 is no error of the midpoint")

    def test_unknown_kind_of_request(self):
        assert wrong(changed(encode(Forward(9, 1)), 24, 0x40))[0].startswith("FORWARD.kind: 4 is no kind of request")

    @pytest.mark.parametrize("flags", [0x00, 0x09])
    def test_stored_and_measured(self, flags):
        text, offset = wrong(changed(encode(ADD), 10, 0xF0 | flags))
        assert text.startswith("DQP_ADD.keep: a request is either stored (STR) or measured directly (MD)")
        assert offset == 10

    @pytest.mark.requirement("QS-WI-013")
    def test_queue_15_is_not_used(self):
        assert wrong(changed(encode(ADD), 11, 17))[0].startswith("DQP_ADD.aid: queue 15 holds nothing but 255")

    @pytest.mark.parametrize(
        ("word", "sentence"),
        [
            (9 << 24, "9 bases, but at most 8 have room"),
            (1 << 24 | 1, "places behind the 1 bases must be 0"),
            (1 << 24 | 7 << 21, "7 is no basis"),
        ],
    )
    def test_bases(self, word, sentence):
        data = encode(ADD)
        data = data[:36] + (3 << 29 | word << 1).to_bytes(4, "big") + data[40:]
        assert wrong(data) == (f"DQP_ADD.bases: {sentence} (at byte 36)", 36)


class TestLists:
    data = encode(SETUP)  # fixed part 28, path at 28: 4 + 12, fidelities at 44: 4 + 4

    def test_layout(self):
        assert self.data[28:].hex() == "8002000c000000010000000200000004" + "80030004ccccffff"

    def test_any_order(self):
        assert decode(self.data[:28] + self.data[44:] + self.data[28:44]) == SETUP

    @pytest.mark.requirement("QS-WI-010")
    def test_missing(self):
        data = changed(self.data[:44], 5, 44)
        assert wrong(data) == ("SETUP_REQ lacks its fidelities (at byte 44)", 44)
        assert wrong(changed(changed(self.data[:28], 5, 28), 2, 0))[0].startswith("SETUP_REQ lacks its path")

    @pytest.mark.requirement("QS-WI-010")
    def test_twice(self):
        data = changed(self.data + self.data[44:], 5, 60)
        assert wrong(data) == ("TLV 0x8003 stands twice (at byte 52)", 52)

    def test_too_few_bytes(self):
        data = changed(self.data + b"\x80\x05\0", 5, 55)
        assert wrong(data) == ("3 bytes are too few for a TLV (at byte 52)", 52)

    @pytest.mark.requirement("QS-WI-010")
    def test_beyond_the_end(self):
        text = "TLV 0x8002 of 65292 bytes runs beyond the message (at byte 30)"
        assert wrong(changed(self.data, 30, 255)) == (text, 30)

    def test_no_whole_elements(self):
        text = "SETUP_REQ.path: 11 bytes are no multiple of 4 (at byte 30)"
        assert wrong(changed(changed(self.data, 31, 11), 43, 0)) == (text, 30)

    @pytest.mark.requirement("QS-WI-010")
    def test_filled_up_with_zeros(self):
        odd = encode(SetupReq(9, 3, (1,), (0.8,), 6, 5))
        assert decode(odd).fidelities == (0.8,)
        assert wrong(changed(odd, len(odd) - 1, 1))[0].startswith("TLV 0x8003 must be filled up with zeros")

    @pytest.mark.requirement("QS-WI-009")
    def test_unknown_may_be_ignored_or_not(self):
        more = changed(self.data + bytes.fromhex("0099000141000000"), 5, 60)
        assert decode(more) == SETUP
        assert wrong(changed(more, 52, 0x80)) == ("TLV 0x8099 must be understood and is not (at byte 52)", 52)

    def test_empty(self):
        message = SetupReq(9, 3, (), (), 6, 5)
        assert decode(encode(message)) == message

    def test_with_checksum(self):
        assert decode(encode(SETUP, flags=CHECKED)) == SETUP

    def test_too_long(self):
        with pytest.raises(WireError, match="would be 65568 bytes long; at most 65535 have room"):
            encode(SetupReq(9, 3, (1,) * 16383, (), 6, 5))
        with pytest.raises(WireError, match=r"SETUP_REQ.path"):
            encode(SetupReq(9, 3, (1,) * 16384, (), 6, 5))

    @pytest.mark.parametrize("path", [(1, -1), (1 << 32,), (1.5,), ("a",), None])
    def test_what_is_no_node(self, path):
        with pytest.raises(WireError, match=r"SETUP_REQ.path = ") as caught:
            encode(SetupReq(9, 3, path, (), 6, 5))
        assert caught.value.offset == 28


class TestEncode:
    @pytest.mark.requirement("QS-WI-012")
    @pytest.mark.parametrize(
        ("message", "sentence"),
        [
            (SetupRsp(1 << 32), r"SETUP_RSP.circuit = 4294967296: must be 0 to 4294967295 \(32 bits\) \(at byte 8\)"),
            (SetupRsp(-1), r"SETUP_RSP.circuit = -1: must be 0"),
            (SetupRsp(1.0), r"SETUP_RSP.circuit = 1.0: 'float' object cannot be interpreted as an integer"),
            (SetupRsp(None), r"SETUP_RSP.circuit = None"),
            (Teardown(1, 99), r"TEARDOWN.reason = 99: 99 is no reason; known are 0 NONE"),
            (Teardown(1, []), r"TEARDOWN.reason = \[\]"),
            (Forward(1, 2, epoch=1 << 24), r"FORWARD.epoch = 16777216: must be 0 to 16777215 \(24 bits\)"),
            (Forward(1, 2, epoch="a"), r"FORWARD.epoch = 'a'"),
            (Forward(1, 2, min_fidelity=1.5), r"FORWARD.min_fidelity = 1.5: a fidelity is 0 to 1"),
            (Forward(1, 2, min_fidelity=float("nan")), r"FORWARD.min_fidelity = nan: a fidelity is 0 to 1"),
            (AddAck(1, 3840), r"DQP_ACK.aid = 3840: a queue id is 0 to 3839"),
            (LinkCreate(1, 0.5, 1, 2, 3), r"CREATE.max_time = 1: a maximum time is 0 \(for ever\), or 1 us"),
            (LinkCreate(1, 0.5, 16384 * 10**12, 2, 3), r"CREATE.max_time = "),
        ],
    )
    def test_what_cannot_be_represented(self, message, sentence):
        with pytest.raises(WireError, match=sentence):
            encode(message)

    def test_too_many_bases(self):
        with pytest.raises(WireError, match="at most 8 bases have room"):
            encode(replace(ADD, bases=(0,) * 9))

    def test_noun_without_layout(self):
        with pytest.raises(WireError, match="Message has no layout"):
            encode(Message())

    def test_flags_that_are_not_the_callers(self):
        with pytest.raises(WireError, match="TRACK cannot carry flags 0x80"):
            encode(TRACK, flags=AUTHENTICATED)
        with pytest.raises(WireError, match="ACK cannot carry flags 0x40"):
            encode(LinkAck(1), flags=CHECKED)

    def test_numbers_of_other_libraries_do_not_overflow(self):
        numpy = pytest.importorskip("numpy")
        odd = Track(*(numpy.int64(v) for v in (9, 1, 7, 8, 2, 1, 57015)))
        assert encode(odd) == encode(TRACK)


class TestMeaning:
    @pytest.mark.requirement("QS-WI-011")
    def test_minimum_is_never_understated(self):
        assert decode(encode(Forward(1, 2, min_fidelity=0.87))).min_fidelity == 0xDEB8 / 65535

    @pytest.mark.requirement("QS-WI-011")
    def test_goodness_is_never_overstated(self):
        ok = decode_as(LinkOkKeep, b"\x20" + bytes(15))
        assert decode_service(encode(replace(ok, goodness=0.87)), up=True).goodness == 0xDEB7 / 65535

    def test_next_available_is_rounded_up_to_nanoseconds(self):
        assert decode(encode(Reject(1, 2, 8, next_available=1001))).next_available == 2000

    @pytest.mark.requirement("QS-L3-012")
    def test_epoch_has_the_same_width_everywhere(self):
        epoch = (1 << 24) - 1
        forward = encode(Forward(1, 2, epoch=epoch))
        assert (forward[25], forward[30:32]) == (0xFF, b"\xff\xff")
        assert encode(Track(1, 2, 3, 4, 0, epoch, 6))[32:] == b"\0\xff\xff\xff"

    @pytest.mark.requirement("QS-WI-013")
    def test_unassigned_is_a_queue_that_nobody_has(self):
        assert encode(ADD)[10] >> 4 == 15
        assert encode(ADD)[11] == 255
        assert decode(encode(AddRej(1, 3))).aid == UNASSIGNED
        assert decode(encode(AddAck(1, 255))).aid == 255

    @pytest.mark.requirement("QS-WI-014")
    @pytest.mark.parametrize(
        ("time", "raw"),
        [
            (0, 0),
            (10**6, 1),
            (16384 * 10**6, 1 << 14 | 16),  # 16.384 ms: no room in us, rounded down
            (500 * 10**9, 1 << 14 | 500),
            (5 * 10**12, 2 << 14 | 5),
            (1_500_001, 1),
            (16383 * 10**12, 2 << 14 | 16383),
        ],
    )
    def test_maximum_time_of_the_draft(self, time, raw):
        assert DRAFT_TIME.encode(time) == raw
        assert DRAFT_TIME.decode(raw) <= time

    @pytest.mark.requirement("QS-L2-025")
    def test_bits_that_the_draft_leaves_unused_are_ignored(self):
        data = encode(LinkAck(42))
        assert decode_service(changed(data, 3, 0xFF), up=True) == LinkAck(42)

    @pytest.mark.requirement("QS-CV-014")
    def test_reasons_are_those_of_the_services(self):
        assert {reason.value: reason.name for reason in Reason} == REASONS

    def test_hello_is_its_header(self):
        assert encode(Hello()).hex() == "1104000200080000"


class TestService:
    @pytest.mark.parametrize(
        ("data", "up", "sentence"),
        [
            (b"", True, "at least 4 bytes, here are none"),
            (b"\x70\0\0\0", True, "no service message up has type 7"),
            (b"\x10\0\0", True, "ACK has 4 bytes, here are 3"),
            (bytes(8), False, "no service message down has type 0"),
            (bytes(7), False, "CREATE has 24 bytes, here are 7"),
            (b"", False, "CREATE has 24 bytes, here are 0"),
        ],
    )
    def test_refused(self, data, up, sentence):
        with pytest.raises(WireError, match=sentence):
            decode_service(data, up=up)

    def test_type_is_part_of_the_layout(self):
        with pytest.raises(WireError, match="ACK: type is 2, not 1"):
            decode_as(LinkAck, b"\x20\0\0\0")
