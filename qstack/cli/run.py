"""``qstack run``: run a scenario, show progress, print what came of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import click

from qstack import api
from qstack.hosts.build import Network
from qstack.study.experiment import Experiment, Progress, prepare, write
from qstack.study.result import Result


@click.command("run")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--seed", type=click.IntRange(0, (1 << 63) - 1), help="Seed of the run, instead of the scenario's.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change one value, such as run.seed=7.")
@click.option("--until", metavar="T", help="How long to run, such as '2 s', instead of the scenario's.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Write summary.json and manifest.json here."
)
@click.option(
    "--trace", "trace", type=click.Path(path_type=Path, dir_okay=False), help="Write every noun that crosses a wall."
)
@click.option("--encode", is_flag=True, help="Send messages as bytes, as between real nodes.")
@click.option(
    "--shuffle-ties", type=click.IntRange(0, (1 << 63) - 1), metavar="SEED", help="Shuffle simultaneous events."
)
@click.option("--quiet", is_flag=True, help="No progress and no table; errors only.")
def command(
    file: Path,
    *,
    seed: int | None,
    settings: tuple[str, ...],
    until: str | None,
    out: Path | None,
    trace: Path | None,
    encode: bool,
    shuffle_ties: int | None,
    quiet: bool,
) -> int:
    """Run a scenario.  The seed decides everything: the same seed gives the same bytes."""
    if encode:
        settings = (*settings, "run.encode=true")
    if shuffle_ties is not None:
        settings = (*settings, f"run.shuffle_ties={shuffle_ties}")
    experiment = api.load(file, seed=seed, until=until, settings=settings)
    result = execute(experiment, out=out, trace=trace, quiet=quiet)
    return 1 if result.failures or result.interrupted else 0


def execute(
    experiment: Experiment, *, shot: int = 0, out: Path | None = None, trace: Path | None = None, quiet: bool = False
) -> Result:
    """Run with a progress bar where somebody is looking, write what is asked for, and print what came of it."""
    begin = perf_counter()
    if out:
        prepare(out)
    sink = experiment.manager.sink(trace) if trace else None
    with _progress(quiet=quiet) as progress:
        result = experiment.run(shot=shot, trace=sink, progress=progress)
    seconds = perf_counter() - begin
    written = write(out, result, experiment.manifest(result), experiment.manager.files()) if out else ()
    if not quiet:
        from qstack.cli.report import report

        report(experiment, result, seconds, [*written, *([trace] if trace else [])])
    for failure in result.failures:
        click.echo(f"failed  {failure}", err=True)
    return result


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Progress | None]:
    """Give a progress bar on standard error if that is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=1.0)

        def show(network: Network, end: int) -> None:
            done = network.simulation.now / end
            shares = [
                len(r.pairs) / f.flow.number
                for r, f in zip(network.recorder.flows, network.plan.flows, strict=True)
                if f.flow.number
            ]
            if len(shares) == len(network.plan.flows):
                done = max(done, min(shares))
            pairs = sum(len(record.pairs) for record in network.recorder.flows)
            bar.update(
                task, completed=min(1.0, done), description=f"{network.simulation.now * 1e-12:.3g} s, {pairs} pairs"
            )

        yield show
