"""Why nothing happens any more: who waits for whom, and since when."""

from __future__ import annotations

from qstack.hosts.build import Network


def explain(network: Network) -> str:
    """Return one sentence about a network that has stopped with flows still open."""
    plan = network.plan
    now = network.simulation.now
    names = plan.names
    open_flows = [
        f"{planned.flow.name} ({record_count} pairs so far, the last at {last})"
        for planned, record in zip(plan.flows, network.recorder.flows, strict=True)
        if len(record.finished) < 2
        for record_count in [len(record.pairs)]
        for last in [f"{record.pairs[-1][0] * 1e-12:.6g} s" if record.pairs else "never"]
    ]
    waiting = [
        f"{names[number]} waits for {wait.what} from {names[wait.peer]} since {wait.since * 1e-12:.6g} s"
        for number, node in network.simulation.nodes.items()
        for layer in node.layers
        for wait in layer.waiting()
    ]
    return (
        f"standstill at {now * 1e-12:.6g} s: nothing is left to do, but flows are open: {', '.join(open_flows)}. "
        + ("Waiting: " + "; ".join(waiting[:12]) + "." if waiting else "No layer says what it waits for.")
    )
