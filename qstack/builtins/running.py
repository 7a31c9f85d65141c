"""What stands around a run: trace sinks, commands, specifications."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from qstack.core.errors import ConfigError
from qstack.plugin.contracts import (
    Offer,
    Options,
)
from qstack.plugin.hooks import hookimpl


def _json_lines(options: Options, path: Path) -> Any:
    from qstack.trace.sinks import JsonLines  # noqa: PLC0415 - traces stand above the parts that a run is built from

    try:
        return JsonLines(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}.") from error


@hookimpl
def qstack_sinks() -> list[Offer]:
    """Offer JSON lines."""
    return [Offer("jsonl", _json_lines, summary="one JSON object a line; `qstack trace` reads it")]


@hookimpl
def qstack_commands() -> Iterable[click.Command]:
    """Offer the commands of the command line."""
    from qstack.cli import commands  # noqa: PLC0415 - built-in parts are loaded without a command line too

    return commands()


@hookimpl
def qstack_specs() -> list[Path]:
    """Offer the specifications: in the package of a wheel, beside it in a checkout."""
    package = Path(__file__).parent.parent
    return [folder for folder in (package / "specs", package.parent / "specs") if folder.is_dir()][:1]
