"""What stands around a run: trace sinks, commands, specifications."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from qstack.core.errors import ConfigError
from qstack.plugin.contracts import (
    Offer,
    Options,
)
from qstack.plugin.drivers import Address, Driver, DriverSite
from qstack.plugin.hooks import hookimpl

if TYPE_CHECKING:
    import click


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


class Device(Options):
    """Where a device speaks the laboratory's protocol.

    Parameters
    ----------
    name
        Common name of its certificate.
    address
        Where it listens; None: where the node file says that `name` does.
    """

    name: Annotated[str, Field(min_length=1, max_length=64)] = "laboratory"
    address: Address | None = None


def _socket(options: Device, site: DriverSite) -> Driver:
    from qstack.hosts.driver import SocketDriver  # noqa: PLC0415 - only nodes that are served need sockets

    address = options.address or site.addresses.get(options.name)
    if address is None:
        raise ConfigError(f"driver: nobody says where {options.name!r} listens: add 'address'.")
    return SocketDriver(site, options.name, address)


def _dark(options: Options, site: DriverSite) -> Driver:
    from qstack.hosts.dark import DarkDriver  # noqa: PLC0415 - only nodes that are served need drivers

    return DarkDriver()


@hookimpl
def qstack_drivers() -> list[Offer]:
    """Offer the driver that speaks the laboratory's protocol, and one for nodes that are judged without equipment."""
    return [
        Offer("dark", _dark, summary="no device: attempts never succeed; for a node that its neighbours judge"),
        Offer("socket", _socket, Device, summary="a device, or a laboratory, behind the documented socket protocol"),
    ]


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
