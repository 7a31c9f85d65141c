"""Bytes: how fast a TRACK is encoded and decoded again."""

from __future__ import annotations

from time import process_time

from qstack.wire import decode, encode
from qstack.wire.network import Track


def track(number: int = 50_000) -> float:
    """Return round trips per CPU-second."""
    message = Track(1 << 16, 3, 17, 18, 2, 5, 60_000)
    begin = process_time()
    for _ in range(number):
        again = decode(encode(message))
    seconds = process_time() - begin
    assert again == message
    return number / seconds
