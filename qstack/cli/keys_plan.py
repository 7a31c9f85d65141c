"""``qstack keys plan``: who needs keys, what the network yields, and what happens when something happens."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from qstack import api
from qstack.study.keys_cases import Case, Served, bits_text, cases, summary
from qstack.study.keys_plan import Demand, load_plan
from qstack.study.keys_policy import CLASSES, order


def show(path: Path, *, as_json: bool) -> bool:
    """Print what a plan comes to; return whether the quiet network serves every demand."""
    loaded = load_plan(path, api.manager(path.parent))
    found = cases(loaded)
    if as_json:
        click.echo(json.dumps(summary(loaded, found), indent=2, allow_nan=False))
    else:
        console = Console(highlight=False)
        console.print(f"{loaded.plan.name}\n", markup=False)
        console.print(_demands(loaded.plan.demands))
        for case in found:
            console.print(f"\n-- {case.name}", markup=False)
            _print(console, case, links=case is found[0])
    return all(one.decision.method for one in found[0].served)


def _demands(demands: tuple[Demand, ...]) -> Table:
    table = Table("demand", "class", "from", "to", "needs", "allowed, in order", box=None, pad_edge=False)
    for one in demands:
        row = CLASSES[one.data]
        table.add_row(
            one.name,
            one.data,
            one.source,
            one.target,
            f"{bits_text(one.need)} bit/s",
            ", ".join(order(row, one.prefer)),
        )
    return table


def _print(console: Console, case: Case, *, links: bool) -> None:
    dead = [one for one in case.yields if one.why and not one.eve]
    if links:
        table = Table("between", "secret bit/s", "error", "block", box=None, pad_edge=False)
        for one in case.yields:
            block = one.why or f"{one.block_bits} bits in {one.block_s:.3g} s"
            table.add_row(" - ".join(one.stops), bits_text(one.rate), f"{one.error:.1%}", block)
        console.print(table)
        console.print()
    else:
        for one in dead:
            console.print(f"{' - '.join(one.stops)}: {one.why}", markup=False, soft_wrap=True)
        for one in case.yields:
            if one.eve:
                console.print(f"{' - '.join(one.stops)}: {one.eve}", markup=False, soft_wrap=True)
    table = Table("demand", "protection", "way", "", box=None, pad_edge=False)
    for served in case.served:
        table.add_row(served.demand.name, served.decision.method or "none", _way(served), served.event)
    console.print(table)
    for served in case.served:
        for method, why in served.decision.rejected:
            console.print(f"{served.demand.name}: no {method}: {why}", markup=False, soft_wrap=True)


def _way(served: Served) -> str:
    return " - ".join(served.stops) or "-"
