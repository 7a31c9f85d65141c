"""``qstack replay``: repeat a run from its manifest, byte for byte."""

from __future__ import annotations

from pathlib import Path

import click

from qstack import api
from qstack.cli.run import execute
from qstack.study.experiment import Experiment, Manifest, from_manifest, read_manifest, versions
from qstack.study.result import digest, to_json


@click.command("replay", short_help="Repeat a run from its manifest.")
@click.argument("manifest", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Write summary.json and manifest.json here."
)
@click.option("--quiet", is_flag=True, help="No progress and no table; errors only.")
def command(manifest: Path, *, out: Path | None, quiet: bool) -> int:
    """Repeat the run of a manifest and tell whether its summary is the same, byte for byte."""
    recorded = read_manifest(manifest)
    experiment = from_manifest(recorded, api.manager(manifest.parent), str(manifest))
    result = execute(experiment, shot=recorded.shot, out=out, quiet=quiet)
    if result.interrupted:
        return 1
    same = digest(to_json(result.summary())) == recorded.summary_sha256
    if not (same and quiet):
        click.echo(_verdict(recorded, experiment, same=same), err=not same)
    return 0 if same else 1


def _verdict(recorded: Manifest, experiment: Experiment, *, same: bool) -> str:
    if same:
        return "The summary is the same, byte for byte."
    if recorded.summary_sha256 is None:
        return "The recorded run was interrupted, so there is nothing to compare with."
    differences = [
        f"{name} {recorded.versions.get(name)} then, {now} now"
        for name, now in versions().items()
        if recorded.versions.get(name) != now
    ]
    changed = ", ".join(differences + experiment.manager.differences(recorded.plugins))
    return f"The summary differs from the recorded run ({changed or 'same versions'})."
