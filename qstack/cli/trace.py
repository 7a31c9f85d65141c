"""``qstack trace``: read a trace, and tell the story of one pair."""

from __future__ import annotations

from pathlib import Path

import click

from qstack.core.errors import ConfigError
from qstack.trace.sinks import read
from qstack.trace.story import flows_of, line, story


@click.command("trace", short_help="Tell the story of one pair of a trace.")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--pair", type=int, help="Number of the pair; default: the first that was delivered.")
@click.option("--flow", type=int, help="Number of its flow, counted from 0; default: the first that has the pair.")
def command(file: Path, *, pair: int | None, flow: int | None) -> None:
    """Show everything that one delivered pair goes back to, from the request down to the attempts."""
    records = list(read(file))
    found = {number: pairs for number, pairs in flows_of(records).items() if flow in {None, number}}
    chosen = [(n, p) for n, pairs in sorted(found.items()) for p in sorted(pairs) if pair in {None, p}]
    if not chosen:
        have = "; ".join(f"flow {n}: {_some(sorted(pairs))}" for n, pairs in sorted(flows_of(records).items()))
        raise ConfigError(f"{file}  holds no such pair. It holds {have or 'no delivered pair at all'}.")
    number, which = chosen[0]
    click.echo(f"Pair {which} of flow {number}, {len(records)} records in the trace.\n")
    for record in story(records, which, number):
        click.echo(line(record))


def _some(numbers: list[int]) -> str:
    shown = ", ".join(str(number) for number in numbers[:10])
    return f"pairs {shown}" + (" ..." if len(numbers) > 10 else "")
