"""Start-up: the CPU time until a network can run, in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys

IMPORT = "import time; b = time.process_time(); import qstack; print(time.process_time() - b)"
BUILD = """
import time; b = time.process_time()
from benchmarks.networks import mesh
from qstack.hosts.build import build
build(mesh({nodes}, {flows}).plan, seed=1)
print(time.process_time() - b)
"""


def _seconds(program: str) -> float:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return float(done.stdout)


def imports() -> float:
    """Return how many times a second `import qstack` could be done."""
    return 1 / _seconds(IMPORT)


def builds(nodes: int, flows: int) -> float:
    """Return how many times a second a network could be loaded and built, imports included."""
    return 1 / _seconds(BUILD.format(nodes=nodes, flows=flows))
