"""Streams of messages over TLS: cutting them, opening them, and saying in words why they failed."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from typing import Any

from qstack.core.errors import HostError, WireError
from qstack.wire.channel import Stream

Address = tuple[str, int]


async def messages(reader: asyncio.StreamReader, stream: Stream, silence: float | None = None) -> AsyncIterator[bytes]:
    """Yield messages, undecoded, until the stream ends.

    Raises
    ------
    TimeoutError
        If no whole message comes for a time [s]: one byte now and then does not keep a connection.
    WireError
        If bytes are no message, or the stream ends within one.
    """
    now = asyncio.get_running_loop().time
    for data in stream.feed(b""):
        yield data
    whole = now()
    while True:
        async with asyncio.timeout_at(None if silence is None else whole + silence):
            chunk = await reader.read(1 << 14)
        if not chunk:
            break
        for data in stream.feed(chunk):
            yield data
            whole = now()
    if stream.pending:
        raise WireError(f"the stream ends {stream.pending} bytes into a message")


def bind(address: Address, who: str) -> socket.socket:
    """Return a listening socket.

    Raises
    ------
    HostError
        If the address cannot be used.
    """
    listening = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(64)
        listening.setblocking(False)  # noqa: FBT003 - its only parameter has no name
    except (OSError, OverflowError) as error:
        listening.close()
        busy = getattr(error, "errno", None) == errno.EADDRINUSE
        why = "another process listens there already" if busy else reason(error)
        raise HostError(f"{who} cannot listen at {text(address)}: {why}.") from error
    return listening


async def secured(
    taken: socket.socket, context: ssl.SSLContext, patience: float
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return the streams of an accepted socket after its TLS handshake, which may fail here."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=1 << 16)
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await loop.connect_accepted_socket(
        lambda: protocol, taken, ssl=context, ssl_handshake_timeout=patience
    )
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


PHRASES: Mapping[str, str] = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it shows no certificate",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it wants to see a certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "it does not trust the authority of this certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "it finds this certificate expired",
    "HTTP_REQUEST": "it does not speak TLS",
    "WRONG_VERSION_NUMBER": "it does not speak TLS",
}


def reason(error: BaseException) -> str:
    """Say in words what went wrong on a connection."""
    if isinstance(error, TimeoutError):
        return "nothing came for too long"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return PHRASES.get(error.reason or "", f"TLS: {error.reason or error}")
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there"
    if isinstance(error, OSError):
        return (error.strerror or str(error) or type(error).__name__).lower()
    return str(error)


def text(address: Any) -> str:  # an address of any family
    """Write an address for people."""
    return f"{address[0]}:{address[1]}"
