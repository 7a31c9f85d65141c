"""A node without a device: it draws bits, attempts in vain and holds no qubit."""

from __future__ import annotations

import asyncio
from itertools import islice

import pytest

from qstack import api
from qstack.hosts.dark import DarkDriver
from qstack.plugin.drivers import Refused
from qstack.services.device import Bits, DrawBits, Measure, Trigger


def test_it_answers_what_needs_no_qubit():
    async def scene():
        driver = DarkDriver()
        _, slow = await driver.open()
        driver.ask(Trigger(2, 0, 5, 0, keep=True, bases=()))
        driver.ask(DrawBits(64, 7))
        driver.ask(Measure(3, 0, 1))
        told = driver.told()
        first, second = await anext(told), await anext(told)
        driver.close()
        return slow, first, second

    slow, bits, refused = asyncio.run(scene())
    assert slow == 1.0
    assert (type(bits), bits.purpose, bits.number) == (Bits, 7, 64)
    assert 0 < bits.value < 1 << 64
    assert isinstance(refused, Refused)
    assert refused.request == Measure(3, 0, 1)


def test_a_node_file_may_name_it(tmp_path):
    assert {"dark", "socket"} <= set(islice(api.manager(tmp_path).offers("drivers", ""), 99))


@pytest.mark.parametrize("purpose", [0, 9])
def test_bits_are_not_the_same_twice(purpose):
    async def scene():
        driver = DarkDriver()
        for _ in range(2):
            driver.ask(DrawBits(128, purpose))
        told = driver.told()
        return (await anext(told)).value, (await anext(told)).value

    first, second = asyncio.run(scene())
    assert first != second
