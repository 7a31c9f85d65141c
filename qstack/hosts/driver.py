"""The driver that speaks the laboratory's protocol over TLS, and the watch over what any driver tells.

A device that dies ends its connection; one that hangs lets a question unanswered (``{"alive": n}`` every `ASK` seconds, to
be answered with the same line); one that speaks nonsense sends a line that is no noun.  All three end the node with a
sentence.  One that lies tells what cannot be: `Watch` knows what was asked for, and drops and counts such a line.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from typing import Any

from qstack.core.errors import HostError, RemoteProtocolError, WireError
from qstack.core.nouns import Noun
from qstack.hosts.laboratory import PROTOCOL, lines
from qstack.hosts.plain import INDICATIONS, REQUESTS, line, noun_of, object_of
from qstack.hosts.streams import Address, reason, text
from qstack.integration.tls import client_context, common_name
from qstack.plugin.drivers import DriverSite, Refused
from qstack.services import device

RETRY = 0.2
"""Time between two tries to reach a device that does not listen yet [s]."""
ASK = 0.2
"""Time between two questions whether the device lives, in units of the patience with it."""
WAITING = 1 << 20
"""Bytes that may wait for a device that does not read [byte]."""
HANDSHAKE = 5.0
"""Time for TLS and greeting [s]."""


class SocketDriver:
    """A device, or a laboratory, behind a socket.

    Parameters
    ----------
    site
        Which node.
    name
        Common name of the device's certificate.
    address
        Where it listens.
    """

    def __init__(self, site: DriverSite, name: str, address: Address) -> None:
        self.site = site
        self.name = name
        self.address = address
        self.who = f"the {name} at {text(address)}"
        self.context = client_context(site.certificate, site.key, site.authority)
        self.context.check_hostname = False  # known by its name, not by that of its host
        self.writer: asyncio.StreamWriter | None = None
        self.reader: asyncio.StreamReader | None = None
        self.asked = self.answered = 0

    async def open(self) -> tuple[int, float]:
        """Connect, and take the time from the greeting.

        Raises
        ------
        HostError
            If nobody listens, or it is somebody else, or it speaks another protocol.
        """
        deadline = time.monotonic() + 4 * self.site.patience
        while True:
            try:
                return await self._greet(self.context)
            except ConnectionRefusedError as error:
                if time.monotonic() > deadline:
                    raise HostError(f"{self.who}: {reason(error)}") from error
                await asyncio.sleep(RETRY)
            except (OSError, TimeoutError, WireError, RemoteProtocolError) as error:
                raise HostError(f"{self.who}: {reason(error)}") from error

    async def _greet(self, context: ssl.SSLContext) -> tuple[int, float]:
        async with asyncio.timeout(HANDSHAKE):
            self.reader, self.writer = await asyncio.open_connection(*self.address, ssl=context, server_hostname="")
            shown = common_name(self.writer.get_extra_info("peercert") or {})
            if shown != self.name:
                raise RemoteProtocolError(f"the certificate is that of {shown!r}, not of {self.name!r}")
            data = await lines(self.reader)
        if not data:
            raise RemoteProtocolError("it refuses this node, and its own log says why")
        greeting = object_of(data)
        if greeting.get("laboratory") != PROTOCOL or greeting.get("node") != self.site.number:
            raise RemoteProtocolError(f"it greets node {self.site.number} with {greeting}")
        try:
            origin, slow = int(greeting["origin_ns"]), float(greeting["slow"])
        except (LookupError, TypeError, ValueError) as error:
            raise RemoteProtocolError(f"it does not tell the time: {greeting}") from error
        if not 0 < slow < float("inf"):
            raise RemoteProtocolError(f"its time runs {slow} times slower than the wall")
        return origin, slow

    def ask(self, request: Noun) -> None:
        """Send a request."""
        assert self.writer is not None
        if not self.writer.transport.is_closing():  # its end is told by `told`, in its turn
            self.writer.write(line(request))

    async def told(self) -> AsyncIterator[Noun | Refused]:
        """Yield what comes, and ask whether the device lives.

        Raises
        ------
        HostError
            If the device is gone, hangs, does not read or speaks nonsense.
        """
        loop = asyncio.get_running_loop()
        asking = loop.create_task(self._ask())
        why = "it closed the connection"
        try:
            while data := await self._next():
                if data.startswith(b'{"alive"'):
                    self.answered = max(self.answered, int(object_of(data)["alive"]))
                elif data.startswith(b'{"error"'):
                    yield _refused(object_of(data))
                else:
                    yield noun_of(data, INDICATIONS)
        except (OSError, WireError, HostError, TypeError, ValueError) as error:
            why = reason(error)
        finally:
            asking.cancel()
        raise HostError(f"{self.who} is gone: {why}")

    async def _next(self) -> bytes:
        """Return the next line; a device that owes an answer for too long, or does not read, is given up."""
        assert self.reader is not None
        assert self.writer is not None
        try:
            async with asyncio.timeout(self.site.patience):
                data = await lines(self.reader)
        except TimeoutError as error:
            raise HostError(f"it hangs: nothing came for {self.site.patience:g} s") from error
        if self.asked - self.answered > 2 / ASK:
            raise HostError("it hangs: it does not answer whether it lives")
        return data

    async def _ask(self) -> None:
        assert self.writer is not None
        while True:
            if self.writer.transport.get_write_buffer_size() > WAITING:
                self.writer.transport.abort()
                return
            self.asked += 1
            self.writer.write(json.dumps({"alive": self.asked}).encode() + b"\n")
            await asyncio.sleep(ASK * self.site.patience)

    def close(self) -> None:
        """End the connection."""
        if self.writer is not None:
            self.writer.transport.abort()


def _refused(content: Mapping[str, Any]) -> Refused:
    """Return what an error of the device says."""
    request = None
    with suppress(WireError):  # the device need not say which request it was
        request = noun_of(json.dumps(content.get("request")).encode(), REQUESTS)
    return Refused(str(content["error"]), request)


OWED: Mapping[type[Noun], tuple[type[Noun], Callable[[Any], object]]] = {
    device.Swap: (device.Swapped, lambda n: (n.left, n.right)),
    device.Measure: (device.Measured, lambda n: (n.qubit, n.purpose)),
    device.MeasureAlong: (device.Measured, lambda n: (n.qubit, n.purpose)),
    device.Probe: (device.Probed, lambda n: (n.qubit, n.basis)),
    device.Distil: (device.Distilled, lambda n: (n.keep, n.spare)),
    device.Prepare: (device.Prepared, lambda n: n.purpose),
    device.BellMeasure: (device.BellMeasured, lambda n: (n.data, n.half, n.purpose)),
    device.DrawBits: (device.Bits, lambda n: (n.purpose, n.number)),
}
"""Requests that are owed one answer: of which kind, and how both are recognised."""
KEYS = dict(OWED.values())
OUTCOMES: Mapping[type[Noun], int] = {
    device.Swapped: 4,
    device.BellMeasured: 4,
    device.Measured: 2,
    device.Probed: 2,
    device.Distilled: 2,
}
"""How many outcomes there are."""


class Watch:
    """Knows what a device was asked for, and finds out when it lies or forgets.

    Parameters
    ----------
    lanes
        Of the node, by neighbour.
    """

    def __init__(self, lanes: Mapping[int, int]) -> None:
        self.lanes = lanes
        self.owed: dict[tuple[type[Noun], object], list[float]] = {}

    def asked(self, request: Noun, now: float) -> None:
        """Take note of a request at a time [s]."""
        owes = OWED.get(type(request))
        if owes is not None:
            self.owed.setdefault((owes[0], owes[1](request)), []).append(now)

    def refused(self, request: Noun | None) -> None:
        """The device will not answer this request."""
        owes = OWED.get(type(request)) if request is not None else None
        if owes is not None:
            self._settle((owes[0], owes[1](request)))

    def overdue(self, before: float) -> str | None:
        """Say which answer has been owed since before a time [s], or None."""
        for (kind, key), since in self.owed.items():
            if since[0] < before:
                return f"{kind.__name__} {key}"
        return None

    def lie(self, told: Any, now: int) -> str | None:
        """Say why what the device tells at a time [ps] cannot be, or None if it can."""
        kind = type(told)
        least = -1 if kind is device.Swapped else 0
        if kind in OUTCOMES and not least <= told.outcome < OUTCOMES[kind]:
            return f"{told}: an outcome is one of {least} to {OUTCOMES[kind] - 1}"
        if kind is device.Bits and not 0 <= told.value < 1 << max(0, told.number):
            return f"{told}: the value has more bits"
        if kind is device.Room and not 0 <= told.free <= self.lanes.get(told.peer, 0):
            return f"{told}: there are not so many memories"
        if kind in KEYS and not self._settle((kind, KEYS[kind](told))):
            return f"{told}: nobody has asked for it"
        if kind in (device.Herald, device.Missed, device.Room, device.Spoiled) and told.peer not in self.lanes:
            return f"{told}: there is no such neighbour"
        return self._lane(told, now) if kind in (device.Herald, device.Spoiled) else None

    def _lane(self, told: device.Herald | device.Spoiled, now: int) -> str | None:
        if not 0 <= told.lane < self.lanes[told.peer]:
            return f"{told}: there is no such lane"
        return self._herald(told, now) if isinstance(told, device.Herald) else None

    @staticmethod
    def _herald(told: device.Herald, now: int) -> str | None:
        if not 0 <= told.bell < 4:
            return f"{told}: a Bell index is one of 0 to 3"
        if told.emitted > now:
            return f"{told}: the photon has not been emitted yet at {now} ps"
        return None

    def _settle(self, entry: tuple[type[Noun], object]) -> bool:
        since = self.owed.get(entry)
        if since is None:
            return False
        since.pop(0)
        if not since:
            del self.owed[entry]
        return True
