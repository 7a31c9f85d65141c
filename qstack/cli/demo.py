"""``qstack demo``: the walk of one pair through the house, told step by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from qstack import api
from qstack.services.bell import Bell
from qstack.trace.sinks import Memory
from qstack.trace.story import Record, story

SCENARIO: Mapping[str, Any] = {
    "name": "one pair over one repeater",
    "network": {
        "nodes": ["Alice", "Repeater", "Bob"],
        "links": [
            {"a": "Alice", "b": "Repeater", "length": "20 km"},
            {"a": "Repeater", "b": "Bob", "length": "30 km"},
        ],
        "hardware": {"all": {"like": "textbook", "memories": 1}},
    },
    "flows": [{"name": "one pair", "from": "Alice", "to": "Bob", "min_fidelity": 0.8, "number": 1}],
    "run": {"until": "10 s"},
}

TELL: Mapping[str, str] = {
    "Start": "The user at {node} starts the flow.",
    "Open": "The application asks transport for a session with node {peer}, at fidelity {min_fidelity:g} or better.",
    "Connect": "Transport asks the network layer for a circuit.",
    "SetupReq": "{node} installs a label for circuit {circuit} and passes the request on: path {path}.",
    "SetupRsp": "The answer comes back: every node behind {node} holds its label.",
    "Activate": "The circuit stands; the head begins to make pairs.",
    "Forward": "{node} hears that pairs are wanted now, and asks its own link at once.",
    "Create": "The network layer asks the link to node {peer} for pairs with fidelity {min_fidelity:.3f} (purpose = label {purpose}).",
    "Add": "{node} hears its neighbour's request for the shared queue of their link.",
    "AddAck": "The neighbour has the request too, as number {aid} of the queue: both may attempt.",
    "Attempt": "The link layer answers the polls of lane {lane} towards node {peer}: attempt for request {aid}.",
    "Trigger": "The physical layer triggers the device: a photon leaves in every cycle until one attempt succeeds.",
    "Herald": "The station has seen the photons: lane {lane} holds half of a pair, announced as {bell_name}.",
    "Heralded": "The physical layer passes the herald up, success {sequence} of this link.",
    "Ok": "The link delivers pair {sequence} with node {peer}: goodness {goodness:.3f}, qubit {qubit}.",
    "Swap": "Both neighbours' pairs are here, so {node} swaps them at once: no message is waited for.",
    "Swapped": "The Bell measurement says {outcome_name}; it is kept until the TRACK messages ask for it.",
    "Track": "{node} hears TRACK from the end at node {origin}: Bell index so far {bell_name}, estimate {estimate_share:.3f}.",
    "Pair": "The network layer delivers the pair: {bell_name}, believed fidelity {estimate:.3f}.",
    "Delivery": "Transport hands the pair up with its Pauli frame.",
    "Consumed": "The application at {node} uses its half.",
}


@click.command("demo")
@click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True, help="Another seed, another story.")
def command(*, seed: int) -> None:
    """Follow one entangled pair from the request to both applications, layer by layer."""
    sink = Memory()
    result = api.load(SCENARIO, seed=seed).run(trace=sink)
    click.echo("Alice asks for one pair with Bob; between them stands one repeater.\n")
    click.echo(f"{'time':>12}   {'where':<26} what happens")
    pair = next(r["fields"]["pair"] for r in sink.records if r["noun"] == "Consumed")
    for record in story(sink.records, pair, 0):
        text = _tell(record)
        if text:
            click.echo(f"{int(record['time_ps']) / 1e6:>9.1f} us   {_where(record):<26} {text}")
    flow = result.flows[0]
    click.echo(
        f"\nBoth ends have the pair after {flow.latencies_s[0] * 1e3:.3f} ms. "
        f"The layers believed in a fidelity of {flow.estimates[0]:.4f}; the medium, which alone can know, says {flow.fidelities[0]:.4f}."
    )
    click.echo("The layers never saw a quantum state: they followed identifiers, outcomes and Pauli frames.")


def _where(record: Record) -> str:
    layer = record["to"] if record["direction"] in {"in", "timer"} else record["from"]
    return f"{record['node']}, {layer}"


def _tell(record: Record) -> str | None:
    template = TELL.get(record["noun"])
    if template is None:
        return None
    fields = dict(record["fields"])
    for name in ("bell", "outcome"):
        if isinstance(fields.get(name), int) and fields[name] >= 0:
            fields[f"{name}_name"] = _NAMES[Bell(fields[name])]
    if "estimate" in fields:
        fields["estimate_share"] = fields["estimate"] / 65535
    return template.format(node=record["node"], **{k: v for k, v in fields.items() if k != "node"})


_NAMES = {Bell.PHI_PLUS: "Phi+", Bell.PHI_MINUS: "Phi-", Bell.PSI_PLUS: "Psi+", Bell.PSI_MINUS: "Psi-"}
