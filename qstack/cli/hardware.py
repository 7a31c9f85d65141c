"""``qstack hardware``: platforms by name or from a data sheet; what they imply, swept and compared."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import click

from qstack import api
from qstack.cli.hardware_pass import command as pass_command
from qstack.cli.hardware_values import show_values
from qstack.cli.sheets import find, medium_of, unknown, validated
from qstack.core.errors import ConfigError
from qstack.plugin.contracts import Platform
from qstack.plugin.manager import Manager
from qstack.plugin.sheet import parameters
from qstack.plugin.units import ATTENUATIONS, LENGTHS, NUMBER, POWERS, RATES, TIMES, parse, time_text
from qstack.scenario.load import from_data, text_of
from qstack.scenario.override import Setting, override
from qstack.scenario.problems import Origin, refusal
from qstack.scenario.yaml import read
from qstack.study.platforms import DISTANCES, Distance, Medium, over_distance, storage_time

MOST_POINTS = 1000
UNITS = (TIMES, LENGTHS, ATTENUATIONS, RATES, POWERS)


@click.group("hardware")
def command() -> None:
    """Look at hardware platforms before any run."""


command.add_command(pass_command)


# -- options ------------------------------------------------------------------------------------------------------------


def _quantity(units: Any, what: str, name: str) -> Callable[..., float]:
    def read_option(_: click.Context, __: click.Parameter, value: str) -> float:
        try:
            number = float(parse(value, units, what))
        except ValueError as error:
            raise refusal(f"{name} '{value}'", str(error)) from error
        if number < 0:
            raise refusal(f"{name} '{value}'", f"{what} must not be negative.")
        if number == float("inf"):
            raise refusal(f"{name} '{value}'", f"{what} must be finite.")
        return number

    return read_option


def _length(context: click.Context, parameter: click.Parameter, value: str) -> float:
    found = _quantity(LENGTHS, "a length", "--length")(context, parameter, value)
    if found == 0:
        raise refusal(f"--length '{value}'", "a length must be positive.")
    return found


def _lengths(context: click.Context, parameter: click.Parameter, values: Sequence[str]) -> list[float]:
    return sorted(_length(context, parameter, value) for value in values) or list(DISTANCES)


def _link_options(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table."),
        click.option("--medium", default="midpoint", help="What links are, as in a scenario."),
        click.option(
            "--attenuation",
            default="0.2 dB/km",
            callback=_quantity(ATTENUATIONS, "an attenuation", "--attenuation"),
            help="Of the fibre, such as '5 dB/km'.",
        ),
    ):
        function = option(function)
    return function


# -- list ---------------------------------------------------------------------------------------------------------------


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def list_platforms(*, as_json: bool) -> None:
    """List installed platforms."""
    platforms = api.manager(Path()).platforms
    rows = [
        {"name": p.name, "status": p.status, "link": p.interface.kind, "memory": p.memory.kind, "title": p.title}
        for _, p in sorted(platforms.items())
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    _table(("name", "status", "link", "memory", "title"), [tuple(row.values()) for row in rows])


# -- show ---------------------------------------------------------------------------------------------------------------


@command.command("show")
@click.argument("name", metavar="NAME|FILE")
@click.option("--length", "lengths", multiple=True, callback=_lengths, help="Such as '25 km'; may be repeated.")
@_link_options
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Draw into FILE.svg or FILE.png.")
def show(name: str, *, lengths: list[float], attenuation: float, medium: str, as_json: bool, plot: Path | None) -> None:
    """Show a platform's values with their origins, and what links and memories of it can do."""
    manager = api.manager(Path())
    platform = find(name, manager)
    if plot is not None and plot.suffix not in {".svg", ".png"}:
        raise refusal(f"--plot {plot}", "a plot is an .svg or a .png.")
    distances = over_distance(platform, medium_of(medium, manager), lengths, attenuation)
    lasting = storage_time(platform.memory.survival())
    if plot is not None:
        from qstack.cli.hardware_plot import draw

        draw(plot, platform, distances)
    if as_json:
        click.echo(json.dumps(_data(platform, distances, lasting, attenuation), indent=2))
        return
    click.echo(f"{platform.name} ({platform.status}): {platform.title or 'no title'}\n")
    show_values(platform, _table)
    for words in (*platform.sources, *(f"assumed: {text}" for text in platform.assumptions)):
        click.echo(f"  {words}")
    click.echo(
        "\nStorage never falls to 1/e." if lasting == float("inf") else f"\nStorage falls to 1/e in {lasting:.3g} s."
    )
    harm = platform.memory.dephasing_attempts
    if harm < float("inf"):
        click.echo(f"Attempts of its node dephase what is stored: coherence falls to 1/e over {harm:g} of them.")
    if platform.qubits is not None:
        q = platform.qubits
        moved = f"a move takes {time_text(q.move_time)} and mixes with probability {q.move_noise:g}"
        click.echo(f"All links share {q.communication} communication and {q.storage} storage qubits; {moved}.")
    if platform.warmth:
        click.echo(platform.warmth[0].upper() + platform.warmth[1:])
    several = f"{platform.memories} memories" if platform.memories > 1 else "one memory"
    click.echo(f"Two such nodes on a fibre of {attenuation:g} dB/km, with {several} a link.")
    click.echo("A setting is its parameter: pairs/s, fidelity.\n")
    _distances(distances)
    if plot is not None:
        click.echo(f"Drawn: {plot}.")


def _data(platform: Platform, distances: Sequence[Distance], lasting: float, attenuation: float) -> dict[str, Any]:
    return {
        "platform": platform.model_dump(mode="json"),
        "attenuation_db_km": attenuation,
        "storage_time_s": None if lasting == float("inf") else lasting,
        "distances": [
            {
                "length_km": d.length,
                "refused": d.refusal or None,
                "settings": [view.data() for view in d.views],
                "optimal_parameter": d.optimal.parameter if d.views and d.optimal else None,
            }
            for d in distances
        ],
    }


def _distances(distances: Sequence[Distance]) -> None:
    rows = []
    for d in distances:
        if not d.views:
            rows.append((f"{d.length:g} km", d.refusal, "", "", "", "", ""))
            continue
        fast, best, optimal = d.fastest, d.best, d.optimal
        rows.append(
            (
                f"{d.length:g} km",
                _setting(fast),
                _setting(best) if best is not fast else "the same",
                f"{optimal.parameter:g}" if optimal else "-",
                f"{optimal.measured_hz:.3g}" if optimal else "-",
                f"{optimal.secret_hz:.3g}" if optimal else "0",
                f"{fast.waiting:.3f} after {fast.cycle_s / fast.probability:.3g} s",
            )
        )
    titles = (
        "fibre",
        "fastest setting",
        "most faithful setting",
        "optimal parameter",
        "measured/s there",
        "secret bit/s",
        "storage keeps",
    )
    _table(titles, rows)


def _setting(view: Any) -> str:
    return f"{view.parameter:g}: {view.rate_hz:.3g}/s, {view.fidelity:.3f}"


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(title, overflow="fold", no_wrap=title == titles[0])  # a name is for copying
    for row in rows:
        table.add_row(*row)
    Console(highlight=False).print(table)


# -- sweep --------------------------------------------------------------------------------------------------------------


@command.command("sweep")
@click.argument("name", metavar="NAME|FILE")
@click.option("--set", "setting", required=True, metavar="KEY=A..B", help="Such as memory.coherence_time='1 ms..1 s'.")
@click.option("--points", default=9, type=click.IntRange(2, MOST_POINTS), help="How many values.")
@click.option("--log", "logarithmic", is_flag=True, help="Space them evenly on a logarithmic scale.")
@click.option("--length", default="10 km", callback=_length, help="Of the fibre.")
@_link_options
def sweep(
    name: str,
    *,
    setting: str,
    points: int,
    logarithmic: bool,
    length: float,
    attenuation: float,
    medium: str,
    as_json: bool,
) -> None:
    """Change one parameter of a platform in steps and show what links make of it; what is impossible says why."""
    manager = api.manager(Path())
    platform = find(name, manager)
    key, values = steps(setting, points, logarithmic=logarithmic)
    sheet = platform.model_dump(mode="json", exclude={"origins"})
    known = sorted(parameters(sheet))
    if key not in known:
        raise unknown(f"--set {setting}", key, f"a parameter of {platform.name}", known)
    make = medium_of(medium, manager)
    rows = [_step(deepcopy(sheet), key, value, manager, make, length, attenuation) for value in values]
    if as_json:
        click.echo(json.dumps({"platform": platform.name, "key": key, "length_km": length, "rows": rows}, indent=2))
        return
    click.echo(f"{platform.name}, {key}, over {length:g} km:\n")
    titles = (key, "pairs/s", "fidelity", "best fidelity", "optimal parameter", "secret bit/s", "storage keeps")
    _table(titles, [_row(row) for row in rows])
    for row in rows:
        if "refused" in row:
            click.echo(f"refused  {row['refused']}")


def _step(
    sheet: dict[str, Any], key: str, value: str | int, manager: Manager, make: Medium, length: float, attenuation: float
) -> dict[str, Any]:
    """Return what one value gives, or why it is refused."""
    option = f"{key}={value}"
    origin = override(sheet, Origin("sheet", {}), [Setting(key, value, option)])
    try:
        changed = validated(sheet, manager, origin)
    except ConfigError as error:
        return {"value": value, "refused": " ".join(str(error).splitlines()[0].split())}
    (found,) = over_distance(changed, make, [length], attenuation)
    if not found.views:
        return {"value": value, "refused": found.refusal}
    fast, optimal = found.fastest, found.optimal
    return {
        "value": value,
        "rate_hz": fast.rate_hz,
        "fidelity": fast.fidelity,
        "best_fidelity": found.best.fidelity,
        "optimal_parameter": optimal.parameter if optimal else None,
        "secret_hz": optimal.secret_hz if optimal else 0.0,
        "storage_keeps": fast.waiting,
    }


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    if "refused" in row:
        return (str(row["value"]), "refused", "", "", "", "", "")
    return tuple("-" if v is None else v if isinstance(v, str) else f"{v:.4g}" for v in row.values())


def steps(setting: str, points: int, *, logarithmic: bool) -> tuple[str, list[str | int]]:
    """Read ``KEY=A..B`` and return the key with values from A to B; whole numbers stay whole.

    Raises
    ------
    ConfigError
        If it has not this form, the units differ, or a logarithm is asked of what is not positive.
    """
    place = f"--set {setting}"
    key, equals, span = setting.partition("=")
    first, dots, last = span.partition("..")
    matches = [NUMBER.fullmatch(end) for end in (first, last)]
    if not equals or not dots or None in matches:
        raise refusal(place, "expected KEY=A..B, such as memory.coherence_time='1 ms..1 s'.")
    (low, unit), (high, other) = (match.groups() for match in matches if match)
    a, b = float(low), float(high)
    if unit != other and unit:
        table = next((table for table in UNITS if unit in table and other in table), None)
        if table is None:
            raise refusal(place, f"both ends need units of one quantity, not '{unit}' and '{other}'.")
        a *= float(table[unit] / table[other])
    if not (abs(a) < float("inf") and abs(b) < float("inf")):
        raise refusal(place, "a sweep has finite ends.")
    if logarithmic and (a <= 0 or b <= 0):
        raise refusal(place, "a logarithmic scale needs positive ends.")
    shares = [k / (points - 1) for k in range(points)]
    numbers = [a * (b / a) ** s if logarithmic else a + (b - a) * s for s in shares]
    if not other and low.lstrip("+-").isdigit() and high.lstrip("+-").isdigit() and abs(b - a) >= 1:
        return key, list(dict.fromkeys(round(number) for number in numbers))
    return key, [f"{number:.12g} {other}".rstrip() for number in numbers]


# -- compare ------------------------------------------------------------------------------------------------------------


@command.command("compare")
@click.argument("scenario", type=click.Path(path_type=Path))
@click.argument("names", nargs=-1, required=True, metavar="NAME|FILE...")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def compare(scenario: Path, names: tuple[str, ...], *, as_json: bool) -> None:
    """Put each platform at all nodes of a scenario and say what its flows can expect; nothing is run."""
    manager = api.manager(scenario.parent)
    data, origin = read(text_of(scenario), str(scenario))
    if not isinstance(data, dict) or not isinstance(data.get("network"), dict):
        raise refusal(str(scenario), "is not a scenario: it has no 'network'.")
    rows: list[dict[str, Any]] = []
    for name in names:
        platform = find(name, manager)
        changed = deepcopy(data)
        changed["network"]["hardware"] = {"all": platform.model_dump(mode="json")}
        try:
            plan = from_data(changed, manager, (), origin, scenario.parent)
        except ConfigError as error:
            rows.append({"platform": platform.name, "refused": str(error)})
            continue
        for flow in plan.flows:
            route = flow.route
            rows.append(
                {
                    "platform": platform.name,
                    "flow": flow.flow.name,
                    "hops": len(route.path) - 1 if route else None,
                    "rate_hz": route.rate if route else None,
                    "fidelity": route.expected if route else None,
                }
            )
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    shown = [row for row in rows if "refused" not in row]
    numbers = [["-" if row[k] is None else f"{row[k]:.3g}" for k in ("hops", "rate_hz", "fidelity")] for row in shown]
    titles = ("platform", "flow", "hops", "pairs/s", "fidelity")
    _table(titles, [(row["platform"], row["flow"], *more) for row, more in zip(shown, numbers, strict=True)])
    for row in rows:
        if "refused" in row:
            click.echo(f"\n{row['platform']} cannot serve this scenario:\n{row['refused']}")
