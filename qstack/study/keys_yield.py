"""What a quantum link or flow yields, in secret bits per second: finite-key lengths of mean blocks, nothing sampled.

The same terms, bounds and lengths as those of the post-processing itself, so that a block that is made has the length
that was planned.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from qstack.core.errors import ConfigError
from qstack.keys import bb84, bbm92
from qstack.keys.finite import Counts
from qstack.keys.models import Fibre, Receiver, Setup, Source
from qstack.keys.store.simulated import EFFICIENCY, pair_length, pair_terms, pairs_needed
from qstack.keys.terms import Proof, Terms, announce, leak_limit
from qstack.plugin.manager import Manager
from qstack.scenario.load import from_data
from qstack.scenario.plan import Plan

Ends = frozenset[str]
DAY_S = 86_400.0
"""A day [s]."""


@dataclass(frozen=True, slots=True)
class Yield:
    """What two sites get.

    Parameters
    ----------
    ends, stops
        The two sites, and all places on the way.
    rate
        Secret bits, refill of the authentication key taken off [bit/s].
    error
        Error rate that the ends count, the greater of the two bases.
    block_s
        Time that a block takes [s].
    block_bits
        Its secret bits [bit].
    why
        Why there are none.
    """

    ends: tuple[str, str]
    stops: tuple[str, ...]
    rate: float
    error: float
    block_s: float
    block_bits: int
    why: str = ""


def bb84_setup(length_km: float, loss_db: float, source: Source, receiver: Receiver) -> Setup:
    """Return the data sheets of a link over a fibre whose whole loss is known."""
    return Setup(
        source=source, fibre=Fibre(length_km=length_km, loss_db_per_km=0, extra_loss_db=loss_db), receiver=receiver
    )


def bb84_terms(setup: Setup, sifted: int) -> tuple[Terms, int]:
    """Return the fixed-length terms of a decoy-state link and the pulses of a block.

    Raises
    ------
    ConfigError
        When blocks of this size prove nothing on this link.
    """
    pulses = bb84.pulses_for(setup, sifted)
    return _terms(setup.source, bb84.expected(setup, pulses)), pulses


def _terms(source: Source, mean: Counts) -> Terms:
    key = sum(mean.key)
    limit = min(leak_limit(sum(mean.key_errors) / key, EFFICIENCY, key, both_ways=True), 0.999)
    return announce(mean, Terms(proof=Proof.TWO_DECOYS, source=source, leak_limit=limit))


def bb84_yield(ends: tuple[str, str], setup: Setup, sifted: int, intercepted: float = 0.0) -> Yield:
    """Return what a decoy-state link yields at its announced length.

    Parameters
    ----------
    ends
        The two sites.
    setup
        Data sheets of the undisturbed link.
    sifted
        Sifted bits of a block.
    intercepted
        Share of the pulses that somebody measures and resends: half of those are measured in the wrong basis and come
        back with errors of one half.
    """
    pulses = bb84.pulses_for(setup, sifted)
    seconds = bb84_seconds(setup, pulses)
    counts = _intercepted(bb84.expected(setup, pulses), intercepted)
    error = max(sum(counts.key_errors) / sum(counts.key), sum(counts.test_errors) / sum(counts.test))
    try:
        terms, _ = bb84_terms(setup, sifted)
    except ConfigError as refusal:
        return Yield(ends, ends, 0.0, error, seconds, 0, str(refusal))
    bits = terms.length(terms.bounds(counts), int(sum(counts.key)))
    kept = max(0, bits - terms.refill_bits)
    why = "" if kept else f"blocks are dropped: errors of {error:.1%} are more than was announced"
    return Yield(ends, ends, kept / seconds, error, seconds, kept, why)


def pass_yield(
    ends: tuple[str, str], steps: Sequence[tuple[float, Setup]], passes: int, intercepted: float = 0.0
) -> Yield:
    """Return what a decoy-state link to a passing satellite yields: one block per pass, its steps counted together.

    Decoy bounds hold for the mean of what was counted, whatever the loss was meanwhile.

    Parameters
    ----------
    ends
        Station and satellite.
    steps
        How long each step of a pass takes [s], and the link in it.
    passes
        Of a day.
    intercepted
        As for `bb84_yield`.
    """
    means = [bb84.expected(setup, seconds / bb84_seconds(setup, 1)) for seconds, setup in steps]
    mean = Counts(
        *(
            tuple(sum(count) for count in zip(*(getattr(one, name) for one in means), strict=True))
            for name in ("key", "test", "test_errors", "key_errors")
        )
    )
    seconds = sum(time for time, _ in steps)
    counts = _intercepted(mean, intercepted)
    error = max(sum(counts.key_errors) / sum(counts.key), sum(counts.test_errors) / sum(counts.test))
    try:
        terms = _terms(steps[0][1].source, mean)
    except ConfigError as refusal:
        return Yield(ends, ends, 0.0, error, seconds, 0, str(refusal))
    bits = terms.length(terms.bounds(counts), int(sum(counts.key)))
    kept = max(0, bits - terms.refill_bits)
    why = "" if kept else f"the block of a pass is dropped: errors of {error:.1%}"
    return Yield(ends, ends, kept * passes / DAY_S, error, seconds, kept, why)


def bb84_seconds(setup: Setup, pulses: int) -> float:
    """Return how long so many live pulses take [s]: after every click, of any basis, the detectors are held off."""
    clicks = pulses * float(bb84.mark_probabilities(setup).sum())
    return (pulses + clicks * setup.dead_pulses) / setup.source.rate_hz


def _intercepted(counts: Counts, share: float) -> Counts:
    def spoilt(wrong: tuple[float, ...], clicks: tuple[float, ...]) -> tuple[float, ...]:
        return tuple((1 - share) * e + share * (e / 2 + n / 4) for e, n in zip(wrong, clicks, strict=True))

    return Counts(
        counts.key, counts.test, spoilt(counts.test_errors, counts.test), spoilt(counts.key_errors, counts.key)
    )


@dataclass(frozen=True, slots=True)
class PairNetwork:
    """A network of the stack as plain data of a scenario, and the blocks of its BBM92 flows."""

    network: Mapping[str, Any]
    stack: Mapping[str, Any]
    min_fidelity: float
    pairs: int
    manager: Manager

    def scenario(self, source: str, target: str) -> dict[str, Any]:
        """Return the scenario of one flow."""
        app = {"use": "bbm92", "sample": 0}
        flow = {"name": "key", "app": app, "from": source, "to": target, "min_fidelity": self.min_fidelity}
        return {
            "name": f"{source} - {target}",
            "network": dict(self.network),
            "stack": dict(self.stack),
            "flows": [{**flow, "number": self.pairs}],
            "run": {"until": "1000 h"},
        }

    def without(self, fibres: Collection[Ends]) -> PairNetwork:
        """Return the network without some fibres, and without the places that nothing leads to any more."""
        links = [link for link in self.network["links"] if frozenset((link["a"], link["b"])) not in fibres]
        return replace(self, network={**self.network, "links": links})

    def around(self, source: str) -> PairNetwork:
        """Return the part of the network that a place is in."""
        found = {source}
        while True:
            more = {end for link in self.network["links"] for end in (link["a"], link["b"]) if _touches(link, found)}
            if more <= found:
                break
            found |= more
        nodes = [node for node in self.network["nodes"] if node["id"] in found]
        links = [link for link in self.network["links"] if link["a"] in found]
        return replace(self, network={**self.network, "nodes": nodes, "links": links})

    def plan(self, source: str, target: str) -> Plan | str:
        """Return the plan of a flow, or why there is none."""
        part = self.around(source)
        if target not in {node["id"] for node in part.network["nodes"]}:
            return f"no fibre leads from {source} to {target} any more"
        try:
            return from_data(part.scenario(source, target), self.manager)
        except ConfigError as refusal:
            first = str(refusal).splitlines()[0]
            return first.partition("cannot be served: ")[2] or first


def _touches(link: Mapping[str, Any], places: Collection[str]) -> bool:
    return link["a"] in places or link["b"] in places


def bbm92_yield(network: PairNetwork, ends: tuple[str, str], taps: Mapping[Ends, float]) -> Yield:
    """Return what a flow of pairs yields on the route that the stack would choose.

    Pairs are taken to be Werner pairs of the fidelity that the planner expects; its rate holds within a factor of 1.6.

    Parameters
    ----------
    network, ends
        Whose flow.
    taps
        Share of the photons that somebody measures and resends, by fibre.
    """
    plan = network.plan(*ends)
    if isinstance(plan, str):
        return Yield(ends, ends, 0.0, 0.0, 0.0, 0, plan)
    route = plan.flows[0].route
    assert route is not None
    stops = tuple(plan.names[stop] for stop in route.path)
    pairs = bbm92.Pairs.werner(route.expected)
    for step in pairwise(stops):
        share = taps.get(frozenset(step), 0.0)
        pairs = bbm92.Pairs(x=pairs.x * (1 - share / 2), y=pairs.y * (1 - share), z=pairs.z * (1 - share / 2))
    promised = 2 * (1 - network.min_fidelity) / 3
    seconds = network.pairs / route.rate
    error = max(pairs.error_key, pairs.error_test)
    terms = pair_terms(promised, network.pairs)
    bits = pair_length(pairs, network.pairs, promised) if error <= promised else 0
    kept = max(0, bits - terms.refill_bits) if terms else 0
    return Yield(ends, stops, kept / seconds, error, seconds, kept, "" if kept else _why(pairs, error, promised))


def _why(pairs: bbm92.Pairs, error: float, promised: float) -> str:
    if error > promised:
        return f"blocks are dropped: errors of {error:.1%}, no more than {promised:.1%} was agreed"
    number = pairs_needed(pairs, promised)
    return "no block is long enough" if number is None else f"blocks too small: about {number:.2g} pairs would do"
