"""What a run prints: a table people can read."""

from __future__ import annotations

from math import isnan
from pathlib import Path

from rich.console import Console
from rich.table import Table

from qstack.scenario.plan import describe, slowest
from qstack.services.bell import Basis
from qstack.study.experiment import Experiment
from qstack.study.result import Errors, FlowResult, Result

MOST_ROWS = 40


def report(experiment: Experiment, result: Result, seconds: float, written: list[Path]) -> None:
    """Print flows, nodes and links of a result."""
    console = Console(highlight=False)
    stopped = ", interrupted" if result.interrupted else ""
    console.print(
        f"[bold]{result.name}[/bold]   seed {result.seed}   "
        f"{result.simulated_s:.6g} s simulated in {seconds:.1f} s{stopped}\n"
    )
    console.print(_flows(result))
    console.print()
    console.print(_nodes(result))
    console.print()
    console.print(_links(experiment, result))
    console.print()
    links = experiment.plan.links
    if links:
        console.print(f"Slowest link: {describe(slowest(links))}.", soft_wrap=True)
    if written:
        console.print(f"Written: {', '.join(str(path) for path in written)}.", soft_wrap=True)
    traces = [path for path in written if path.suffix == ".jsonl"]
    console.print(
        f"Watch one pair: qstack trace {traces[0]}"
        if traces
        else "Watch one pair: add --trace FILE.jsonl, then qstack trace FILE.jsonl",
        soft_wrap=True,
    )


def _table(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(title, justify="left" if title in {"flow", "from", "to", "node", "link", "key"} else "right")
    return table


def _flows(result: Result) -> Table:
    table = _table("flow", "from", "to", "delivered", "rate", "fidelity", "latency 50 / 95 %", "key")
    for flow in result.flows:
        wanted = f"{flow.delivered} of {flow.requested}" if flow.requested else str(flow.delivered)
        summary = flow.summary()
        latency, fidelity = summary["latency_s"], flow.fidelity
        table.add_row(
            flow.name,
            flow.source,
            flow.destination,
            wanted,
            f"{flow.rate_hz:.3g} Hz",
            "-"
            if isnan(fidelity.mean)
            else f"{fidelity.mean:.3f}" + ("" if isnan(fidelity.sem) else f" ± {fidelity.sem:.3f}"),
            f"{_seconds(latency['median'])} / {_seconds(latency['p95'])}" if latency else "-",
            _key(flow),
        )
    return table


def _key(flow: FlowResult) -> str:
    if not flow.errors:
        return "-"
    x, z = (flow.errors.get(basis, Errors(0, 0)) for basis in (Basis.X, Basis.Z))
    rates = [f"e_{name} {_rate(errors)}" for name, errors in (("X", x), ("Z", z)) if errors.bits]
    sifted = sum(errors.bits for errors in flow.errors.values())
    return ", ".join([*rates, f"{sifted} sifted bits"])


def _rate(errors: Errors) -> str:
    low, high = errors.interval()
    return f"{100 * errors.rate:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def _seconds(value: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value * 1e6:.3g} us"


def _nodes(result: Result) -> Table:
    table = _table("node", "swaps", "discards", "messages", "memories busy")
    busiest = sorted(result.nodes, key=lambda node: -node["messages"])[:MOST_ROWS]
    shown = [node for node in result.nodes if node in busiest] if len(result.nodes) > MOST_ROWS else result.nodes
    for node in shown:
        busy = f"{node['memories_busy']:.2f} of {node['memories']}"
        table.add_row(node["name"], str(node["swaps"]), str(node["discards"]), str(node["messages"]), busy)
    if len(result.nodes) > MOST_ROWS:
        table.add_row(f"and {len(result.nodes) - MOST_ROWS} more")
    return table


def _links(experiment: Experiment, result: Result) -> Table:
    table = _table("link", "requests", "pairs", "pairs/s", "length", "loss")
    rows = sorted(zip(experiment.plan.links, result.links, strict=True), key=lambda pair: -pair[1]["pairs"])
    shown = list(zip(experiment.plan.links, result.links, strict=True)) if len(rows) <= MOST_ROWS else rows[:MOST_ROWS]
    for link, counts in shown:
        rate = counts["pairs"] / result.simulated_s if result.simulated_s else 0.0
        table.add_row(
            link.name,
            str(counts["requests"]),
            str(counts["pairs"]),
            f"{rate:.3g}",
            f"{link.fibre.length:g} km",
            f"{link.fibre.loss:g} dB",
        )
    if len(rows) > MOST_ROWS:
        table.add_row(f"and {len(rows) - MOST_ROWS} more")
    return table
