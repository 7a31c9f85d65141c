"""``qstack demo``: the walk of one pair through the house, told step by step."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Mapping
from typing import Any

import click

from qstack import api
from qstack.services.bell import Bell
from qstack.trace.sinks import Memory
from qstack.trace.story import Record, story

NODES = ("Alice", "Repeater", "Bob")
_NAMES = {Bell.PHI_PLUS: "Phi+", Bell.PHI_MINUS: "Phi-", Bell.PSI_PLUS: "Psi+", Bell.PSI_MINUS: "Psi-"}
SCENARIO: Mapping[str, Any] = {
    "name": "one pair over one repeater",
    "network": {
        "nodes": list(NODES),
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
    "Open": "The application asks transport for a session with {peer}, at fidelity {min_fidelity:g} or better.",
    "Connect": "Transport asks the network layer for a circuit to {peer}.",
    "SetupReq": "{node} keeps a label for circuit {circuit} and passes the request on along {path}.",
    "SetupRsp": "The answer comes back: every node from here to the end holds its label.",
    "Activate": "The circuit stands; pairs may be asked for.",
    "Forward": "{node} hears that pairs are wanted now, and asks its own link at once.",
    "Create": "The network layer asks the link to {peer} for pairs of fidelity {min_fidelity:.3f} (purpose: label {purpose}).",
    "Add": "{node} hears its neighbour's request for the queue that both ends of their link share.",
    "AddAck": "The neighbour has the request too, as number {aid} of the queue: both may attempt.",
    "Attempt": "For lane {lane} towards {peer}, the link layer's answer to every poll is now: attempt for request {aid}.",
    "Trigger": "The physical layer triggers the device: a photon leaves in every cycle until one attempt succeeds.",
    "Herald": "The station has seen both photons: lane {lane} holds half of a pair with {peer}, announced as {bell_name}.",
    "Heralded": "The physical layer passes the herald up: success {sequence} of this link.",
    "Ok": "The link delivers its pair {sequence} with {peer}: goodness {goodness:.3f}, in qubit {qubit}.",
    "Swap": "The pairs of both neighbours are here, so {node} swaps them at once: no message is waited for.",
    "Swapped": "The Bell measurement says {outcome_name}; this is kept until TRACK messages ask for it.",
    "Track": "{node} hears the TRACK that {origin} sent: Bell index so far {bell_name}, estimate {estimate_share:.3f}.",
    "Pair": "The network layer delivers the pair: {bell_name}, believed fidelity {estimate:.3f}.",
    "Delivery": "Transport hands the pair up with its Pauli frame.",
    "Consumed": "The application at {node} uses its half.",
}
WHERE = 23
"""Width of the column that says where something happens."""


@click.command("demo", short_help="Follow one pair, layer by layer.")
@click.option("--seed", type=click.IntRange(0, (1 << 63) - 1), default=1, show_default=True, help="Another story.")
def command(*, seed: int) -> None:
    """Follow one entangled pair from the request to both applications, layer by layer."""
    sink = Memory()
    result = api.load(SCENARIO, seed=seed).run(trace=sink)
    width = min(shutil.get_terminal_size().columns, 130)
    click.echo(
        "Alice asks for one pair with Bob.  Between them stands one repeater, 20 km from Alice, 30 km from Bob.\n"
    )
    click.echo(f"{'time':>9}   {'who':<{WHERE}}what happens")
    pair = next(r["fields"]["pair"] for r in sink.records if r["noun"] == "Consumed")
    for record in story(sink.records, pair, 0):
        text = _tell(record)
        if text:
            begin = f"{int(record['time_ps']) / 1e9:>6.2f} ms   {_where(record):<{WHERE}}"
            click.echo(textwrap.fill(text, width, initial_indent=begin, subsequent_indent=" " * len(begin)))
    flow = result.flows[0]
    end = (
        f"Both ends have the pair {flow.latencies_s[0] * 1e3:.2f} ms after it was asked for.  The layers believe in a "
        f"fidelity of {flow.estimates[0]:.4f}; the medium, which alone can know, says {flow.fidelities[0]:.4f}.  No layer "
        "ever saw a quantum state: they followed identifiers, outcomes and Pauli frames."
    )
    click.echo("\n" + textwrap.fill(end, width))


def _where(record: Record) -> str:
    layer = record["to"] if record["direction"] in {"in", "timer"} else record["from"]
    return f"{record['node']}, {layer}"


def _tell(record: Record) -> str | None:
    template = TELL.get(record["noun"])
    if template is None:
        return None
    fields = {name: value for name, value in record["fields"].items() if name != "node"}
    for name in fields.keys() & {"bell", "outcome"}:
        fields[f"{name}_name"] = _NAMES.get(fields[name], "")
    for name in fields.keys() & {"peer", "origin"}:
        fields[name] = NODES[fields[name]]
    if "path" in fields:
        fields["path"] = " - ".join(NODES[number] for number in fields["path"])
    if "estimate" in fields:
        fields["estimate_share"] = fields["estimate"] / 65535
    return template.format(node=record["node"], **fields)
