"""``qstack hardware pass``: what the links of a scenario that come and go give from time to time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from qstack import api
from qstack.scenario.plan import PlannedLink
from qstack.scenario.problems import refusal
from qstack.study.platforms import Moment, over_time
from qstack.study.sky import PassKey, pass_keys

SHOWN = 15
"""Lines of the table of one link."""


@click.command("pass")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table: every step.")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Draw into FILE.svg or FILE.png.")
def command(file: Path, *, as_json: bool, plot: Path | None) -> None:
    """Show when the links of FILE are up that come and go, with rate and fidelity over the pass, and the key of each pass."""
    if plot is not None and plot.suffix not in {".svg", ".png"}:
        raise refusal(f"--plot {plot}", "a plot is an .svg or a .png.")
    plan = api.load(file).plan
    links = [link for link in plan.links if link.sheet.phases]
    if not links:
        raise refusal(str(file), "has no link that comes and goes: their media are satellite-pass and satellite-link.")
    found = [(link, over_time(link.sheet)) for link in links]
    keys = [pass_keys(link.sheet, (plan.platforms[link.ends[0]], plan.platforms[link.ends[1]])) for link in links]
    if plot is not None:
        from qstack.cli.hardware_plot import draw_passes

        draw_passes(plot, [(link.name, moments) for link, moments in found])
    if as_json:
        data = [_data(*one, made) for one, made in zip(found, keys, strict=True)]
        click.echo(json.dumps(data, indent=2))
        return
    for (link, moments), made in zip(found, keys, strict=True):
        _print(link, moments, made)
    if plot is not None:
        click.echo(f"Drawn: {plot}.")


def _data(link: PlannedLink, moments: list[Moment], keys: list[PassKey]) -> dict[str, Any]:
    return {
        "link": link.name,
        "up_s": [[start * 1e-12, end * 1e-12] for start, end in link.sheet.windows],
        "keys": [key.data() for key in keys],
        "steps": [m.data() for m in moments],
    }


def _print(link: PlannedLink, moments: list[Moment], keys: list[PassKey]) -> None:
    pairs = sum(m.rate_hz * (m.end_s - m.start_s) for m in moments)
    top = max(moments, key=lambda m: m.rate_hz)
    click.echo(f"{link.name}: {pairs:.4g} pairs can be expected, most at {top.start_s:.4g} s\n")
    click.echo("      from [s]    pairs/s    measured/s    fidelity")
    stride = max(1, -(-len(moments) // SHOWN))
    for m in moments[::stride]:
        click.echo(f"{m.start_s:14.1f} {m.rate_hz:10.4g} {m.measured_hz:13.4g} {m.fidelity:11.4f}")
    click.echo("\nA key of kept pairs (BBM92), one finite block a pass:\n")
    click.echo("      from [s]     to [s]       pairs     e_Z     e_X   secret bits   of a block without end")
    for n, key in enumerate(keys):
        words = f"   {key.why}" if key.why else ""
        words += "   all passes in one block" if n and n == len(keys) - 1 else ""
        click.echo(
            f"{key.start_s:14.1f} {key.end_s:10.1f} {key.pairs:11.4g} {key.error_key:7.2%} {key.error_test:7.2%} "
            f"{key.bits:13d} {key.long_bits:13.4g}{words}"
        )
    click.echo()
