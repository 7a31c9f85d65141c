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
from qstack.keys.eve.attack import on_pairs
from qstack.keys.eve.report import Report
from qstack.keys.finite import Counts
from qstack.keys.ledger import Reason
from qstack.keys.models import Fibre, Receiver, Setup, Source
from qstack.keys.reconcile.cascade import Cascade
from qstack.keys.reconcile.ldpc import Ldpc
from qstack.keys.reconcile.strategy import Maker
from qstack.keys.store.measured import pair_length, pair_terms, pairs_needed
from qstack.keys.store.simulated import announced
from qstack.keys.store.source import called
from qstack.keys.terms import Terms
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
    eve
        What an attack came to; None without one.
    """

    ends: tuple[str, str]
    stops: tuple[str, ...]
    rate: float
    error: float
    block_s: float
    block_bits: int
    why: str = ""
    eve: Report | None = None

    @property
    def hers(self) -> str:
        """What does not hold where Eve has the key of blocks that were accepted; empty where she has it not."""
        return str(self.eve.broken) if self.eve and self.eve.broken and not self.eve.secure else ""


def bb84_setup(length_km: float, loss_db: float, source: Source, receiver: Receiver) -> Setup:
    """Return the data sheets of a link over a fibre whose whole loss is known."""
    return Setup(
        source=source, fibre=Fibre(length_km=length_km, loss_db_per_km=0, extra_loss_db=loss_db), receiver=receiver
    )


def bb84_terms(setup: Setup, sifted: int, scheme: Maker = Cascade) -> tuple[Terms, int]:
    """Return the fixed-length terms of a decoy-state link and the pulses of a block.

    Raises
    ------
    ConfigError
        When blocks of this size prove nothing on this link.
    """
    pulses = bb84.pulses_for(setup, sifted)
    return announced(setup.source, bb84.expected(setup, pulses), scheme), pulses


def bb84_yield(ends: tuple[str, str], setup: Setup, sifted: int, attack: Any = None, scheme: Maker = Cascade) -> Yield:
    """Return what a decoy-state link yields at its announced length.

    Parameters
    ----------
    ends
        The two sites.
    setup
        Data sheets of the undisturbed link.
    sifted
        Sifted bits of a block.
    attack
        Who sits at the fibre, with closed forms as `qstack.keys.eve.attack.Foreseen`, or on the wire.
    scheme
        Makes the reconciliation.
    """
    pulses = bb84.pulses_for(setup, sifted)
    return _block(ends, [(pulses, setup)], bb84_seconds(setup, pulses), attack, scheme)


def pass_yield(
    ends: tuple[str, str],
    steps: Sequence[tuple[float, Setup]],
    passes: int,
    attack: Any = None,
    scheme: Maker = Cascade,
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
    attack, scheme
        As for `bb84_yield`.
    """
    parts = [(seconds / bb84_seconds(setup, 1), setup) for seconds, setup in steps]
    one = _block(ends, parts, sum(seconds for seconds, _ in steps), attack, scheme)
    return replace(one, rate=one.block_bits * passes / DAY_S)


def _block(
    ends: tuple[str, str], parts: Sequence[tuple[float, Setup]], seconds: float, attack: Any, scheme: Maker
) -> Yield:
    """Return what comes of a block of pulses that meet one link after the other."""
    setup = parts[0][1]
    honest = _together([bb84.expected(link, pulses) for pulses, link in parts])
    means = [attack.mean(link, pulses) for pulses, link in parts] if hasattr(attack, "tap") else []
    counts = _together([mean.counts for mean in means]) if means else honest
    error = max(sum(counts.key_errors) / max(sum(counts.key), 1), sum(counts.test_errors) / max(sum(counts.test), 1))
    try:
        terms = announced(setup.source, honest, scheme)
    except ConfigError as refusal:
        return Yield(ends, ends, 0.0, error, seconds, 0, str(refusal))
    bits = terms.length(terms.bounds(counts), int(sum(counts.key)))
    kept = max(0, bits - terms.refill_bits)
    why = "" if kept else _dropped(counts, terms, error)
    if attack is not None and not means:
        kept, why = 0, "blocks are dropped: a message was changed"
    elif means and attack.blinds and setup.receiver.self_test:
        kept, why = 0, f"blocks are dropped: {Reason.BLINDED}"
    if attack is None:
        return Yield(ends, ends, kept / seconds, error, seconds, kept, why)
    report = Report(
        attack=called(attack),
        key_bits=round(sum(counts.key)),
        learned=sum(mean.learned for mean in means),
        leak=round(terms.most_leak(int(sum(counts.key)))),
        length=bits if kept else 0,
        verdict=why or "accepted",
        broken=getattr(attack, "breaks", None),
    )
    return Yield(ends, ends, kept / seconds, error, seconds, kept, why, report)


def _together(parts: Sequence[Counts]) -> Counts:
    """Return the counts of several parts of a block."""
    return Counts(
        *(
            tuple(sum(count) for count in zip(*(getattr(one, name) for one in parts), strict=True))
            for name in ("key", "test", "test_errors", "key_errors")
        )
    )


def _dropped(counts: Counts, terms: Terms, error: float) -> str:
    """Say why the length of a block is nothing."""
    most = terms.tolerances.phase_error if terms.tolerances else 0.5
    if terms.bounds(counts).phase_error > most:
        return f"blocks are dropped: errors of {error:.1%} are more than was announced"
    return "blocks are dropped: fewer clicks of single photons than were announced"


def bb84_seconds(setup: Setup, pulses: float) -> float:
    """Return how long so many live pulses take [s]: after every click, of any basis, the detectors are held off."""
    return bb84.gates(setup, pulses) / setup.source.rate_hz


@dataclass(frozen=True, slots=True)
class PairNetwork:
    """A network of the stack as plain data of a scenario, and the blocks of its BBM92 flows."""

    network: Mapping[str, Any]
    stack: Mapping[str, Any]
    min_fidelity: float
    pairs: int
    manager: Manager
    scheme: Maker = Ldpc

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


def bbm92_yield(network: PairNetwork, ends: tuple[str, str], taps: Mapping[Ends, Any]) -> Yield:
    """Return what a flow of pairs yields on the route that the stack would choose.

    Pairs are taken to be Werner pairs of the fidelity that the planner expects; its rate holds within a factor of 1.6.

    Parameters
    ----------
    network, ends
        Whose flow.
    taps
        Who sits at a fibre, by fibre.
    """
    plan = network.plan(*ends)
    if isinstance(plan, str):
        return Yield(ends, ends, 0.0, 0.0, 0.0, 0, plan)
    route = plan.flows[0].route
    assert route is not None
    stops = tuple(plan.names[stop] for stop in route.path)
    pairs = bbm92.Pairs.werner(route.expected)
    here = [taps[frozenset(step)] for step in pairwise(stops) if frozenset(step) in taps]
    worth, wires = 0.0, [eve for eve in here if not hasattr(eve, "tap")]
    for eve in here:
        if eve not in wires:
            tap = on_pairs(eve, called(eve))
            pairs = bbm92.Pairs(x=pairs.x * tap.x, y=pairs.y * tap.y, z=pairs.z * tap.z)
            worth = min(1.0, worth + tap.worth)
    promised = 2 * (1 - network.min_fidelity) / 3
    seconds = network.pairs / route.rate
    error = max(pairs.error_key, pairs.error_test)
    terms = pair_terms(promised, network.pairs, network.scheme)
    bits = pair_length(pairs, network.pairs, promised, network.scheme) if error <= promised else 0
    kept = max(0, bits - terms.refill_bits) if terms else 0
    why = "" if kept else _why(pairs, error, promised, network.scheme)
    if wires:
        kept, why = 0, "blocks are dropped: a message was changed"
    sifted = network.pairs // 4
    leak = terms.most_leak(sifted) if terms else 0.0
    verdict = why or "accepted"
    reports = [
        Report(called(eve), sifted, worth * sifted, round(leak), bits if kept else 0, verdict, None) for eve in here
    ]
    return Yield(ends, stops, kept / seconds, error, seconds, kept, why, reports[0] if reports else None)


def _why(pairs: bbm92.Pairs, error: float, promised: float, scheme: Maker) -> str:
    if error > promised:
        return f"blocks are dropped: errors of {error:.1%}, no more than {promised:.1%} was agreed"
    number = pairs_needed(pairs, promised, scheme=scheme)
    return "no block is long enough" if number is None else f"blocks too small: about {number:.2g} pairs would do"
