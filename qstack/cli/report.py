"""What a run prints: a table people can read."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import isnan
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from qstack.scenario.plan import describe, slowest
from qstack.scenario.windows import times
from qstack.services.bell import Basis
from qstack.study.experiment import Experiment
from qstack.study.result import Errors, Result

MOST_ROWS = 40
LEAST_WIDTH = 78
"""On a narrower terminal lines run on: a column of single letters helps nobody."""


def report(experiment: Experiment, result: Result, seconds: float, written: list[Path]) -> None:
    """Print flows, keys, nodes and links of a result."""
    console = Console(highlight=False)
    console.width = max(console.width, LEAST_WIDTH)
    stopped = ", interrupted" if result.interrupted else ""
    console.print(Text(result.name, style="bold"))
    console.print(f"seed {result.seed}, {result.simulated_s:.6g} s simulated in {seconds:.1f} s{stopped}\n")
    tables = [
        _flows(result),
        _keys(result),
        _outcomes(result),
        _tested(result),
        _nodes(result),
        _links(experiment, result),
    ]
    for table in tables:
        if table.row_count:
            console.print(table)
            console.print()
    links = experiment.plan.links
    if links:
        _say(console, f"Slowest link: {describe(slowest(links))}.")
    for words in (*_moves(result), *_waiting(experiment, result)):
        _say(console, words)
    for words in _struck(experiment, result):
        _say(console, words)
    _say(console, str(result.formalism))
    for name, platform in zip(experiment.plan.names, experiment.plan.platforms, strict=True):
        if platform.warmth:
            _say(console, f"{name} is {platform.warmth}")
    if written:
        _say(console, f"Written: {', '.join(str(path) for path in written)}.")
    traces = [path for path in written if path.suffix == ".jsonl"]
    trace = str(traces[0]) if traces else "FILE.jsonl"
    _say(console, f"Watch one pair: {'' if traces else 'add --trace FILE.jsonl, then '}qstack trace {trace}")


def _waiting(experiment: Experiment, result: Result) -> Iterator[str]:
    """Say of flows that are still open which of the links on their way come and go, and when they are up."""
    links = {frozenset(link.ends): link for link in experiment.plan.links}
    for planned, flow in zip(experiment.plan.flows, result.flows, strict=True):
        steps = pairwise(planned.route.path) if planned.route and flow.reason is None and flow.requested else ()
        passing = [link for step in steps if (link := links[frozenset(step)]).sheet.phases]
        if passing:
            up = "; ".join(f"{link.name} is {times(link.sheet)}" for link in passing)
            yield f"Open: {flow.name} has {flow.delivered} of {flow.requested} pairs; {up}."


def _moves(result: Result) -> Iterator[str]:
    """Say which flows went on over another path."""
    for flow in result.flows:
        for at, path in flow.moves:
            yield f"Moved: {flow.name} went on over {' - '.join(path)} at {at:.6g} s, because a link of its path had gone down."


def _say(console: Console, text: str) -> None:
    """Print a line as it is, however long: names and paths are to be copied."""
    console.print(Text(text), soft_wrap=True)


def _table(*titles: str) -> Table:
    """Return a table whose first columns hold names: only those give way on a narrow terminal."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        if title in {"flow", "from", "to", "node", "link"}:
            table.add_column(title, overflow="fold")
        else:
            table.add_column(title, justify="right", no_wrap=True)
    return table


def _flows(result: Result) -> Table:
    table = _table("flow", "from", "to", "delivered", "rate", "fidelity", "latency 50 / 95 %")
    for flow in result.flows:
        latency, fidelity = flow.summary()["latency_s"], flow.fidelity
        digits = 4 if fidelity.sem < 5e-4 else 3
        error = "" if isnan(fidelity.sem) else f" ± {fidelity.sem:.{digits}f}"
        table.add_row(
            *map(Text, (flow.name, flow.source, flow.destination)),
            f"{flow.delivered} of {flow.requested}" if flow.requested else str(flow.delivered),
            f"{flow.rate_hz:.3g} Hz",
            "-" if isnan(fidelity.mean) else f"{fidelity.mean:.{digits}f}{error}",
            f"{_seconds(latency['median'])} / {_seconds(latency['p95'])}" if latency else "-",
        )
    return table


def _keys(result: Result) -> Table:
    """Return what was counted for keys, with 95 % intervals; no rows if nobody makes keys."""
    table = _table("flow", "e_X (95 %)", "e_Z (95 %)", "sifted bits")
    for flow in result.flows:
        sifted = flow.summary()["sifted_bits"]
        if sifted is not None:
            rates = [_rate(flow.errors.get(basis, Errors(0, 0))) for basis in (Basis.X, Basis.Z)]
            table.add_row(Text(flow.name), *rates, str(sifted))
    return table


def _outcomes(result: Result) -> Table:
    """Return what applications were run for, as they counted it; no rows if none did."""
    table = _table("flow", "counted", "value", "without entanglement", "tests")
    for flow in result.flows:
        outcome = flow.outcome
        if outcome is not None:
            value = f"{outcome.value:.3f} ± {outcome.error:.3f}"
            table.add_row(Text(flow.name), outcome.what, value, f"at most {outcome.bound:.3g}", str(outcome.tests))
    return table


def _tested(result: Result) -> Table:
    """Return what test rounds of the network have shown; no rows without."""
    table = _table("flow", "tested fidelity (95 %)", "rounds")
    for flow in result.flows:
        if flow.tested is not None:
            fidelity, low, high, rounds = flow.tested
            table.add_row(Text(flow.name), f"{fidelity:.3f} ({low:.3f} to {high:.3f})", str(rounds))
    return table


def _struck(experiment: Experiment, result: Result) -> Iterator[str]:
    """Say of every fault that was ordered how often it has struck: one that never did was perhaps meant otherwise."""
    for fault, (seen, struck) in zip(experiment.plan.scenario.faults, result.faults, strict=False):
        hop = "".join(f" {word} {end}" for word, end in (("from", fault.source), ("to", fault.target)) if end)
        yield f"Fault: {fault.action} {fault.message}{hop} struck {struck} of {seen} messages."


def _rate(errors: Errors) -> str:
    if not errors.bits:
        return "-"
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
        failed = f" ({node['swaps_failed']} failed)" if "swaps_failed" in node else ""
        table.add_row(
            Text(node["name"]), f"{node['swaps']}{failed}", str(node["discards"]), str(node["messages"]), busy
        )
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
            Text(link.name),
            str(counts["requests"]),
            str(counts["pairs"]),
            f"{rate:.3g}",
            f"{link.fibre.length:.4g} km",
            "passes" if link.sheet.phases else f"{link.fibre.loss:.4g} dB",
        )
    if len(rows) > MOST_ROWS:
        table.add_row(f"and {len(rows) - MOST_ROWS} more")
    return table
