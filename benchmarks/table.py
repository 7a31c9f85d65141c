"""The table of benchmarks: what is run, with which parameters, and what is asked of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks import codec, events, keys, keyserver, networks, reading, sessions, startup


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One row: a function of its parameters returns a figure; larger is better.

    Parameters
    ----------
    name
        By which it is chosen.
    run
        Returns the figure: a rate per CPU-second.
    unit
        Of the figure.
    gate, aim
        What is asked, and what is hoped for; None where nothing is.
    slow
        Only run with ``--all`` or by name.
    relative
        Whether the figure is a share of another one of the same run, and so needs no yardstick [%].
    """

    name: str
    run: Callable[..., float]
    unit: str
    parameters: dict[str, Any] = field(default_factory=dict)
    gate: float | None = None
    aim: float | None = None
    slow: bool = False
    relative: bool = False


PAIRS = "delivered pairs/CPU-s"
BITS = "bit/CPU-s"
SHARE = "% of pairs without it"
CORRECTED = {"use": "pairs", "consumption": "T", "window": 64}
"""Pairs through all that a session of pairs can ask for: agreed on, corrected, with room given back."""


def figure(function: Callable[..., keys.Figure]) -> Callable[..., float]:
    """Return a function of the key pipeline as the table wants it: its rate alone."""
    return lambda **parameters: function(**parameters).figure


TABLE: tuple[Benchmark, ...] = (
    Benchmark("link_20km", networks.p1, PAIRS, {"segments": 1}, 50_000, 100_000),
    Benchmark("session_20km", networks.p1, PAIRS, {"segments": 1, "window": 64}),
    Benchmark("session_share", sessions.share, SHARE, {"segments": 1, "app": CORRECTED}, 100 / 1.3, relative=True),
    Benchmark("chain_2", networks.p1, PAIRS, {"segments": 2}, 25_000, 50_000),
    Benchmark("chain_4", networks.p1, PAIRS, {"segments": 4}, 10_000, 20_000),
    Benchmark("chain_8", networks.p1, PAIRS, {"segments": 8}, 4_000, 10_000),
    Benchmark("chain_16", networks.p1, PAIRS, {"segments": 16}, 2_000, 5_000),
    Benchmark("chain_4_distilled", networks.p1, PAIRS, {"segments": 4, "distilled": True}, 4_000, 8_000),
    Benchmark("net_100_20", networks.net, PAIRS, {"nodes": 100, "flows": 20, "seconds": 2.0}, 8_000, 16_000),
    Benchmark(
        "net_1000_100", networks.net, PAIRS, {"nodes": 1000, "flows": 100, "seconds": 2.0}, 5_000, 12_000, slow=True
    ),
    Benchmark("net_10000_1000", networks.net, PAIRS, {"nodes": 10_000, "flows": 1000, "seconds": 0.5}, slow=True),
    Benchmark("events_1", events.events, "events/CPU-s", {"depth": 1}, 2e6, 8e6),
    Benchmark("events_1000", events.events, "events/CPU-s", {"depth": 1000}, 1.2e6, 4e6),
    Benchmark("read_aged", reading.reads, "reads/CPU-s", {}, 1 / 0.3e-6),
    Benchmark("import", startup.imports, "imports/CPU-s", {}, 2.0),
    Benchmark("build_100", startup.builds, "builds/CPU-s", {"nodes": 100, "flows": 20}, 2.0),
    Benchmark("bb84_sifted", figure(keys.sifted_bits), BITS, {}, 1e6, 1e7),
    Benchmark("bb84_secret", figure(keys.secret_bits), BITS, {}, 1e5, 1e6),
    Benchmark("cascade", figure(keys.cascade), BITS, {"rate": 0.03}, 2e7),
    Benchmark("ldpc", figure(keys.ldpc), BITS, {"rate": 0.03}, 2e6),
    Benchmark("toeplitz", figure(keys.amplification), BITS, {"size": 10_000_000}, 5e6, slow=True),
    Benchmark("etsi014", keyserver.requests, "requests/CPU-s", {"rate": 500, "seconds": 4}, 500, slow=True),
    Benchmark("codec_track", codec.track, "round trips/CPU-s", {}, 100_000),
)
