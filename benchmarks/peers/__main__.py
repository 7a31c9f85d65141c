"""Compare with SeQUeNCe in one run: ``python -m benchmarks.peers --python PEER``, with PEER an interpreter that has it.

``python -m venv peer && peer/bin/pip install sequence`` makes one.  Both simulators run in turn, `--rounds` times, each in
a fresh process; figures are delivered pairs per CPU-second of the run alone, the best of the rounds, and their ratio.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

OURS = """
import json, sys
from benchmarks import networks
print(json.dumps({"done": networks.p1(segments=int(sys.argv[1])), "cpu": 1.0}))
"""
THEIRS = Path(__file__).with_name("sequence_chain.py")
SECONDS = {1: 1.0, 2: 0.3, 4: 0.2}
"""Simulated time of the peer by number of segments: enough for some hundred pairs in less than a minute."""


def figure(command: Sequence[str]) -> float:
    """Return pairs per CPU-second of one process.

    Raises
    ------
    SystemExit
        If it fails; its own words are printed.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    found = json.loads(done.stdout.splitlines()[-1])
    return float(found["done"]) / float(found["cpu"])


def main(arguments: list[str] | None = None) -> int:
    """Print one line for each number of segments."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--python", required=True, metavar="PEER", help="interpreter that has SeQUeNCe")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    version = subprocess.run(
        [options.python, "-c", "from importlib.metadata import version; print(version('sequence'))"],
        capture_output=True,
        text=True,
        check=False,
    )
    if version.returncode:
        parser.error(f"{options.python} has no SeQUeNCe: python -m venv peer && peer/bin/pip install sequence")
    print(f"delivered pairs per CPU-second   qstack   SeQUeNCe {version.stdout.strip()}   ratio")
    for segments, seconds in SECONDS.items():
        ours, theirs = [], []
        for _ in range(options.rounds):
            ours.append(figure([sys.executable, "-c", OURS, str(segments)]))
            theirs.append(figure([options.python, str(THEIRS), str(segments), str(seconds)]))
        a, b = max(ours), max(theirs)
        print(f"chain of {segments:2} links of 20 km      {a:10,.0f} {b:14,.0f} {a / b:9,.0f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
