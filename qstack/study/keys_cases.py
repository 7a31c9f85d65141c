"""What becomes of a key plan: the quiet network, and every incident, demand by demand."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

import rustworkx

from qstack.keys.reconcile.strategy import Maker
from qstack.plugin.contracts import Passing
from qstack.plugin.optics import Passage
from qstack.study.keys_plan import Bb84, Demand, Incident, Loaded
from qstack.study.keys_policy import CLASSES, Decision, decide, order
from qstack.study.keys_yield import Ends, PairNetwork, Yield, bb84_yield, bbm92_yield, pass_yield

SCHEMA = "qstack/key-plan/1"
QUIET = "all is quiet"


@dataclass(frozen=True, slots=True)
class Served:
    """What a demand gets in one case."""

    demand: Demand
    decision: Decision
    stops: tuple[str, ...]
    event: str

    def data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "demand": self.demand.name,
            "method": self.decision.method,
            "path": list(self.stops),
            "rejected": [{"method": method, "why": why} for method, why in self.decision.rejected],
            "event": self.event,
        }


@dataclass(frozen=True, slots=True)
class Case:
    """The quiet network, or one incident."""

    name: str
    yields: tuple[Yield, ...]
    served: tuple[Served, ...]


class _Supply:
    """Key that is left on every link or flow; demands take from it in the order of the plan.

    Parameters
    ----------
    yields
        What there is.
    relays
        Whether places between are trusted to pass keys on.
    """

    def __init__(self, yields: Sequence[Yield], *, relays: bool) -> None:
        self.yields = yields
        self.relays = relays
        self.left = {frozenset(one.ends): one.rate for one in yields}

    def reserve(self, demand: Demand) -> tuple[str, ...]:
        """Take what a demand needs from the path of fewest hops that has it; return the places on it, or nothing."""
        ends = frozenset((demand.source, demand.target))
        usable = [one for one in self.yields if self.relays or frozenset(one.ends) == ends]
        strong = [one for one in usable if self.left[frozenset(one.ends)] >= demand.need]
        places = list(dict.fromkeys([demand.source, demand.target, *(end for one in strong for end in one.ends)]))
        graph: rustworkx.PyGraph[str, float] = rustworkx.PyGraph(multigraph=False)
        number = {name: graph.add_node(name) for name in places}
        graph.add_edges_from([(number[one.ends[0]], number[one.ends[1]], 1.0) for one in strong])
        paths = rustworkx.dijkstra_shortest_paths(graph, 0, 1, float)
        if 1 not in paths:
            return ()
        path = tuple(places[stop] for stop in paths[1])
        for step in pairwise(path):
            self.left[frozenset(step)] -= demand.need
        return path if self.relays else strong[0].stops

    def hers(self, stops: tuple[str, ...]) -> str:
        """Return what does not hold on a path whose key Eve has; nobody on it notices."""
        if not self.relays:
            return ""
        steps = {frozenset(step) for step in pairwise(stops)}
        return next((one.hers for one in self.yields if one.hers and frozenset(one.ends) in steps), "")

    def missing(self, demand: Demand) -> str:
        """Say why a demand cannot have keys."""
        ends = frozenset((demand.source, demand.target))
        mine = [one for one in self.yields if frozenset(one.ends) == ends]
        reasons = [one.why for one in mine or self.yields if one.why and (mine or ends & frozenset(one.ends))]
        why = f"no path with {bits_text(demand.need)} bit/s left between {demand.source} and {demand.target}"
        return f"{why}: {reasons[0]}" if reasons else why


def bits_text(rate: float) -> str:
    """Return a rate as people read it."""
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"


def cases(loaded: Loaded) -> list[Case]:
    """Return the quiet network and every incident of a plan."""
    quiet = _case(loaded, QUIET, (), {}, None)
    return [quiet, *(_incident(loaded, incident, quiet) for incident in loaded.plan.incidents)]


def _incident(loaded: Loaded, incident: Incident, quiet: Case) -> Case:
    cuts = [frozenset(ends) for ends in incident.cut]
    eve = incident.attacker() if incident.tap else None
    taps = {frozenset(ends): eve for ends in incident.tap}
    return _case(loaded, incident.name, cuts, taps, quiet)


def _case(loaded: Loaded, name: str, cuts: Collection[Ends], taps: Mapping[Ends, Any], quiet: Case | None) -> Case:
    if loaded.pairs is None:
        yields = _relayed(loaded, cuts, taps, quiet.yields if quiet else ())
    else:
        yields = _paired(loaded, loaded.pairs, cuts, taps)
    supply = _Supply(yields, relays=loaded.pairs is None)
    before = quiet.served if quiet else (None,) * len(loaded.plan.demands)
    served = [_serve(supply, demand, one) for demand, one in zip(loaded.plan.demands, before, strict=True)]
    return Case(name, tuple(yields), tuple(served))


def _serve(supply: _Supply, demand: Demand, before: Served | None) -> Served:
    stops: tuple[str, ...] = ()

    def missing() -> str:
        nonlocal stops
        stops = supply.reserve(demand)
        return "" if stops else supply.missing(demand)

    decision = decide(CLASSES[demand.data], demand.prefer, missing)
    hers = supply.hers(stops)
    return Served(
        demand, decision, stops, _event(decision, stops, before) + (f", but Eve has the key: {hers}" * bool(hers))
    )


def _relayed(loaded: Loaded, cuts: Collection[Ends], taps: Mapping[Ends, Any], quiet: Sequence[Yield]) -> list[Yield]:
    """Return what every fibre that is left yields; where nobody sits, what it yields while all is quiet."""
    sheet = loaded.plan.bb84
    assert sheet is not None
    per_km = loaded.plan.network.fibre.attenuation
    scheme = sheet.reconciliation.make
    found = []
    for ends, fibre in loaded.fibres.items():
        eve = taps.get(frozenset(ends))
        if frozenset(ends) in cuts:
            continue
        standing = next((one for one in quiet if one.ends == ends), None) if eve is None else None
        if standing is not None:
            found.append(standing)
        elif ends in loaded.passes:
            found.append(_sky(ends, loaded.passes[ends], sheet, eve, scheme))
        else:
            found.append(bb84_yield(ends, sheet.over(*fibre, per_km), sheet.block, eve, scheme))
    return found


def _paired(loaded: Loaded, network: PairNetwork, cuts: Collection[Ends], taps: Mapping[Ends, Any]) -> list[Yield]:
    """Return what every flow yields; where its blocks are dropped, the stack goes round the fibres that are tapped."""
    sites = {frozenset((d.source, d.target)): (d.source, d.target) for d in loaded.plan.demands}
    standing = network.without(cuts)
    around = standing.without(taps.keys())
    found = []
    for ends in sites.values():
        first = bbm92_yield(standing, ends, taps)
        second = first if first.rate or not taps else bbm92_yield(around, ends, {})
        found.append(second if second.rate else first)
    steps = [{frozenset(step) for step in pairwise(one.stops)} if one.rate else set() for one in found]
    shares = [sum(not mine.isdisjoint(other) for other in steps) for mine in steps]
    return [_shared(one, max(share, 1)) for one, share in zip(found, shares, strict=True)]


def _shared(one: Yield, flows: int) -> Yield:
    """Return what a flow gets beside others that need a fibre of its route."""
    return replace(one, rate=one.rate / flows, block_s=one.block_s * flows)


def _sky(ends: tuple[str, str], medium: Passing, sheet: Bb84, eve: Any, scheme: Maker) -> Yield:
    """Return what a link to a satellite yields: the culminations are those of a day, a block is a pass."""
    devices = sheet.devices
    light = medium.stray(devices.pulses.rate_hz)
    steps = [(seconds, devices.over(0.0, Passage(loss, light))) for seconds, loss in medium.budget()]
    return pass_yield(ends, steps, len(medium.culminations), eve, scheme)


def _event(decision: Decision, stops: tuple[str, ...], before: Served | None) -> str:
    """Say what changed: nothing that happens to a demand is silent."""
    if decision.method is None:
        return "refused"
    if before is None:
        return "served below the first choice" if decision.rejected else "served"
    if decision.method is not before.decision.method:
        return f"falls back to {decision.method}, reported" if decision.rejected else f"now {decision.method}"
    if stops != before.stops:
        return "rerouted"
    return "unchanged"


def summary(loaded: Loaded, cases: list[Case]) -> dict[str, Any]:
    """Return what a plan came to, as plain data."""
    plan = loaded.plan
    return {
        "schema": SCHEMA,
        "name": plan.name,
        "protocol": "bb84" if plan.bb84 else "bbm92",
        "demands": [
            {
                "name": demand.name,
                "class": demand.data,
                "from": demand.source,
                "to": demand.target,
                "need_bit_s": demand.need,
                "methods": list(order(CLASSES[demand.data], demand.prefer)),
                "mode": CLASSES[demand.data].mode,
            }
            for demand in plan.demands
        ],
        "cases": [
            {
                "name": case.name,
                "yields": [
                    {
                        "ends": list(one.ends),
                        "stops": list(one.stops),
                        "secret_bit_s": one.rate,
                        "error": one.error,
                        "block_s": one.block_s,
                        "block_bits": one.block_bits,
                        "why": one.why,
                        "eve": None if one.eve is None else asdict(one.eve) | {"secure": one.eve.secure},
                    }
                    for one in case.yields
                ],
                "served": [served.data() for served in case.served],
            }
            for case in cases
        ],
    }
