"""``qstack compare``: variants of one scenario side by side, with confidence intervals."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import isnan
from pathlib import Path
from typing import Any

import click

from qstack import api
from qstack.study.comparison import QUANTITIES, Interval, Series, compared, plan, run, variants

LEAST_WIDTH = 90
"""On a narrower terminal lines run on."""

SHOWN = {
    "rate_hz": ("rate", "Hz", 1.0),
    "fidelity": ("fidelity", "", 1.0),
    "latency_s": ("latency", "ms", 1e3),
    "qber": ("errors", "%", 100.0),
}
"""Title, unit and factor of every quantity."""


@click.command("compare")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--vary",
    "varied",
    multiple=True,
    required=True,
    metavar="KEY=A,B",
    help="Values to compare, such as stack.network.routing=shortest,widest; several keys give every combination.",
)
@click.option("--runs", type=click.IntRange(2, 10_000), default=8, show_default=True, help="Runs of each variant.")
@click.option("--seed", type=click.IntRange(0, (1 << 63) - 1), help="Seed of all runs, instead of the scenario's.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change one value in all variants.")
@click.option("--until", metavar="T", help="How long to run, such as '2 s', instead of the scenario's.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keep every run here, a line of JSON each; what is there is not run again.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def command(
    file: Path,
    *,
    varied: tuple[str, ...],
    runs: int,
    seed: int | None,
    settings: tuple[str, ...],
    until: str | None,
    out: Path | None,
    as_json: bool,
) -> int:
    """Run a scenario in several variants and tell what differs.

    All variants run with the same draws, and differences are taken run by run.  The first variant is what the others
    are compared with.
    """
    series = plan(
        variants(varied), lambda changes: api.load(file, seed=seed, until=until, settings=(*settings, *changes))
    )
    with _progress() as progress:
        interrupted = run(series, runs, out, progress)
    if as_json:
        click.echo(json.dumps(_plain(series), indent=2, allow_nan=False))
    else:
        _tables(series)
    for one in series:
        if one.refused:
            click.echo(f"refused  {one.variant.label}: {one.refused}", err=True)
        for failure in one.failures:
            click.echo(f"failed  {one.variant.label}, {failure}", err=True)
    if interrupted:
        click.echo("interrupted; the runs that had ended are here", err=True)
    if any(one.refused for one in series):
        return 2
    return int(interrupted or any(one.failures for one in series))


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None] | None]:
    """Give a progress bar on standard error if that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("running", total=None)
        yield lambda done, total: bar.update(
            task, completed=done, total=total, description=f"run {done + 1} of {total}"
        )


def _tables(series: Sequence[Series]) -> None:
    """Print, for each flow, what every variant gives and how that differs from the first."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    console.width = max(console.width, LEAST_WIDTH)
    rows = list(compared(series))
    for flow in dict.fromkeys(name for name, _, _ in rows):
        own = [row for row in rows if row[0] == flow]
        told = [q for q in QUANTITIES if any(not isnan(found[q][0].mean) for _, _, found in own)]
        first = own[0][1].variant.label
        for place, title, shown in ((0, flow, own), (1, "difference", own[1:])):
            table = _table(title, told)
            for _, one, found in shown:
                cells = (_with_error(found[q][place], SHOWN[q][2], signed=bool(place)) for q in told)
                table.add_row(Text(one.variant.label), *cells)
            if place:
                console.print(Text(f"Difference from {first}:"), soft_wrap=True)
            console.print(table)
            console.print()
    least = min((len(one.runs) for one in series if one.runs), default=0)
    click.echo(f"Means of {least} runs of each; ± is half of a 95 % interval; * marks an interval that excludes zero.")


def _table(title: str, quantities: Sequence[str]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(Text(title), overflow="fold", min_width=16)
    for name, unit, _ in (SHOWN[quantity] for quantity in quantities):
        table.add_column(Text(f"{name}, {unit}" if unit else name), justify="right", no_wrap=True)
    return table


def _with_error(value: Interval, factor: float, *, signed: bool = False) -> str:
    """Write a mean with as many digits as its error allows."""
    if isnan(value.mean):
        return "-"
    if isnan(value.half):
        return f"{value.mean * factor:.4g}"
    half = value.half * factor
    digits = 3 if half == 0 else max(0, min(9, 1 - int(f"{half:e}".rpartition("e")[2])))
    star = "*" if signed and value.sign else " " if signed else ""
    return f"{value.mean * factor:{'+' if signed else ''}.{digits}f} ± {half:.{digits}f}{star}"


def _plain(series: Sequence[Series]) -> dict[str, Any]:
    rows = [
        {
            "flow": flow,
            "variant": list(one.variant.settings),
            "runs": len(one.runs),
            **{
                quantity: {
                    "mean": _known(own.mean),
                    "half": _known(own.half),
                    "difference": _known(difference.mean),
                    "difference_half": _known(difference.half),
                }
                for quantity, (own, difference) in found.items()
            },
        }
        for flow, one, found in compared(series)
    ]
    refused = [{"variant": list(one.variant.settings), "reason": one.refused} for one in series if one.refused]
    return {"rows": rows, "refused": refused}


def _known(value: float) -> float | None:
    return None if isnan(value) else value
