"""Annotated dumps and the document."""

from pathlib import Path

import pytest

from qstack.wire import CHECKED, encode, hexdump
from qstack.wire.codec import LAYOUTS
from qstack.wire.document import CHAPTERS, describe
from qstack.wire.link import Add
from qstack.wire.network import Track
from qstack.wire.service import LinkOkKeep
from qstack.wire.signalling import SetupReq

DOCUMENT = Path(__file__).parents[3] / "docs" / "wire.md"


OK = bytes.fromhex("2002a5e003e8123400000001deb7012c")


def body(text, skip=8):
    return [" ".join(line.split()) for line in text.splitlines()[skip:]]


def test_track_line_by_line():
    text = hexdump(encode(Track(9, 1, 7, 8, 2, 1, 57015), sequence=258))
    assert text.splitlines()[0] == "TRACK, 36 bytes"
    assert body(text, 7) == [
        "6 0102 sequence 258",
        "8 00000009 circuit 9",
        "12 00000000 request 0",
        "16 00000001 origin node 1",
        "20 0007 origin_pair pair 7",
        "22 deb7 estimate 0.869993 (57015/65535)",
        "24 00000000 link_node node 0",
        "28 0008 link_pair pair 8",
        "30 0-1 80 bell 2 Psi+",
        "30 2-2 80 test 0",
        "30 3-15 8000 (reserved) 0",
        "32 00 member 0",
        "33 000001 epoch 1",
    ]


def test_lists_and_checksum():
    text = hexdump(encode(SetupReq(9, 3, (1, 2), (0.8,), 6, 5), flags=CHECKED))
    assert body(text, 14)[:-1] == [
        "28 8002 path type 0x8002",
        "30 0008 path length 8",
        "32 00000001 path[0] node 1",
        "36 00000002 path[1] node 2",
        "40 8003 fidelities type 0x8003",
        "42 0002 fidelities length 2",
        "44 cccc fidelities[0] 0.800000 (52428/65535)",
    ]
    assert body(text)[-1].endswith("checksum CRC-32")


def test_parts_of_an_attribute_stand_for_themselves():
    text = hexdump(encode(Add(5, 17, 2, 3, 4, 0.8, 3, keep=True, bases=(0, 1), start=200, deadline=0)))
    assert "10 0-3 08 qid 0" in body(text)
    assert "10 4-4 08 STR 1" in body(text)
    assert "11 11 qseq 17" in body(text)
    assert "36 3-30 64080000 bases 2: Z X" in body(text)


def test_bytes_without_header_need_their_type():
    text = hexdump(OK, LinkOkKeep)
    assert body(text, 1)[0] == "0 0-3 20 type 2"
    assert "3 1-3 e0 BV, BELL 2 Psi+" in body(text, 1)


def test_what_is_no_message_is_dumped_with_the_reason():
    assert hexdump(b"") == "no message, 0 bytes\n  wrong: a message has at least 8 bytes, here are 0 (at byte 0)"
    text = hexdump(bytes.fromhex("1263000900240000ffffffff"))
    assert body(text, 3)[0] == "1 63 type 99"
    assert body(text)[-2:] == [
        "8 ffffffff ?",
        "wrong: plane 2 has no type 99; known are [1, 2, 3, 4, 5, 6] (at byte 1)",
    ]


def test_wrong_content_is_dumped_with_the_reason():
    data = bytearray(encode(Track(9, 1, 7, 8, 2, 1, 57015)))
    data[31] = 3
    assert body(hexdump(bytes(data)))[-3:] == [
        "32 00 member 0",
        "33 000001 epoch 1",
        "wrong: TRACK: reserved bits must be 0, not 0x3 (at byte 30)",
    ]


def test_truncated_bytes_without_header():
    text = hexdump(OK[:7], LinkOkKeep)
    assert body(text, 1)[-2:] == ["4 03e8 sequence pair 1000", "wrong: OK_K has 16 bytes, here are 7 (at byte 7)"]


@pytest.mark.requirement("QS-WI-020")
def test_document_is_up_to_date():
    assert DOCUMENT.read_text(encoding="utf-8") == describe(), (
        'write it anew: python -c "from qstack.wire.document import describe; '
        "open('docs/wire.md', 'w', encoding='utf-8').write(describe())\""
    )


@pytest.mark.requirement("QS-WI-020")
def test_document_has_every_message():
    text = describe()
    for cls, layout in LAYOUTS.items():
        if cls.__module__.startswith("qstack.wire.") or cls.__name__ == "Header":
            assert f"### {layout.title} (`{cls.__name__}`)" in text


def test_document_has_a_meaning_for_every_attribute():
    rows = [line.split(" | ") for line in describe().splitlines() if " | `" in line]
    assert len(rows) > 150
    assert [row for row in rows if not row[-1].strip(" |")] == []


def test_every_chapter_is_a_module_with_messages():
    modules = {cls.__module__.rpartition(".")[2] for cls in LAYOUTS if cls.__module__.startswith("qstack.wire.")}
    assert modules == {*CHAPTERS, "codec"}
