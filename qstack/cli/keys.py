"""``qstack keys``: key managers, their demonstration, their judge, their audit."""

from __future__ import annotations

from pathlib import Path

import click

from qstack.core.errors import ConfigError, QstackError

SOURCES = ("bb84", "bbm92", "test")
SHOWN = ("both", *SOURCES)
MODES = ("QkdAndPqcRequired", "AtLeastQkdRequired", "AtLeastPqcRequired", "EitherQkdOrPqcRequired")

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_link_file = click.option(
    "--link", type=_FILE, help="YAML file of a decoy-state link: source, channel, detector, reconciliation, attack."
)
_link_values = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A key of the link, such as detector=snspd-2017 or attack.share=0.2.",
)


@click.group(name="keys")
def command() -> None:
    """Hand out keys to real software, and see how."""


@command.command()
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="SETTINGS...",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "--simulate",
    type=click.Choice(SOURCES),
    help="Join the named key managers by simulated BB84 links, BBM92 flows of the stack, or random test blocks. "
    "Keys are marked simulated.",
)
@click.option("--scenario", type=_FILE, help="With --simulate bbm92: whose flow to run, instead of a city link.")
@click.option("--flow", help="Which flow of the scenario, where several make keys.")
@click.option(
    "--key-error",
    type=click.FloatRange(0, 0.5, min_open=True, max_open=True),
    help="Error rate in Z that its reconciliation is planned for; by default that of Werner pairs of min_fidelity.",
)
@_link_file
@_link_values
@click.option("--reconciliation", help="Scheme that corrects the errors; default: that of the link or of the flow.")
@click.option("--eve", is_flag=True, help="With --simulate: let the link's attacker at the line from the beginning.")
@click.option("--for", "seconds", type=click.FloatRange(min=0), help="Stop after this time [s]; otherwise on ^C.")
def serve(
    files: tuple[Path, ...],
    simulate: str | None,
    scenario: Path | None,
    flow: str | None,
    key_error: float | None,
    link: Path | None,
    settings: tuple[str, ...],
    reconciliation: str | None,
    *,
    eve: bool,
    seconds: float | None,
) -> None:
    """Serve keys by ETSI GS QKD 014, one key manager for each YAML file of SETTINGS, all in this process.

    On loopback, unless a file says otherwise; simulated keys stay there unless it says allow_simulated_off_loopback.
    """
    from qstack.cli.keys_serve import serve_files
    from qstack.cli.keys_sources import Wanted, source_maker

    with _plain_errors():
        if (scenario or flow or key_error) and simulate != "bbm92":
            raise ConfigError(
                "--scenario, --flow and --key-error go with --simulate bbm92: they are of a flow of the stack"
            )
        if not simulate and (link or settings or reconciliation or eve):
            raise ConfigError(
                "--link, --set, --reconciliation and --eve go with --simulate: they are of a simulated link"
            )
        wanted = Wanted(scenario, flow, key_error, link, settings, reconciliation, eve=eve)
        maker = source_maker(simulate, wanted) if simulate else None
        serve_files(files, maker, seconds=seconds)


@command.command()
@click.option(
    "--mode", type=click.Choice(MODES), help="Show this hybrid mode alone; default: the strictest and the mildest."
)
@click.option(
    "--source",
    type=click.Choice(SHOWN),
    default="both",
    show_default=True,
    help="Where blocks come from; both are a BB84 link and a BBM92 flow.",
)
@click.option("--attack", help="Who comes: an eavesdropper of the installed plugins; default: that of the link.")
@click.option("--reconciliation", help="Scheme that corrects the errors; default: that of the link or of the flow.")
@_link_file
@_link_values
def demo(
    mode: str | None,
    source: str,
    attack: str | None,
    reconciliation: str | None,
    link: Path | None,
    settings: tuple[str, ...],
) -> None:
    """Two sites, two key managers, a TLS 1.3 session on their keys; then an eavesdropper comes."""
    from qstack.cli.keys_demo import show
    from qstack.cli.keys_sources import Wanted

    with _plain_errors():
        wanted = Wanted(link=link, settings=settings, reconciliation=reconciliation, attack=attack)
        show((mode,) if mode else (MODES[0], MODES[3]), source, wanted, click.echo)


@command.command()
@click.argument("store")
@click.option("--server", default="server-1", show_default=True, help="Name of the audit chain.")
@click.option("--expect", metavar="N:HASH", help="A head noted earlier; it must lie on the chain.")
def audit(store: str, server: str, expect: str | None) -> None:
    """Walk the audit chain of STORE and print its head: note it elsewhere, and the past cannot be rewritten unseen."""
    from qstack.keys.store import Head, verify
    from qstack.keys.store.database import connect

    with _plain_errors():
        _must_exist(store)
        head = None
        if expect:
            number, _, text = expect.partition(":")
            if not number.isdecimal() or len(text) != 64:
                raise ConfigError(f"--expect {expect!r}: must be a number, a colon and 64 hexadecimal digits")
            head = Head(int(number), text)
        db = connect(store)
        try:
            found = verify(db, server, head)
        finally:
            db.close()
        click.echo(f"{found.records} records, unbroken. Head: {found.records}:{found.hash}")


@command.command()
@click.argument("settings", type=_FILE)
@click.option("--file", type=click.Path(path_type=Path), help="File of the new key-encryption key, its owner's alone.")
@click.option("--environment", metavar="NAME", help="Environment variable of the new key-encryption key.")
def rekey(settings: Path, file: Path | None, environment: str | None) -> None:
    """Encrypt the key store of SETTINGS, a file of `serve`, under a new key-encryption key; no server may have it open.

    Whatever happens on the way, the store opens under the old one or under the new one: then run it again.
    """
    from qstack.cli.keys_serve import policy_of, read_file  # an extra
    from qstack.keys import store  # only where used

    with _plain_errors():
        if (file is None) == (environment is None):
            raise ConfigError(
                "give the place of the new key-encryption key in exactly one way: --file or --environment"
            )
        found = read_file(settings)
        place = found.store_key
        new = store.key_from(file, environment)
        _must_exist(found.store)
        old = store.key_from(place.file, place.environment) if place else None
        done = store.rekey(found.store, policy_of(found), old, new)
        if done is None:
            click.echo(f"{found.kme_id}: the store lies under this key-encryption key already; nothing was changed.")
            return
        click.echo(
            f"{found.kme_id}: {done.keys} keys encrypted anew. Now name the new key-encryption key in {settings}:"
        )
        click.echo(f"store_key: {{file: {file}}}" if file else f"store_key: {{environment: {environment}}}")
        if done.damaged:
            click.echo(f"{len(done.damaged)} keys were damaged and are voided: {', '.join(done.damaged)}", err=True)


def _must_exist(store: str) -> None:
    """Refuse to begin a store where one is to be read."""
    path = store.removeprefix("sqlite:///")
    if "://" not in path and not Path(path).exists():
        raise ConfigError(f"key store {path!r}: no such file")


@command.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.argument("names", nargs=-1, required=True)
def certificates(directory: Path, names: tuple[str, ...]) -> None:
    """Write a test authority into DIRECTORY and a certificate for each of NAMES. Not for production."""
    from qstack.integration.certificates import make_certificates

    with _plain_errors():
        make_certificates(directory, names)
        click.echo(f"{directory}: ca.pem, and .pem and .key for {', '.join(names)}. Valid for a week, for tests only.")


@command.command()
@click.option("--url", required=True, help="Key manager of the master, https://host:port.")
@click.option("--slave-url", help="Key manager of the slave; default: the same.")
@click.option("--authority", required=True, type=_FILE, help="PEM file that signs the servers' certificates.")
@click.option("--master", nargs=3, required=True, metavar="SAE CERT KEY", help="The master and its PEM files.")
@click.option("--slave", nargs=3, required=True, metavar="SAE CERT KEY", help="The slave and its PEM files.")
@click.option("--third", nargs=3, metavar="SAE CERT KEY", help="Another SAE at the slave's key manager.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the report as JSON.")
def conform(  # one argument for each option
    url: str,
    slave_url: str | None,
    authority: Path,
    master: tuple[str, str, str],
    slave: tuple[str, str, str],
    third: tuple[str, str, str] | None,
    out: Path | None,
) -> None:
    """Judge anybody's key manager by ETSI GS QKD 014. Takes about forty keys from it."""
    from qstack.conformance.etsi014 import judge, passed, report_json
    from qstack.conformance.etsi014_subject import Identity, Subject

    with _plain_errors():
        who = [Identity(one[0], Path(one[1]), Path(one[2])) if one else None for one in (master, slave, third)]
        assert who[0] is not None
        assert who[1] is not None
        subject = Subject(url, slave_url or url, authority, who[0], who[1], who[2])
        verdicts = judge(subject)
        for verdict in verdicts:
            click.echo(f"{verdict.id} ({verdict.level})".ljust(24) + verdict.verdict.ljust(13) + verdict.text)
            if verdict.detail:
                click.echo(f"{'':24}{verdict.detail}  [{verdict.source}]")
        if out:
            out.write_text(report_json(subject, verdicts) + "\n", encoding="utf-8")
        click.echo("Conforms." if passed(verdicts) else "Does not conform: a MUST was broken.")
    if not passed(verdicts):
        raise click.exceptions.Exit(1)


@command.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def plan(file: Path, *, as_json: bool) -> None:
    """Say what a network yields for the keys that FILE demands, and what becomes of them when Eve or a digger comes.

    Nothing is run: lengths are those of mean blocks with a finite key.  Exit code 1 if the quiet network refuses a demand.
    """
    from qstack.cli.keys_plan import show

    with _plain_errors():
        served = show(file, as_json=as_json)
    if not served:
        raise click.exceptions.Exit(1)


@command.command()
@click.argument("name")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="An option of the attack, such as share=0.2."
)
@_link_file
@click.option("--reconciliation", help="Scheme that corrects the errors; default: that of the link, or cascade.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the pulses and of Eve.")
def attack(name: str, settings: tuple[str, ...], link: Path | None, reconciliation: str | None, seed: int) -> None:
    """Let an eavesdropper of the installed plugins at a decoy-state link, and tell what she learned.

    Once with a receiver as it is sold, once with one that tests its own detectors. Exit code 1 if the careful one was fooled.
    """
    from qstack import api
    from qstack.study.keys_attack import attacked
    from qstack.study.keys_link import read_link

    with _plain_errors():
        manager = api.manager(link.parent if link else Path())
        with manager.blaming():
            options = [f"attack.{setting}" for setting in settings]
            found = read_link(manager, link, options, attack={"use": name}, reconciliation=reconciliation)
            reports = [attacked(found, careful=careful, seed=seed) for careful in (False, True)]
        for receiver, report in zip(("as sold", "with a self-test"), reports, strict=True):
            click.echo(f"receiver {receiver}: {report}")
    if not reports[-1].secure:
        raise click.exceptions.Exit(1)


class _plain_errors:  # noqa: N801  # used as a word: with _plain_errors()
    """Print the project's own errors as text; exit code 2 for bad input, 1 for anything that failed."""

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Translate."""
        if isinstance(error, QstackError):
            click.echo(str(error), err=True)
            raise click.exceptions.Exit(2 if isinstance(error, ConfigError) else 1) from None
        if isinstance(error, ModuleNotFoundError):
            click.echo(f"{error.name} is missing: pip install qstack-reference[keys]", err=True)
            raise click.exceptions.Exit(3) from None
