"""Batches: how many are under way, what goes together, and that nobody is answered by a batch that began before he asked."""

from __future__ import annotations

import asyncio

import pytest

from qstack.integration.kme.batching import Batcher


class Slow:
    """Takes batches, and writes down when each began and ended."""

    def __init__(self):
        self.clock = 0
        self.under_way = 0
        self.most = 0
        self.sizes = []

    async def process(self, items):
        self.clock += 1
        began = self.clock
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        self.sizes.append(len(items))
        await asyncio.sleep(0.005)
        self.under_way -= 1
        return [began if item != "bad" else ValueError(item) for item in items]


@pytest.mark.parametrize("lanes", [1, 2, 3])
def test_as_many_batches_as_there_are_lanes_and_none_began_before_its_items(lanes):
    slow = Slow()

    async def ask(batcher, n):
        await asyncio.sleep(0.001 * n)
        asked = slow.clock
        assert await batcher.ask(n) > asked

    async def run():
        batcher = Batcher(slow.process, limit=8, lanes=lanes)
        await asyncio.gather(*(ask(batcher, n) for n in range(40)))
        assert not batcher.running
        assert await batcher.ask("again") == slow.clock

    asyncio.run(run())
    assert slow.most == lanes
    assert sum(slow.sizes) == 41
    assert max(slow.sizes) <= 8
    assert len(slow.sizes) < 41


def test_an_exception_reaches_its_own_caller_only():
    async def run():
        batcher = Batcher(Slow().process, lanes=2)
        answers = await asyncio.gather(*(batcher.ask(item) for item in ("a", "bad", "c")), return_exceptions=True)
        assert isinstance(answers[1], ValueError)
        assert answers[0] == answers[2] == 1

    asyncio.run(run())


def test_a_batch_that_fails_as_a_whole_fails_for_all_in_it_and_the_next_goes_on():
    calls = []

    async def process(items):
        calls.append(items)
        if len(calls) == 1:
            raise OSError("disk")
        return items

    async def run():
        batcher = Batcher(process)
        answers = await asyncio.gather(batcher.ask(1), batcher.ask(2), return_exceptions=True)
        assert [type(answer) for answer in answers] == [OSError, OSError]
        assert await batcher.ask(3) == 3

    asyncio.run(run())
