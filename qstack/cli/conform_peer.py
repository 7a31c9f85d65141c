"""``qstack conform --connect``: where the judge sits when its subject is a node over sockets."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from qstack.cli.serve import load
from qstack.core.errors import ConfigError, HostError
from qstack.plugin.drivers import Address, address_of

PROFILE = "node"
SHARE = 0.25
"""Of the time for a test that one answer may take."""
SILENCE = 0.75
"""Of the time for a test within which a silent neighbour has to be noticed."""


@contextmanager
def peer(where: str, file: Path | None, profile: str | None, timeout: float) -> Iterator[list[Any]]:
    """Give the node at an address as a subject; the judge is the neighbour whose node file it was given.

    Raises
    ------
    ConfigError
        If the file does not fit, another process listens in the judge's place, or nobody listens at the address.
    """
    from qstack.conformance.peer import PeerSuite
    from qstack.conformance.profiles import PROFILES, Subject

    if profile not in (None, PROFILE):
        raise ConfigError(f"--connect judges a whole node: --profile {PROFILE}, not {profile}.")
    if file is None:
        raise ConfigError("--connect needs --as NODE.yaml: whose neighbour is judged, with which certificate.")
    seat = _seat(where, file, timeout)
    _reach(seat)
    name = f"--connect {where} --as {file}"
    yield [Subject(name, replace(PROFILES[PROFILE], suite=PeerSuite), seat, alone=True)]


def _seat(where: str, file: Path, timeout: float) -> Any:
    from qstack.conformance.peer_wire import Seat
    from qstack.hosts.sockets import LABORATORY

    try:
        address: Address = address_of(where)
    except ValueError as error:
        raise ConfigError(f"--connect {where}  {error}") from None
    found, plan = load(file)
    if found.node == LABORATORY:
        raise ConfigError(f"--as {file}  is the file of the laboratory; the judge is the neighbour of a node.")
    number = plan.names.index(found.node)
    beside = {end for link in plan.links if number in link.ends for end in link.ends if end != number}
    subject = [node for node in sorted(beside) if found.addresses[plan.names[node]] == address]
    if not subject:
        there = ", ".join("{} at {}:{}".format(plan.names[n], *found.addresses[plan.names[n]]) for n in sorted(beside))
        raise ConfigError(f"--connect {where}  is no neighbour of {found.node} in {file}; there are {there}.")
    channel = plan.scenario.network.channel
    if plan.scenario.faults or not _keeps(channel.make(delay=0)):
        raise ConfigError(
            f"{found.scenario}  orders faults, or a channel that loses, doubles or reorders what the judge has to see: "
            "let both sides use one with an ideal or delayed channel."
        )
    files = (found.certificate, found.key, found.authority)
    return Seat(
        *(number, subject[0], plan.names[subject[0]], address, found.addresses[found.node], *files),
        reliable=not channel.make(delay=0).ideal,
        start=int(time.time()),
        patience=SHARE * timeout,
        silence=SILENCE * timeout,
    )


def _keeps(channel: Any) -> bool:
    """Tell whether every one of many datagrams arrives once and in order."""
    from qstack.plugin.chance import generator

    draw = generator(1, 0, "judge")
    arrivals = [channel.arrivals(now * 1_000_000, 40, draw) for now in range(1000)]
    times = [at for found in arrivals for at in found]
    return all(len(found) == 1 for found in arrivals) and times == sorted(times)


def _reach(seat: Any) -> None:
    """See that both places are what they have to be, before anything is judged.

    Raises
    ------
    ConfigError
        If they are not.
    """
    from qstack.hosts.streams import bind, reason, text

    try:
        bind(seat.listen, "the judge").close()
    except HostError as error:
        raise ConfigError(f"{error}  Stop the node whose place the judge takes.") from None
    try:
        with suppress(TimeoutError):  # a verdict says that it hangs
            socket.create_connection(seat.call, seat.patience).close()
    except OSError as error:
        raise ConfigError(f"--connect {text(seat.call)}  cannot be reached: {reason(error)}.") from None
