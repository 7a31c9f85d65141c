"""Run benchmarks: ``python -m benchmarks [--json] [-k NAME] [--all] [--baseline FILE]``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks.calibration import calls_per_second
from benchmarks.networks import WrongPhysics
from benchmarks.table import TABLE, Benchmark


def measure(benchmark: Benchmark) -> dict[str, object]:
    """Run one benchmark and the calibration loop beside it."""
    figure = benchmark.run(**benchmark.parameters)
    return {
        "name": benchmark.name,
        "parameters": benchmark.parameters,
        "figure": figure,
        "unit": benchmark.unit,
        "ratio": figure / 100 if benchmark.relative else figure / calls_per_second(),
        "gate": benchmark.gate,
        "aim": benchmark.aim,
    }


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for; return 1 if a figure does not count or lies below the baseline."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("-k", metavar="NAME", help="only benchmarks whose name contains this")
    parser.add_argument("--all", action="store_true", help="slow ones too")
    parser.add_argument("--baseline", type=Path, help="lines of an earlier --json run; compares ratios")
    options = parser.parse_args(arguments)
    chosen = [b for b in TABLE if (options.k in b.name if options.k else options.all or not b.slow)]
    if not chosen:
        parser.error(f"no benchmark is called so; there are: {', '.join(b.name for b in TABLE)}")
    before = {}
    if options.baseline:
        before = {r["name"]: r["ratio"] for r in map(json.loads, options.baseline.read_text().splitlines())}
    failed = False
    for benchmark in chosen:
        try:
            found = measure(benchmark)
        except WrongPhysics as error:
            print(f"{benchmark.name}: does not count: {error}", file=sys.stderr)
            failed = True
            continue
        change = found["ratio"] / before[benchmark.name] if benchmark.name in before else None
        failed |= change is not None and change < 0.8
        print(json.dumps(found) if options.json else _line(found, change), flush=True)
    return int(failed)


def _line(found: dict[str, object], change: float | None) -> str:
    gate = f"gate {found['gate']:,.0f}" if found["gate"] else ""
    compared = f"{change:.2f} of the baseline" if change else ""
    digits = 0 if found["figure"] >= 100 else 2
    return f"{found['name']:20} {found['figure']:14,.{digits}f} {found['unit']:24} ratio {found['ratio']:.2e}   {gate:18} {compared}"


if __name__ == "__main__":
    sys.exit(main())
