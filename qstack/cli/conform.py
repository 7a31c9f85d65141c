"""``qstack conform``: judge an implementation that somebody else has written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from qstack import api
from qstack.cli import keys
from qstack.core.errors import ConfigError


class Judges(click.Group):
    """A group in which a word that is no command is the name of a subject."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Pass everything that is not for another judge to the one of layers and models."""
        if args and args[0] not in {*self.commands, *ctx.help_option_names}:
            args = ["subject", *args]
        return super().parse_args(ctx, args)


@click.group("conform", cls=Judges)
def command() -> None:
    """Judge an implementation: which rule it breaks, in words.

    `qstack conform NAME --profile link` judges an installed layer or hardware platform, `qstack conform --all`
    everything that is installed; `qstack conform subject --help` tells the options.
    """


command.add_command(keys.conform, "etsi014")


@command.command("subject")
@click.argument("name", required=False)
@click.option("--profile", help="What it is judged as: hardware, link, network or router.")
@click.option("--all", "everything", is_flag=True, help="Judge everything that is installed.")
@click.option("-k", "only", default="", metavar="ID", help="Judge one requirement only, such as QS-L2-011.")
@click.option("--strict", is_flag=True, help="Count a SHOULD that fails.")
@click.option("--whole", is_flag=True, help="Show passes too, and dialogues at their full length.")
def subject(name: str | None, profile: str | None, only: str, *, everything: bool, strict: bool, whole: bool) -> None:
    """Judge an installed layer, router or hardware platform by its name."""
    from qstack.cli.spec import reference  # noqa: PLC0415 - only where used
    from qstack.conformance import profiles, report  # noqa: PLC0415 - only where used
    from qstack.conformance.judge import failed, judge  # noqa: PLC0415 - only where used

    if (name is None) == (not everything):
        raise ConfigError("whom? Write the name of a subject, or --all.")
    manager = api.manager(Path())
    if name is None:
        chosen = [one for one in profiles.everything(manager) if profile in {None, one.profile.name}]
        if not chosen:
            raise profiles.no_profile(str(profile))
    else:
        chosen = [profiles.find(manager, name, profile)]
    specification = reference()
    verdicts: list[Any] = []
    for one in chosen:
        found = judge(one.profile.suite, one.make, specification, only)
        verdicts += found
        for line in report.text(one.name, one.profile.name, found, whole=whole):
            click.echo(line)
    if len(chosen) > 1:
        click.echo(f"\n{len(chosen)} subjects")
    click.echo(report.summary(verdicts))
    if failed(verdicts, strict=strict):
        raise SystemExit(1)
