"""Ten thousand storms: whatever is lost, late, doubled or out of order, both ends are told the same or told that it is not."""

from __future__ import annotations

import random

import pytest
import storm


def weather(draw: random.Random) -> storm.Weather:
    """Return fair weather, bad weather, or very bad weather."""
    bad = draw.choice((0.0, 0.03, 0.1, 0.25))
    return storm.Weather(
        drop=bad * draw.random(),
        double=bad * draw.random(),
        delay=bad * draw.random(),
        deaf=draw.choice((0.0, 0.0, 0.05, 0.2)),
        jitter=draw.choice((0.0, 0.0, 0.5, 3.0)),
        encoded=draw.random() < 0.1,
    )


def make(seed: int) -> storm.Storm:
    """Return a random network with random requests in random weather."""
    draw = random.Random(seed)
    graph = draw.choice(("link", "two", "two", "three", "cross"))
    distilled = draw.random() < 0.25
    if graph == "cross":
        ends = draw.sample([(0, 4), (5, 1), (4, 1), (2, 3)], draw.choice((1, 2)))
    else:
        last = len(storm.GRAPHS[graph])
        ends = [draw.choice([(0, last), (last, 0)])] * draw.choice((1, 1, 2))
    wishes = [
        storm.Wish(
            a,
            b,
            draw.randrange(1, 9),
            storm.KEEP if distilled or draw.random() < 0.5 else draw.choice(storm.KINDS),
            draw.randrange(3),
            draw.choice((0.0, 0.0, 0.0, 200.0)),
        )
        for a, b in ends
    ]
    made = storm.Storm(
        graph,
        wishes,
        seed,
        weather(draw),
        lanes=draw.randrange(3, 5) if distilled else draw.randrange(1, 5),
        distilled=distilled,
        cutoff=draw.choice((0, 8 * storm.PERIOD, 30 * storm.PERIOD)),
        attempts="each" if draw.random() < 0.1 else "skip",
        test_share=draw.choice((0.0, 0.0, 0.3)),
        test_period=draw.choice((0, 0, 5)),
        aggregate=draw.random() < 0.5,
        skewed=draw.random() < 0.3,
        shuffled=draw.random() < 0.3,
    )
    for session, wish in enumerate(wishes):
        if draw.random() < 0.15:
            made.stop(draw.expovariate(100.0), draw.choice((wish.source, wish.target)), session)
    if draw.random() < 0.08:
        made.lose(draw.expovariate(100.0), draw.choice(made.edges))
    return made


def survive(seed: int) -> storm.Storm:
    """Run a storm to its end and check the account."""
    made = make(seed)
    try:
        made.start()
        made.run(60)
        made.check()
    except Exception as error:
        raise AssertionError(f"storm {seed}: {made.graph}, {made.wishes}, {made.weather}: {error}") from error
    return made


@pytest.mark.parametrize("block", range(8))
def test_storms(block):
    for seed in range(block * 25, block * 25 + 25):
        survive(seed)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(100))
def test_many_storms(block):
    seeds = range(1_000_000 + block * 100, 1_000_100 + block * 100)
    for seed in seeds:
        survive(seed)
