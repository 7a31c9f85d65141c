"""Many small calls, few large ones: what waits while one is under way goes together with the next."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Batcher(Generic[Item, Answer]):
    """Collects items while a batch is under way.

    Under load a batch shares one commit, or one round trip, without anybody waiting for a timer; alone, an item goes at
    once.

    Parameters
    ----------
    process
        Takes a list of items, returns an answer for each; an answer that is an exception is raised to its caller.
    limit
        Most items in one batch.
    lanes
        Most batches under way at once; with more than one, answers may overtake each other.
    """

    def __init__(
        self, process: Callable[[list[Item]], Awaitable[Sequence[Answer]]], limit: int = 64, lanes: int = 1
    ) -> None:
        self.process = process
        self.limit = limit
        self.lanes = lanes
        self.waiting: deque[tuple[Item, asyncio.Future[Answer]]] = deque()
        self.running: set[asyncio.Task[None]] = set()

    async def ask(self, item: Item) -> Answer:
        """Return the answer to one item."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.waiting.append((item, future))
        if len(self.running) < self.lanes:
            task = asyncio.create_task(self._run())
            self.running.add(task)
            task.add_done_callback(self.running.discard)
        return await future

    async def _run(self) -> None:
        while self.waiting:
            batch = [self.waiting.popleft() for _ in range(min(self.limit, len(self.waiting)))]
            try:
                answers = await self.process([item for item, _ in batch])
            except Exception as error:  # noqa: BLE001  # handed to every caller, none swallowed
                answers = [error] * len(batch)  # type: ignore[list-item]  # an exception is raised below
            for (_, future), answer in zip(batch, answers, strict=True):
                if future.done():
                    continue
                if isinstance(answer, Exception):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)
        self.running.discard(asyncio.current_task())  # at once: the next item needs a new lane
