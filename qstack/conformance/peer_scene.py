"""One scene with a node: the judge takes its seat as a neighbour, plays, and leaves nothing open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from qstack.conformance.peer_talk import Peer
from qstack.conformance.peer_wire import Seat
from qstack.hosts.streams import bind

Scene = Callable[[Peer], Coroutine[Any, Any, None]]


@asynccontextmanager
async def peer(seat: Seat) -> AsyncIterator[Peer]:
    """Give the judge as a neighbour, listening; everything is closed in the end."""
    there = Peer(seat)
    listening = bind(seat.listen, "the judge")
    loop = asyncio.get_running_loop()
    loop.add_reader(listening, there.accept, listening)
    asking = loop.create_task(there.ask())
    try:
        yield there
    finally:
        loop.remove_reader(listening)
        asking.cancel()
        await there.hang_up()
        listening.close()


def play(seat: Seat, scene: Scene) -> None:
    """Play one scene with the node, from its first word to its last.

    Raises
    ------
    AssertionError
        If the node does not do what the scene demands; with the dialogue.
    """

    async def run() -> None:
        async with peer(seat) as there:
            await scene(there)

    asyncio.run(run())
