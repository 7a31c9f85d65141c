"""A stream of bytes is cut into messages, however it arrives."""

import pytest

from qstack.core.errors import WireError
from qstack.wire import Stream, decode, encode
from qstack.wire.link import Hello
from qstack.wire.network import Track
from qstack.wire.signalling import SetupReq

MESSAGES = [Hello(), Track(9, 1, 7, 8, 2, 1, 5), SetupReq(9, 3, (1, 2), (0.8,), 6, 5), Hello()]
DATA = b"".join(map(encode, MESSAGES))


@pytest.mark.requirement("QS-WI-016")
@pytest.mark.parametrize("size", [1, 3, 8, 40, len(DATA)])
def test_any_chunks(size):
    stream = Stream()
    found = [m for i in range(0, len(DATA), size) for m in stream.feed(DATA[i : i + size])]
    assert [decode(data) for data in found] == MESSAGES
    assert stream.pending == 0


def test_cut_off_message_is_noticed():
    stream = Stream()
    assert list(stream.feed(DATA[:12])) == [DATA[:8]]
    assert stream.pending == 4


@pytest.mark.requirement("QS-WI-017")
def test_what_is_no_header_ends_the_stream():
    stream = Stream()
    feed = stream.feed(DATA[:8] + b"GET / HTTP/1.1")
    assert next(feed) == DATA[:8]
    with pytest.raises(WireError, match="version is 4, not 1"):
        next(feed)


@pytest.mark.requirement("QS-WI-017")
def test_length_that_would_stand_still_is_refused():
    with pytest.raises(WireError, match="a length of 7 is shorter than the header"):
        list(Stream().feed(bytes.fromhex("1104000200070000")))


@pytest.mark.requirement("QS-WI-018")
def test_only_one_message_is_kept():
    stream = Stream()
    for _ in range(100):
        list(stream.feed(DATA))
    assert stream.pending == 0
