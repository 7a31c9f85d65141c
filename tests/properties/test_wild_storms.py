"""Storms over crowded networks: sessions that come and go at any time, priorities, gates, neighbours lost again and again.

Not with `first_come`, under which circuits that share two links may wait for each other for ever, as its page says.
"""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path

import pytest

from qstack.link.schedulers import strict_priority, weighted_fair

_spec = importlib.util.spec_from_file_location("campaign", Path(__file__).with_name("test_fault_campaign.py"))
assert _spec is not None
assert _spec.loader is not None
campaign = importlib.util.module_from_spec(_spec)
sys.modules.setdefault("campaign", campaign)
_spec.loader.exec_module(campaign)
storm = campaign.storm

GRAPHS = ("link", "two", "three", "cross")


def make(seed):
    """Return a crowded network in random weather."""
    draw = random.Random(seed)
    graph = draw.choice(GRAPHS)
    nodes = sorted({node for edge in storm.GRAPHS[graph] for node in edge})
    wishes = []
    for _ in range(draw.randrange(2, 6)):
        a, b = draw.sample(nodes, 2)
        wishes.append(
            storm.Wish(
                a,
                b,
                draw.randrange(1, 7),
                storm.KEEP if draw.random() < 0.5 else draw.choice(storm.KINDS),
                draw.randrange(3),
                draw.choice((0.0, 0.0, 0.0, 200.0)),
                draw.randrange(8) if draw.random() < 0.5 else 0,
                draw.choice((0.0, draw.expovariate(50.0))),
            )
        )
    made = storm.Storm(
        graph,
        wishes,
        seed,
        campaign.weather(draw),
        lanes=draw.randrange(1, 5),
        cutoff=draw.choice((0, 8 * storm.PERIOD, 30 * storm.PERIOD)),
        attempts="each" if draw.random() < 0.05 else "skip",
        test_share=draw.choice((0.0, 0.0, 0.3)),
        test_period=draw.choice((0, 0, 5)),
        aggregate=draw.random() < 0.5,
        skewed=draw.random() < 0.3,
        shuffled=draw.random() < 0.3,
        scheduler=draw.choice((strict_priority, weighted_fair)),
        gate=draw.random() < 0.5,
    )
    for session, wish in enumerate(wishes):
        if draw.random() < 0.15:
            made.stop(wish.start + draw.expovariate(100.0), draw.choice((wish.source, wish.target)), session)
    for _ in range(draw.choice((0, 0, 0, 1, 1, 2, 3))):
        made.lose(draw.expovariate(50.0), draw.choice(made.edges))
    return made


def survive(seed):
    """Run a storm to its end and check the account."""
    made = make(seed)
    try:
        made.start()
        made.run(60)
        made.check()
    except Exception as error:
        raise AssertionError(f"storm {seed}: {made.graph}, {made.wishes}, {made.weather}: {error}") from error


@pytest.mark.parametrize("block", range(4))
def test_wild_storms(block):
    for seed in range(block * 15, block * 15 + 15):
        survive(seed)


@pytest.mark.parametrize("seed", [493, 1109, 3013])
def test_storms_that_never_ended(seed):
    """Circuits that cross each other, and the first success after a lost neighbour, of which one end is not told."""
    survive(seed)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(20))
def test_many_wild_storms(block):
    for seed in range(2_000_000 + block * 100, 2_000_100 + block * 100):
        survive(seed)
