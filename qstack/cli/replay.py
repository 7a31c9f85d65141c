"""``qstack replay``: repeat a run from its manifest, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from qstack import api
from qstack.cli.report import report
from qstack.cli.run import execute
from qstack.core.errors import ConfigError
from qstack.study.experiment import from_manifest, versions, write
from qstack.study.result import digest, to_json


@click.command("replay")
@click.argument("manifest", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Write summary.json and manifest.json here."
)
@click.option("--quiet", is_flag=True, help="No progress and no table; errors only.")
def command(manifest: Path, *, out: Path | None, quiet: bool) -> int:
    """Repeat the run of a manifest and tell whether its summary is the same, byte for byte."""
    data = _read(manifest)
    experiment = from_manifest(data, api.manager(manifest.parent))
    result, seconds = execute(experiment, trace=None, quiet=quiet)
    manifest_now = {**experiment.manifest(result), "versions": versions()}
    written = write(out, result, manifest_now, experiment.manager.files()) if out else ()
    if not quiet:
        report(experiment, result, seconds, list(written))
    if result.interrupted:
        return 1
    if digest(to_json(result.summary())) == data["summary_sha256"]:
        if not quiet:
            click.echo("The summary is the same, byte for byte.")
        return 0
    there, here = data.get("versions", {}), versions()
    differences = [f"{name} {there.get(name)} then, {here[name]} now" for name in here if there.get(name) != here[name]]
    changed = ", ".join(differences + experiment.manager.differences(data["plugins"]))
    click.echo(f"The summary differs from the recorded run ({changed or 'same versions'}).", err=True)
    return 1


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}  cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}  is not UTF-8 text.") from error
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}:{error.lineno}  broken JSON: {error.msg}.") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path}  is not a manifest of a run.")
    return data
