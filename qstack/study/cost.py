"""What a network costs: nodes, stations, fibre and electricity; per year, per delivered pair, per secret bit.

Every price is an assumption for planning unless a data sheet gives its own (``cost:``).  `ASSUMPTIONS` names them all;
each can be changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import mean
from typing import Any

from qstack.core.errors import ConfigError
from qstack.plugin.contracts import Platform
from qstack.plugin.spelling import nearest
from qstack.quantum.bounds import bbm92_fraction
from qstack.scenario.plan import Plan, PlannedFlow, PlannedLink
from qstack.study.inputs import published

YEAR_S = 365.25 * 86400
HOURS_A_YEAR = YEAR_S / 3600


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
    "qd": ("snspd_system", "cryostat_4K"),
    "spdc": ("snspd_system",),
}
"""What a node of a platform consists of, by the first word of its name; others are taken as NV nodes."""


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
        if not (value > 0 if positive else value >= 0) or (name == "up_time" and value > 1):
            raise ConfigError(f"--assume {name}={value:g}  must be {'positive' if positive else 'not negative'}.")
        found[name] = Assumption(value, found[name].unit, "given by the user")
    return found


@dataclass(frozen=True, slots=True)
class Item:
    """Something that costs: capital [EUR], operation without electricity [EUR/yr], power [W], and what it is."""

    name: str
    capital: float
    operation: float
    power: float
    basis: str

    def yearly(self, given: Mapping[str, Assumption]) -> float:
        """Return what it costs in a year: capital written off, operation, electricity [EUR/yr]."""
        electricity = self.power / 1000 * HOURS_A_YEAR * given["electricity"].value
        return self.capital / given["lifetime"].value + self.operation + electricity


@dataclass(frozen=True, slots=True)
class Yield:
    """What a flow gets for it: pairs and secret bits per second, measured or expected."""

    name: str
    pairs_hz: float
    secret_hz: float


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
        return sum(item.yearly(self.given) for item in (*self.nodes, *self.links))

    @property
    def capital(self) -> float:
        """Everything together [EUR]."""
        return sum(item.capital for item in (*self.nodes, *self.links))

    @property
    def power(self) -> float:
        """Everything together [W]."""
        return sum(item.power for item in (*self.nodes, *self.links))

    def per(self, rate: float) -> float | None:
        """Return the price of one of something that comes at a rate [EUR]; None if none comes."""
        made = rate * YEAR_S * self.given["up_time"].value
        return self.yearly / made if made else None

    def data(self) -> dict[str, Any]:
        """Return it as plain data."""
        together = sum if self.measured else max  # an expected flow is expected alone
        pairs, bits = (together(getattr(flow, name) for flow in self.flows) for name in ("pairs_hz", "secret_hz"))
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
                }
                for f in self.flows
            ],
            "capital_eur": self.capital,
            "yearly_eur": self.yearly,
            "power_w": self.power,
            "eur_per_pair": self.per(pairs),
            "eur_per_secret_bit": self.per(bits),
            "assumptions": {
                name: {"value": a.value, "unit": a.unit, "source": a.source} for name, a in self.given.items()
            },
        }

    def _item(self, item: Item) -> dict[str, Any]:
        return {
            "name": item.name,
            "capital_eur": item.capital,
            "operation_eur_yr": item.operation,
            "power_w": item.power,
            "yearly_eur": item.yearly(self.given),
            "basis": item.basis,
        }


def bill(plan: Plan, given: Mapping[str, Assumption], summary: Mapping[str, Any] | None = None) -> Bill:
    """Return what the network of a plan costs.

    A node costs what its data sheet says, or what its kind is assumed to; a link its leased fibre, or what stands for it
    in the air and in orbit, and a station with detectors.  Flows get what a run's summary says, or else what their routes
    promise if each were alone; secret bits are those of the sifted bits and their counted errors, or else of Werner pairs,
    one-way, long keys (Shor and Preskill, Phys. Rev. Lett. 85, 441, 2000).
    """
    nodes = tuple(_node(name, platform, given) for name, platform in zip(plan.names, plan.platforms, strict=True))
    links = tuple(_link(link, given) for link in plan.links)
    if summary is None:
        return Bill(nodes, links, tuple(_yield(flow) for flow in plan.flows), given)
    return Bill(nodes, links, tuple(_measured(flow) for flow in summary["flows"]), given, measured=True)


def _node(name: str, platform: Platform, given: Mapping[str, Assumption]) -> Item:
    if platform.cost is not None:
        cost = platform.cost
        return Item(name, cost.capital, cost.operation, cost.power, f"data sheet of {platform.name}")
    parts = KINDS.get(platform.name.split("-", maxsplit=1)[0], ("nv_node",))
    capital = sum(given[part].value for part in parts)
    cold = "refrigerator_power" if "dilution_refrigerator" in parts else "node_power"
    basis = f"{platform.name}: {' and '.join(parts)} (assumed)"
    return Item(name, capital, given["upkeep"].value * capital, given[cold].value, basis)


def _link(link: PlannedLink, given: Mapping[str, Assumption]) -> Item:
    lease = 0.0 if link.medium in WAYS else link.fibre.length * given["dark_fibre_lease"].value
    fibre = (f"{link.fibre.length:g} km of leased fibre, a station with detectors and housing", ())
    basis, parts = WAYS.get(link.medium, fibre)
    capital = sum(given[part].value for part in ("snspd_system", "housing", *parts))
    operation = lease + given["upkeep"].value * capital
    return Item(link.name, capital, operation, given["station_power"].value, f"{basis} (assumed)")


def _yield(flow: PlannedFlow) -> Yield:
    route = flow.route
    if route is None:
        return Yield(flow.flow.name, 0.0, 0.0)
    return Yield(flow.flow.name, route.rate, route.rate * _secret(*_werner_errors(route.expected)))


def _measured(flow: Mapping[str, Any]) -> Yield:
    """Return what a flow of a run's summary got: of a key flow only what both ends have measured alike counts."""
    counted = (flow["e_x"], flow["e_z"])
    if None not in counted:
        errors = (float(counted[0]), float(counted[1]))
    elif flow["fidelity"]:
        errors = _werner_errors(flow["fidelity"]["mean"])
    else:
        errors = (0.5, 0.5)
    sifted = flow.get("sifted_bits")
    share = 1.0 if sifted is None else sifted / flow["delivered"] if flow["delivered"] else 0.0
    return Yield(flow["name"], flow["rate_hz"], flow["rate_hz"] * share * _secret(*errors))


def _werner_errors(fidelity: float) -> tuple[float, float]:
    error = 2 * (1 - fidelity) / 3
    return error, error


def _secret(e_x: float, e_z: float) -> float:
    return max(0.0, bbm92_fraction(min(e_x, 0.5), min(e_z, 0.5)))
