"""Start-up: the CPU time until a network can run, in a fresh interpreter, of modules that are compiled to bytecode as pip does."""

from __future__ import annotations

import os
import subprocess
import sys
from tempfile import TemporaryDirectory

IMPORT = "import time; b = time.process_time(); import qstack; print(time.process_time() - b)"
BUILD = """
import time; b = time.process_time()
from benchmarks.networks import mesh
from qstack.hosts.build import build
build(mesh({nodes}, {flows}).plan, seed=1)
print(time.process_time() - b)
"""


def _seconds(program: str, turns: int = 3) -> float:
    """Return the least CPU time of a program that says what it took [s]; a first turn, not counted, leaves the bytecode."""
    with TemporaryDirectory() as folder:
        known = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        given = known | {"PYTHONPYCACHEPREFIX": folder}
        call = [sys.executable, "-c", program]
        took = [subprocess.run(call, env=given, capture_output=True, text=True, check=True) for _ in range(turns + 1)]
    return min(float(done.stdout) for done in took[1:])


def imports() -> float:
    """Return how many times a second `import qstack` could be done."""
    return 1 / _seconds(IMPORT)


def builds(nodes: int, flows: int) -> float:
    """Return how many times a second a network could be loaded and built, imports included."""
    return 1 / _seconds(BUILD.format(nodes=nodes, flows=flows))
