"""Contract of drivers: what stands between one node of the socket host and its real device."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Protocol

from pydantic import BeforeValidator, PlainSerializer

from qstack.core.nouns import Noun


def address_of(value: object) -> tuple[str, int]:
    """Return host and port of ``host:port``.

    Raises
    ------
    ValueError
        If it is written otherwise.
    """
    host, _, port = str(value).rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise ValueError("an address is written host:port, such as '127.0.0.1:52245'.")
    return host, int(port)


Address = Annotated[
    tuple[str, int], BeforeValidator(address_of), PlainSerializer(lambda address: f"{address[0]}:{address[1]}")
]
"""Host and port, written ``host:port``."""


@dataclass(frozen=True, slots=True)
class Refused:
    """What a driver tells when the device will not obey a request.

    Parameters
    ----------
    why
        One sentence.
    request
        Which request, None if the device does not say.
    """

    why: str
    request: Noun | None = None


@dataclass(frozen=True, slots=True)
class DriverSite:
    """What a driver may know of its node.

    Parameters
    ----------
    number, name
        Of the node.
    lanes
        Memories of each link, by neighbour.
    addresses
        Of all nodes and of the laboratory, as host and port, by name.
    certificate, key, authority
        PEM files of the node.
    patience
        Time without a sign of life after which a device is taken for dead [s].
    """

    number: int
    name: str
    lanes: Mapping[int, int]
    addresses: Mapping[str, tuple[str, int]]
    certificate: Path
    key: Path
    authority: Path
    patience: float


class Driver(Protocol):
    """One device, as the socket host sees it.  The nouns are those of `qstack.services.device`.

    Requests are obeyed in their order; indications come in the order of their events.  Errors that end the device are
    `HostError` with one sentence for the operator.
    """

    async def open(self) -> tuple[int, float]:
        """Reach the device and take its time.

        Returns
        -------
        tuple
            When network time is 0 (Unix time) [ns], and seconds of the wall for one second of the network.
        """
        ...

    def ask(self, request: Noun) -> None:
        """Hand over a request; never waits."""
        ...

    def told(self) -> AsyncIterator[Noun | Refused]:
        """Yield what the device tells, until it is gone: then raise `HostError`."""
        ...

    def close(self) -> None:
        """Let the device go; it empties its memories and stops its lanes."""
        ...
