"""The judge's end of a connection to a node, and where the judge sits."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from qstack.hosts.streams import Address
from qstack.integration.tls import client_context, server_context
from qstack.wire.channel import Stream


@dataclass(slots=True)
class Seat:
    """Where the judge sits: whose neighbour it is, and how it is reached.

    Parameters
    ----------
    number, subject
        Of the node that the judge plays, and of the one that is judged.
    name
        Of the judged node: the common name of its certificate.
    call, listen
        Where the judged node listens, and where it calls the one that the judge plays.
    certificate, key, authority
        PEM files of the node that the judge plays.
    reliable
        Whether messages ride on datagrams of a reliable channel, as the scenario orders channels or faults; otherwise
        they follow each other in the stream.
    start
        Which start of its node the judge introduces itself with; never smaller than one that the judged node has seen.
    patience
        Longest time for one answer [s].
    silence
        Longest time until a neighbour that says nothing has to be noticed [s].
    """

    number: int
    subject: int
    name: str
    call: Address
    listen: Address
    certificate: Path
    key: Path
    authority: Path
    reliable: bool
    start: int
    patience: float = 5.0
    silence: float = 15.0


def context_of(seat: Seat, *, listens: bool, certificate: bool = True) -> ssl.SSLContext:
    """Return the TLS context of a side of the judge; without a certificate it shows none."""
    if listens:
        return _listening(seat.certificate, seat.key, seat.authority)
    return _calling(*((seat.certificate, seat.key) if certificate else (None, None)), seat.authority)


@cache
def _listening(certificate: Path, key: Path, authority: Path) -> ssl.SSLContext:
    return server_context(certificate, key, authority)


@cache
def _calling(certificate: Path | None, key: Path | None, authority: Path) -> ssl.SSLContext:
    found = client_context(certificate, key, authority)
    found.check_hostname = False  # nodes are known by the common name of their certificates
    return found


class Wire:
    """One connection, from either side."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.stream = Stream()
        self.ready: list[bytes] = []

    async def next(self, patience: float) -> bytes:
        """Return the next message, undecoded; nothing if the connection has ended.

        Raises
        ------
        TimeoutError
            If none comes in time [s].
        WireError
            If what comes is none.
        """
        async with asyncio.timeout(patience):
            while not self.ready:
                try:
                    chunk = await self.reader.read(1 << 14)
                except OSError:
                    chunk = b""
                if not chunk:
                    return b""
                self.ready.extend(self.stream.feed(chunk))
        return self.ready.pop(0)

    async def ends(self, patience: float) -> bool:
        """Read until the connection ends; tell whether it does in time [s]."""
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                with suppress(OSError):
                    while await self.reader.read(1 << 16):
                        pass
                return True
        return False

    def close(self) -> None:
        """End it."""
        self.writer.transport.abort()
