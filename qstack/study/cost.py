"""What a network costs: nodes, stations, fibre and electricity; per year, per delivered pair, per secret bit.

Every price is an assumption for planning unless a data sheet gives its own (``cost:``).  `ASSUMPTIONS` names them all;
each can be changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from statistics import mean
from typing import Any

from qstack.core.errors import ConfigError
from qstack.plugin.contracts import Platform
from qstack.plugin.spelling import nearest
from qstack.quantum.bounds import bbm92_fraction
from qstack.scenario.plan import Plan, PlannedFlow, PlannedLink
from qstack.study.inputs import published
from qstack.study.result import KEYS

YEAR_S = 365.25 * 86400
HOURS_A_YEAR = YEAR_S / 3600
SIFTED = 0.5
"""Share of the pairs of a key flow that both ends measure in the same basis."""


@dataclass(frozen=True, slots=True)
class Assumption:
    """A number that a sum uses: value, unit, and where it comes from."""

    value: float
    unit: str
    source: str


def _priced(name: str, unit: str = "EUR") -> Assumption:
    """Return a planning value of the packaged list; of a range, its middle."""
    entry = published("cost")[name]
    value, given = entry["value"], entry.get("note")
    middle = mean(value) if isinstance(value, list) else float(value)
    spread = f", middle of {value[0]:g} to {value[1]:g}" if isinstance(value, list) else ""
    return Assumption(middle, unit, f"{entry['source']}{spread}" + (f" ({given})" if given else ""))


def assumptions() -> dict[str, Assumption]:
    """Return every assumption by name."""
    rough = "rough figure for planning, no citation"
    return {
        "nv_node": _priced("nv_node"),
        "ion_node": _priced("ion_node"),
        "dilution_refrigerator": _priced("dilution_refrigerator"),
        "cryostat_4K": _priced("cryostat_4K"),
        "snspd_system": _priced("snspd_system"),
        "housing": _priced("trusted_node_housing"),
        "dark_fibre_lease": _priced("dark_fibre_lease", "EUR/(km yr)"),
        "electronics_share": Assumption(0.4, "1", "lasers and control, of the price of a memory node; " + rough),
        "pair_source": Assumption(100_000.0, "EUR", rough),
        "converter": Assumption(60_000.0, "EUR", "frequency conversion of a node whose sheet has it; " + rough),
        "telescope": Assumption(200_000.0, "EUR", rough),
        "satellite": replace(
            _priced("micius_initial_funding"),
            source=_priced("micius_initial_funding").source + "; a dollar taken as a euro",
        ),
        "node_power": Assumption(10_000.0, "W", rough),
        "refrigerator_power": Assumption(15_000.0, "W", rough),
        "station_power": Assumption(3_000.0, "W", rough),
        "electricity": Assumption(0.2, "EUR/kWh", rough),
        "upkeep": Assumption(0.1, "1/yr", "share of the capital per year; " + rough),
        "lifetime": Assumption(10.0, "yr", "over which capital is written off; " + rough),
        "up_time": Assumption(1.0, "1", "share of the year in which flows run"),
    }


KINDS: Mapping[str, tuple[str, ...]] = {
    "nv": ("nv_node", "cryostat_4K"),
    "siv": ("nv_node", "dilution_refrigerator"),
    "ion": ("ion_node",),
    "rb": ("ion_node",),
    "ensemble": ("ion_node",),
    "afc": ("nv_node", "cryostat_4K"),
    "qd": ("pair_source", "snspd_system", "cryostat_4K"),
    "spdc": ("pair_source", "snspd_system"),
}
"""What a node of a platform consists of, by the first word of its name; others are taken as NV nodes."""

PART_OF: Mapping[str, str] = {
    "nv_node": "memory",
    "ion_node": "memory",
    "pair_source": "source",
    "converter": "conversion",
    "cryostat_4K": "cryostat",
    "dilution_refrigerator": "cryostat",
    "snspd_system": "detectors",
    "housing": "housing",
    "telescope": "telescopes",
    "satellite": "satellite",
}
"""Which part each price is for; of a memory node's the share `electronics_share` is for its electronics and lasers."""


WAYS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "free-space": ("two telescopes, and a station with detectors and housing", ("telescope", "telescope")),
    "satellite": (
        "a satellite of its own, two telescopes, detectors and housing",
        ("satellite", "telescope", "telescope"),
    ),
    "satellite-pass": (
        "a satellite of its own, two telescopes, detectors and housing",
        ("satellite", "telescope", "telescope"),
    ),
    "satellite-link": ("a satellite of its own, a telescope, detectors and housing", ("satellite", "telescope")),
}
"""What a link is made of beside its station, by its medium; others lease their fibre."""


def changed(settings: Mapping[str, float]) -> dict[str, Assumption]:
    """Return the assumptions with some values changed.

    Raises
    ------
    ConfigError
        If one is unknown, or its value impossible.
    """
    found = assumptions()
    for name, value in settings.items():
        if name not in found:
            raise ConfigError(
                f"--assume {name}={value:g}  '{name}' is not an assumption.\n"
                f"Assumptions: {', '.join(found)}.{nearest(name, found)}"
            )
        positive = name in {"lifetime", "up_time"}
        most = 1.0 if name in {"up_time", "electronics_share"} else float("inf")
        if not (value > 0 if positive else value >= 0) or value > most:
            words = "positive" if positive else "not negative"
            raise ConfigError(f"--assume {name}={value:g}  must be {words}{'' if most > 1 else ', and at most 1'}.")
        found[name] = Assumption(value, found[name].unit, "given by the user")
    return found


@dataclass(frozen=True, slots=True)
class Part:
    """A part of something that costs: capital [EUR], operation without electricity [EUR/yr], power [W]."""

    name: str
    capital: float
    operation: float
    power: float = 0.0

    def yearly(self, given: Mapping[str, Assumption]) -> float:
        """Return what it costs in a year: capital written off, operation, electricity [EUR/yr]."""
        electricity = self.power / 1000 * HOURS_A_YEAR * given["electricity"].value
        return self.capital / given["lifetime"].value + self.operation + electricity

    def data(self, given: Mapping[str, Assumption]) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "name": self.name,
            "capital_eur": self.capital,
            "operation_eur_yr": self.operation,
            "power_w": self.power,
            "yearly_eur": self.yearly(given),
        }


def together(name: str, parts: Iterable[Part]) -> Part:
    """Return the sum of parts under one name."""
    found = list(parts)
    return Part(name, *(sum(getattr(part, of) for part in found) for of in ("capital", "operation", "power")))


@dataclass(frozen=True, slots=True)
class Item:
    """A node or a link: its parts, and what it is."""

    name: str
    parts: tuple[Part, ...]
    basis: str

    @property
    def whole(self) -> Part:
        """All parts together."""
        return together(self.name, self.parts)


@dataclass(frozen=True, slots=True)
class Yield:
    """What a flow gets for it: pairs and secret bits per second, measured or expected; or why there are no bits."""

    name: str
    pairs_hz: float
    secret_hz: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class Bill:
    """The cost of a network; `measured` if its flows are those of a run, and so come together."""

    nodes: tuple[Item, ...]
    links: tuple[Item, ...]
    flows: tuple[Yield, ...]
    given: Mapping[str, Assumption]
    measured: bool = False

    @property
    def yearly(self) -> float:
        """Everything together [EUR/yr]."""
        return self.whole.yearly(self.given)

    @property
    def capital(self) -> float:
        """Everything together [EUR]."""
        return self.whole.capital

    @property
    def power(self) -> float:
        """Everything together [W]."""
        return self.whole.power

    @property
    def whole(self) -> Part:
        """Everything together."""
        return together("all", self.by_part)

    @property
    def by_part(self) -> tuple[Part, ...]:
        """The parts of all nodes and links, those of one name together, the dearest first."""
        parts: dict[str, list[Part]] = {}
        for item in (*self.nodes, *self.links):
            for part in item.parts:
                parts.setdefault(part.name, []).append(part)
        sums = [together(name, ones) for name, ones in parts.items()]
        return tuple(sorted(sums, key=lambda part: -part.yearly(self.given)))

    @property
    def no_bits(self) -> str:
        """Why there is no price of a secret bit; empty if there is one."""
        if not self.flows:
            return "there is no flow"
        whys = dict.fromkeys(flow.why for flow in self.flows if not flow.secret_hz)
        return "" if any(flow.secret_hz for flow in self.flows) else "; ".join(whys)

    def per(self, rate: float) -> float | None:
        """Return the price of one of something that comes at a rate [EUR]; None if none comes."""
        made = rate * YEAR_S * self.given["up_time"].value
        return self.yearly / made if made else None

    def data(self) -> dict[str, Any]:
        """Return it as plain data."""
        add = sum if self.measured else max  # an expected flow is expected alone
        pairs, bits = (
            add(getattr(flow, name) for flow in self.flows) if self.flows else 0.0 for name in ("pairs_hz", "secret_hz")
        )
        return {
            "nodes": [self._item(item) for item in self.nodes],
            "links": [self._item(item) for item in self.links],
            "measured": self.measured,
            "flows": [
                {
                    "name": f.name,
                    "pairs_hz": f.pairs_hz,
                    "secret_hz": f.secret_hz,
                    "eur_per_pair": self.per(f.pairs_hz),
                    "eur_per_secret_bit": self.per(f.secret_hz),
                    **({"why_no_secret_bit": f.why} if f.why else {}),
                }
                for f in self.flows
            ],
            "capital_eur": self.capital,
            "yearly_eur": self.yearly,
            "power_w": self.power,
            "eur_per_pair": self.per(pairs),
            "eur_per_secret_bit": self.per(bits),
            **({"why_no_secret_bit": self.no_bits} if self.no_bits else {}),
            "parts": [part.data(self.given) for part in self.by_part],
            "assumptions": {
                name: {"value": a.value, "unit": a.unit, "source": a.source} for name, a in self.given.items()
            },
        }

    def _item(self, item: Item) -> dict[str, Any]:
        parts = [part.data(self.given) for part in item.parts]
        return {**item.whole.data(self.given), "basis": item.basis, "parts": parts}


def bill(plan: Plan, given: Mapping[str, Assumption], summary: Mapping[str, Any] | None = None) -> Bill:
    """Return what the network of a plan costs.

    A node costs what its data sheet says, or what its kind is assumed to; a link its leased fibre, or what stands for it
    in the air and in orbit, and a station with detectors.  Flows get what a run's summary says, or else what their routes
    promise if each were alone; secret bits are those of the sifted bits of key flows and their counted errors, or else of
    Werner pairs of which half are sifted,
    one-way, long keys (Shor and Preskill, Phys. Rev. Lett. 85, 441, 2000).
    """
    nodes = tuple(_node(name, platform, given) for name, platform in zip(plan.names, plan.platforms, strict=True))
    links = tuple(_link(link, given) for link in plan.links)
    if summary is None:
        return Bill(nodes, links, tuple(_yield(flow) for flow in plan.flows), given)
    return Bill(nodes, links, tuple(_measured(flow) for flow in summary["flows"]), given, measured=True)


def _node(name: str, platform: Platform, given: Mapping[str, Assumption]) -> Item:
    cost = platform.cost
    if cost is not None:
        told = tuple(Part(part, one.capital, one.operation, one.power) for part, one in cost.parts.items())
        rest = Part("not told apart", cost.capital, cost.operation, cost.power)
        more = (rest,) if cost.capital or cost.operation or cost.power or not told else ()
        return Item(name, told + more, f"data sheet of {platform.name}")
    kinds = KINDS.get(platform.name.split("-", maxsplit=1)[0], ("nv_node",))
    converts = getattr(platform.interface, "conversion", None) is not None
    prices = (*kinds, "converter") if converts else kinds
    power = "refrigerator_power" if "dilution_refrigerator" in prices else "node_power"
    capital: dict[str, float] = {}
    for price in prices:
        share = given["electronics_share"].value if PART_OF[price] == "memory" else 0.0
        for part, part_share in ((PART_OF[price], 1 - share), ("electronics", share)):
            capital[part] = capital.get(part, 0.0) + part_share * given[price].value
    draws = "cryostat" if power == "refrigerator_power" else "electronics"
    parts = tuple(
        Part(part, price, given["upkeep"].value * price, given[power].value if part == draws else 0.0)
        for part, price in capital.items()
        if price or part == draws
    )
    return Item(name, parts, f"{platform.name}: {' and '.join(prices)} (assumed)")


def _link(link: PlannedLink, given: Mapping[str, Assumption]) -> Item:
    fibre = (f"{link.fibre.length:g} km of leased fibre, a station with detectors and housing", ())
    basis, more = WAYS.get(link.medium, fibre)
    capital: dict[str, float] = {}
    for price in ("snspd_system", "housing", *more):
        capital[PART_OF[price]] = capital.get(PART_OF[price], 0.0) + given[price].value
    power = {"detectors": given["station_power"].value}
    parts = [Part(part, price, given["upkeep"].value * price, power.get(part, 0.0)) for part, price in capital.items()]
    if link.medium not in WAYS:
        parts.append(Part("fibre", 0.0, link.fibre.length * given["dark_fibre_lease"].value))
    return Item(link.name, tuple(parts), f"{basis} (assumed)")


def _yield(flow: PlannedFlow) -> Yield:
    name, route, app = flow.flow.name, flow.route, flow.flow.app.name
    if route is None:
        return Yield(name, 0.0, 0.0, "no route is known before the run")
    return _keyed(name, app, route.rate, SIFTED * route.rate, _werner_errors(route.expected))


def _keyed(name: str, app: str, pairs_hz: float, sifted_hz: float, errors: tuple[float, float]) -> Yield:
    """Return what a flow gets; only a flow that makes a key has secret bits."""
    if app not in KEYS:
        return Yield(
            name, pairs_hz, 0.0, f"{name} makes no key: its application is {app}, not {' or '.join(sorted(KEYS))}"
        )
    secret = sifted_hz * _secret(*errors)
    told = (
        f"{name} has no secret bits: errors of {errors[0]:.1%} in X and {errors[1]:.1%} in Z cost more than was sifted"
    )
    return Yield(name, pairs_hz, secret, "" if secret else told if sifted_hz else f"{name} has sifted no bits")


def _measured(flow: Mapping[str, Any]) -> Yield:
    """Return what a flow of a run's summary got: of a key flow only what both ends have measured alike counts."""
    counted = (flow["e_x"], flow["e_z"])
    if None not in counted:
        errors = (float(counted[0]), float(counted[1]))
    elif flow["fidelity"]:
        errors = _werner_errors(flow["fidelity"]["mean"])
    else:
        errors = (0.5, 0.5)
    sifted = flow.get("sifted_bits") or 0
    share = sifted / flow["delivered"] if flow["delivered"] else 0.0
    return _keyed(flow["name"], flow["application"], flow["rate_hz"], flow["rate_hz"] * share, errors)


def _werner_errors(fidelity: float) -> tuple[float, float]:
    error = 2 * (1 - fidelity) / 3
    return error, error


def _secret(e_x: float, e_z: float) -> float:
    return max(0.0, bbm92_fraction(min(e_x, 0.5), min(e_z, 0.5)))
