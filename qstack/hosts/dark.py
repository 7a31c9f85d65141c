"""The driver of a device that never heralds: a node without laboratory or equipment, to be judged by its neighbours.

It draws bits from the system's entropy and lets attempts go on in vain; every other request needs a qubit, and there is
none.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator

from qstack.core.nouns import Noun
from qstack.plugin.drivers import Refused
from qstack.services.device import Bits, DrawBits, Trigger


class DarkDriver:
    """A device without light; network time begins when it is opened, and runs like the wall's."""

    def __init__(self) -> None:
        self.answers: asyncio.Queue[Noun | Refused] = asyncio.Queue()

    async def open(self) -> tuple[int, float]:
        """Return the present [ns], and that time is not slowed down."""
        return time.time_ns(), 1.0

    def ask(self, request: Noun) -> None:
        """Draw bits, attempt in vain, refuse everything else."""
        if isinstance(request, DrawBits):
            self.answers.put_nowait(Bits(request.purpose, request.number, secrets.randbits(request.number)))
        elif not isinstance(request, Trigger):
            self.answers.put_nowait(Refused(f"a dark device holds no qubit: {request!r}", request))

    async def told(self) -> AsyncIterator[Noun | Refused]:
        """Yield the answers, for ever."""
        while True:
            yield await self.answers.get()

    def close(self) -> None:
        """Nothing is held."""
