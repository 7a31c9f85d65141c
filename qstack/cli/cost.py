"""``qstack cost``: what a network costs, per node, link, delivered pair and secret bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qstack import api
from qstack.core.errors import ConfigError
from qstack.scenario.load import text_of
from qstack.scenario.problems import refusal
from qstack.study.cost import Bill, Item, Part, bill, changed, together
from qstack.study.result import SCHEMA

if TYPE_CHECKING:
    from rich.table import Table

SHOWN = 20
"""Rows of a table; the others are summed up."""


@click.command("cost")
@click.argument("scenario", type=click.Path(path_type=Path))
@click.option("--assume", "changes", multiple=True, metavar="NAME=VALUE", help="Change one assumption.")
@click.option("--summary", type=click.Path(path_type=Path), help="A run's summary.json: prices of what it delivered.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def command(scenario: Path, changes: tuple[str, ...], summary: Path | None, *, as_json: bool) -> None:
    """Add up what the network of a scenario costs; nothing is run.  Every price is an assumption unless a sheet has it."""
    given = changed(dict(_change(text) for text in changes))
    found = bill(api.load(scenario).plan, given, _summary(summary) if summary else None)
    if as_json:
        click.echo(json.dumps(found.data(), indent=2, allow_nan=False))
        return
    _print(found)


def _summary(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(text_of(path))
    except ValueError as error:
        raise refusal(str(path), f"broken JSON: {error}.") from error
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise refusal(str(path), f"is not the summary of a run (its 'schema' would be '{SCHEMA}').")
    return data


def _change(text: str) -> tuple[str, float]:
    name, equals, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not equals or not abs(number) < float("inf"):
        raise ConfigError(f"--assume {text}  expected NAME=VALUE, such as lifetime=15.")
    return name, number


def _print(found: Bill) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    data = found.data()
    for title, items in (("node", found.nodes), ("link", found.links)):
        console.print(_items(title, items, found))
        console.print()
    console.print(_items("part", tuple(Item(part.name, (part,), "") for part in found.by_part), found))
    console.print()
    flows = Table("flow", "pairs/s", "secret bit/s", "EUR a pair", "EUR a secret bit", box=None, pad_edge=False)
    for flow in found.flows:
        prices = (found.per(flow.pairs_hz), found.per(flow.secret_hz))
        flows.add_row(flow.name, f"{flow.pairs_hz:.3g}", f"{flow.secret_hz:.3g}", *(_price(price) for price in prices))
    console.print(flows)
    rates = "as the run delivered" if found.measured else "as their routes promise, each alone"
    console.print(f"(each flow as if it alone paid for the network; rates {rates})", soft_wrap=True)
    if found.no_bits:
        console.print(f"No price of a secret bit: {found.no_bits}.", soft_wrap=True)
    console.print()
    console.print(
        f"Together: {found.capital:,.0f} EUR to build, {found.yearly:,.0f} EUR a year, {found.power / 1000:,.1f} kW; "
        f"{_price(data['eur_per_pair'])} EUR a pair, {_price(data['eur_per_secret_bit'])} EUR a secret bit.",
        soft_wrap=True,
    )
    console.print("\nAssumed, each changed by --assume NAME=VALUE:")
    for name, assumption in found.given.items():
        console.print(f"  {name} = {assumption.value:g} {assumption.unit}: {assumption.source}", soft_wrap=True)


def _items(title: str, items: tuple[Item, ...], found: Bill) -> Table:
    from rich.table import Table

    table = Table(title, "EUR", "EUR/yr", "kW", "what it is", box=None, pad_edge=False)
    for item in items[:SHOWN]:
        table.add_row(item.name, *_sums(item.whole, found), item.basis)
    rest = items[SHOWN:]
    if rest:
        name = f"{len(rest)} more"
        table.add_row(name, *_sums(together(name, (item.whole for item in rest)), found), "")
    return table


def _sums(part: Part, found: Bill) -> tuple[str, str, str]:
    return f"{part.capital:,.0f}", f"{part.yearly(found.given):,.0f}", f"{part.power / 1000:g}"


def _price(price: float | None) -> str:
    return "-" if price is None else f"{price:.3g}"
