"""``qstack wire``: every message can be read byte by byte, as an example, from bytes, and as a run has sent it."""

from __future__ import annotations

import pytest

from qstack.cli import invoke
from qstack.wire import decode, encode, hexdump
from qstack.wire.codec import LAYOUTS
from qstack.wire.network import Track
from qstack.wire.signalling import Teardown

OWN = [cls for cls in LAYOUTS if cls.__module__.startswith("qstack.wire")]


def said(capsys, *words, code=0):
    assert invoke(["wire", *words]) == code
    told = capsys.readouterr()
    return told.err if code else told.out


def test_all_messages_are_listed(capsys):
    lines = said(capsys).splitlines()
    assert {line.split()[-5 if line.endswith("lists") else -4] for line in lines} >= {"Track", "Add", "LinkOkKeep"}
    assert len(lines) == len(LAYOUTS)


@pytest.mark.parametrize("cls", OWN, ids=lambda cls: cls.__name__)
def test_every_message_has_an_example(cls, capsys):
    layout = LAYOUTS[cls]
    first, title, *rows = said(capsys, cls.__name__).splitlines()
    data = bytes.fromhex(first)
    assert title == f"{layout.title}, {len(data)} bytes"
    text = "\n".join(rows)
    assert "wrong" not in text
    for place in layout.places:
        entry = place.entry
        assert f" {getattr(entry, 'title', None) or getattr(entry, 'name', None) or '('}" in text
    if layout.plane is not None:
        assert type(decode(data)) is cls


def test_a_title_that_two_planes_use_shows_both(capsys):
    assert said(capsys, "expire").count("EXPIRE, 20 bytes") == 2


def test_bytes_are_cut_into_messages(capsys):
    first, second = encode(Teardown(9, 16)), encode(Track(9, 1, 7, 8, 2, 1, 57015), 5)
    told = said(capsys, first.hex(), second.hex()[:20], second.hex()[20:], "12")
    assert told.split("\n\n")[:2] == [hexdump(first), hexdump(second)]
    assert "no message, 1 bytes" in told
    assert "wrong: a message has at least 8 bytes" in told


def test_bytes_without_header_are_read_by_name(capsys):
    """OK_K with the Bell index in the bits that the draft leaves unused."""
    told = said(capsys, "OK_K", "2002a5e003e8123400000001deb7012c")
    rows = [" ".join(line.split()) for line in told.splitlines()]
    assert rows[0] == "OK_K, 16 bytes"
    assert "3 1-3 e0 BV, BELL 2 Psi+" in rows


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["Trak"], "'Trak' is no message, and no bytes in hexadecimal.  Did you mean 'Track'?"),
        (["12x4"], "'12x4' is not bytes in hexadecimal"),
        (["1"], "'1' is not bytes in hexadecimal"),
    ],
)
def test_what_is_none_is_told_with_the_nearest_spelling(words, why, capsys):
    assert why in said(capsys, *words, code=2)


def test_the_messages_of_a_run(tmp_path, capsys):
    scenario = tmp_path / "two.yaml"
    scenario.write_text(
        "name: two\nnetwork: {chain: {segments: 1, length: 10 km}, hardware: {all: textbook}}\n"
        "flows: [{name: pairs, from: n0, to: n1, number: 3}]\nrun: {until: 5 s}\n"
    )
    trace = tmp_path / "trace.jsonl"
    assert invoke(["run", str(scenario), "--quiet", "--trace", str(trace)]) == 0
    capsys.readouterr()
    everything = said(capsys, "--trace", str(trace))
    assert "n0 to node 1" in everything
    assert "wrong" not in everything
    adds = said(capsys, "--trace", str(trace), "Add", "AddAck").split("\n\n")
    assert [dump.splitlines()[1].split(",")[0] for dump in adds] == ["DQP_ADD", "DQP_ACK"]
    head = adds[0].splitlines()[0]
    assert adds[0].partition("\n")[2] == hexdump(bytes.fromhex(head.split()[-1])), "the line above holds the bytes"
    assert "holds no such message" in said(capsys, "--trace", str(trace), "Hello", code=2)


def test_bytes_may_begin_with_a_letter(capsys):
    assert said(capsys, "deadbeef").startswith("no message, 4 bytes")
    assert "is no message, and no bytes" in said(capsys, "deadbeet", code=2)
