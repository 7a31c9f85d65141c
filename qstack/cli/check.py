"""``qstack check``: find every problem of a scenario without running it."""

from __future__ import annotations

from pathlib import Path

import click

from qstack import api
from qstack.scenario.plan import describe, slowest


@click.command("check", short_help="Check a scenario; nothing is run.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change one value, such as run.seed=7.")
def command(file: Path, settings: tuple[str, ...]) -> None:
    """Check a scenario and say what can be expected of it; nothing is run."""
    plan = api.load(file, settings=settings).plan
    things = (("node", plan.names), ("link", plan.links), ("flow", plan.flows))
    counted = ", ".join(f"{len(found)} {thing}{'s' * (len(found) != 1)}" for thing, found in things)
    click.echo(f"{plan.scenario.name}: {counted}.")
    for planned in plan.flows:
        flow, route = planned.flow, planned.route
        walk = f"{flow.source} to {flow.target}"
        if route is not None:
            walk = plan.view.walk(route.path)
            walk += f"; about {route.rate:.3g} pairs/s at F = {route.expected:.3f} if it were alone"
        click.echo(f"  {flow.name}: {walk}.")
    if plan.links:
        click.echo(f"Slowest link: {describe(slowest(plan.links))}.")
    click.echo("No errors.")
