"""``qstack conform``: judge an implementation that somebody else has written."""

from __future__ import annotations

import click

from qstack.cli import keys


@click.group("conform")
def command() -> None:
    """Judge an implementation: which rule it breaks, in words."""


command.add_command(keys.conform, "etsi014")
