"""``qstack serve``: run one node, or the laboratory, as a process of its own."""

from __future__ import annotations

import json
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Self

import click
from pydantic import Field, ValidationError, model_validator

from qstack import api
from qstack.core.errors import ConfigError
from qstack.plugin.contracts import Options, chosen
from qstack.plugin.drivers import Address
from qstack.plugin.spelling import nearest
from qstack.scenario.plan import Plan
from qstack.scenario.problems import Problem, from_validation, report
from qstack.scenario.yaml import read

FAREWELL = 0.2
"""Time for the last messages to leave [s]."""


class NodeFile(Options):
    """What ``qstack serve`` reads; paths are relative to the file.

    Parameters
    ----------
    scenario
        The same file for all processes of a network.
    node
        Name of the node to run, or ``laboratory``.
    addresses
        Where every node and the laboratory listen, by name.
    certificate, key, authority
        PEM files; the certificate's common name is the node's.
    driver
        Nodes only: what speaks to the device; the laboratory unless another is named.
    slow
        Laboratory only: seconds of the wall for one second of the network.
    again
        Nodes only: seconds after which a flow that failed is started again, and the node itself when its device has
        ended it; null leaves both.
    """

    scenario: Path
    node: str
    addresses: dict[str, Address]
    certificate: Path
    key: Path
    authority: Path
    driver: chosen("drivers", "a driver") = Field("socket", validate_default=True)
    slow: Annotated[float, Field(gt=0)] = 1.0
    again: Annotated[float, Field(gt=0)] | None = 1.0

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        for name in (self.node, "laboratory"):
            if name not in self.addresses:
                raise ValueError(f"'addresses' lacks '{name}'.{nearest(name, self.addresses)}")
        return self


def load(path: Path) -> tuple[NodeFile, Plan]:
    """Read a node file and the scenario it names.

    Raises
    ------
    ConfigError
        If anything is wrong with either: one line per problem.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "is not UTF-8 text"
        raise ConfigError(f"{path}  cannot be read: {why}.") from None
    data, origin = read(text, str(path))
    try:
        found = NodeFile.model_validate(data, context={"plugins": api.manager(path.parent)})
    except ValidationError as error:
        raise report(from_validation(error, NodeFile), origin) from None
    folder = path.parent
    changed = {key: folder / getattr(found, key) for key in ("scenario", "certificate", "key", "authority")}
    found = found.model_copy(update=changed)
    plan = api.load(found.scenario).plan
    known = (*plan.names, "laboratory")
    for name in (found.node, *found.addresses):
        if name not in known:
            raise ConfigError(f"{path}  '{name}' is not a node of {found.scenario}.{nearest(name, known)}")
    missing = [name for name in plan.names if name not in found.addresses]
    if missing:
        raise ConfigError(f"{path}  addresses  lacks {', '.join(missing)}.")
    if "laboratory" in plan.names:
        raise ConfigError(f"{found.scenario}  a node cannot be called 'laboratory' here.")
    return found, plan


def check_identity(path: Path, found: NodeFile) -> None:
    """Look at a node's own certificate.

    Raises
    ------
    ConfigError
        If nobody would accept it.
    """
    from qstack.hosts.identity import trouble

    wrong = trouble(found.certificate, found.key, found.authority, found.node)
    if wrong is not None:
        _, origin = read(path.read_text(encoding="utf-8"), str(path))
        raise report([Problem((wrong[0],), wrong[1])], origin)


def _say(event: dict[str, Any]) -> None:
    """Write what happened as a line of JSON."""
    sys.stdout.write(json.dumps(event, separators=(",", ":")) + "\n")
    sys.stdout.flush()


async def _serve(found: NodeFile, plan: Plan, *, once: bool) -> None:
    import asyncio

    from qstack.hosts.laboratory import Laboratory
    from qstack.hosts.lives import live
    from qstack.hosts.ports import Identity
    from qstack.hosts.sockets import NodeHost

    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for wish in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):  # not everywhere; ^C still works
            loop.add_signal_handler(wish, stop.set)
    identity = Identity(found.certificate, found.key, found.authority)
    ends = [loop.create_task(stop.wait())]
    if found.node == "laboratory":
        laboratory = Laboratory(plan, identity, _say, seed=plan.scenario.run.seed, slow=found.slow)
        work = loop.create_task(laboratory.serve(found.addresses["laboratory"]))
    else:
        number = plan.names.index(found.node)
        driver = found.driver
        done = asyncio.Event()

        def node(flows: list[int] | None) -> NodeHost:
            return NodeHost(
                plan,
                number,
                identity,
                found.addresses,
                _say,
                again=found.again,
                driver=lambda site: driver.make(site=site),
                flows=flows,
                done=done,
            )

        work = loop.create_task(live(node, found.again))
        if once and any(number in (flow.source, flow.target) for flow in plan.flows):
            ends.append(loop.create_task(done.wait()))
    await asyncio.wait((work, *ends), return_when=asyncio.FIRST_COMPLETED)
    if not work.done():
        await asyncio.sleep(FAREWELL)
    for task in (work, *ends):
        task.cancel()
    with suppress(asyncio.CancelledError):
        await work


@click.command("serve")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--once", is_flag=True, help="End when all flows of this node have delivered what was asked.")
def command(file: Path, *, once: bool) -> int:
    """Run one node of a network, or its laboratory, over TLS sockets.

    FILE names the scenario, the node, the addresses of all nodes and the certificates; see docs/sockets.md.  What
    happens is written to standard output, one JSON object a line, until the process is told to end.
    """
    import asyncio

    found, plan = load(file)
    check_identity(file, found)
    asyncio.run(_serve(found, plan, once=once))
    return 0
