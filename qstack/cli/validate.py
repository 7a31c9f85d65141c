"""``qstack validate``: check the physics against golden vectors."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from qstack.core.errors import ConfigError

if TYPE_CHECKING:
    from qstack.validation import Verdict


@click.command("validate")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, a summary last.")
@click.option("--experiments", is_flag=True, help="FILE holds experiments: predict them instead.")
def command(file: Path, *, as_json: bool, experiments: bool) -> None:
    """Compute every vector of FILE and compare, or predict the experiments of FILE.

    Kinds that are not supported are listed and never counted as passed.  Exit status: 0 if at least one vector passed
    and none failed, 1 otherwise, 2 if the file cannot be used.  Predictions are compared with nothing: 0.
    """
    if experiments:
        _predict(file, as_json=as_json)
        return
    from qstack.validation import run_file

    try:
        verdicts = run_file(file)
    except ConfigError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    counts = Counter(verdict.status for verdict in verdicts)
    if as_json:
        for verdict in verdicts:
            click.echo(json.dumps(asdict(verdict)))
        click.echo(json.dumps({status: counts[status] for status in ("passed", "failed", "unsupported")}))
    else:
        _print(verdicts)
        click.echo(f"{counts['passed']} passed, {counts['failed']} failed")
    sys.exit(0 if counts["passed"] and not counts["failed"] else 1)


def _predict(file: Path, *, as_json: bool) -> None:
    from qstack.study.predictions import predict_file

    try:
        found = list(predict_file(file))
    except ConfigError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    if as_json:
        for prediction, _ in found:
            click.echo(prediction.line())
        return
    last = ""
    for prediction, used in found:
        if prediction.id != last:
            last = prediction.id
            click.echo(f"\n{last}")
            for known in used.values():
                click.echo(f"    {known.name} = {_plain(known.value)} +- {_plain(known.sigma)}  ({known.source})")
        setting = ", ".join(f"{key} {value}" for key, value in prediction.setting.items())
        what = f"  {prediction.quantity}" + (f" ({setting})" if setting else "")
        value = prediction.value
        low, high = prediction.low, prediction.high
        click.echo(
            f"{what}: {prediction.reason}" if value is None else f"{what}: {value:.4g} ({low:.4g} to {high:.4g})"
        )


def _plain(value: float | list[float]) -> str:
    """Write a number, or several."""
    return ", ".join(f"{number:.4g}" for number in (value if isinstance(value, list) else [value]))


def _print(verdicts: list[Verdict]) -> None:
    kind_width, id_width = (max(len(getattr(v, name)) for v in verdicts) for name in ("kind", "id"))
    click.echo(f"{'kind':{kind_width}}  {'id':{id_width}}  {'result':11}  deviation  allowed")
    for v in verdicts:
        deviation = "-" if v.deviation is None else f"{v.deviation:.1e}"
        click.echo(f"{v.kind:{kind_width}}  {v.id:{id_width}}  {v.status:11}  {deviation:9}  {v.tolerance:.1e}")
    for v in verdicts:
        if v.status == "failed":
            click.echo(f"{v.id}: {v.reason}")
    unsupported = Counter(v.kind for v in verdicts if v.status == "unsupported")
    if unsupported:
        click.echo("Not supported: " + ", ".join(f"{kind} ({number})" for kind, number in unsupported.items()))
