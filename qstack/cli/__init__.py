"""The command line: one file per command, gathered through the hook ``qstack_commands``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from qstack.core.errors import ConfigError, PluginError, QstackError

CODES = ((ConfigError, 2), (PluginError, 3), (QstackError, 1))
"""Exit codes: 0 done, 1 the run or a check failed, 2 bad input, 3 plugin trouble."""


def commands() -> list[click.Command]:
    """Return the built-in commands."""
    from qstack.cli import (
        check,
        compare,
        conform,
        cost,
        demo,
        hardware,
        keys,
        new,
        plugins,
        replay,
        run,
        schema,
        serve,
        spec,
        trace,
        validate,
        wire,
    )

    parts = (
        run,
        compare,
        replay,
        check,
        demo,
        trace,
        wire,
        validate,
        hardware,
        cost,
        keys,
        new,
        conform,
        spec,
        schema,
        serve,
        plugins,
    )
    return [module.command for module in parts]


def group(found: dict[str, click.Command]) -> click.Group:
    """Return the program with its commands."""
    from qstack.study.experiment import own_version

    @click.group(
        commands=found,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
        epilog="Exit codes: 0 done; 1 the run or a check failed; 2 bad input; 3 plugin trouble.",
    )
    @click.version_option(own_version(), prog_name="qstack", message="%(prog)s %(version)s")
    def program() -> None:
        """Build, run and judge quantum networks: the protocol stack of the quantum internet."""

    return program


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit with its code; every error that a user can cause is one clear message."""
    sys.exit(invoke(arguments))


def invoke(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    from qstack import api

    try:
        found: dict[str, Any] = api.manager().offers("commands")
        code = group(found).main(args=arguments, standalone_mode=False)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return 1
    except QstackError as error:
        click.echo(str(error), err=True)
        return next(code for kind, code in CODES if isinstance(error, kind))
    return code if isinstance(code, int) else 0
