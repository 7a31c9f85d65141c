"""What the tests of the command line share."""

from __future__ import annotations

from pathlib import Path

import pytest

import qstack.api
from qstack.cli import invoke

ROOT = Path(__file__).parents[2]


class Said:
    """What a command said, and its exit code."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def qstack(capsys):
    """Run a command in this process."""

    def run(*arguments: object) -> Said:
        code = invoke([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def examples() -> dict[str, str]:
    """The shipped examples, by name."""
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted((ROOT / "examples").glob("*.yaml"))}


GOOD = """\
name: two links
network:
  nodes:
    - Alice
    - Bob
    - Carol
  links:
    - a: Alice
      b: Bob
      length: 20 km
    - a: Bob
      b: Carol
      length: 30 km
      loss: 7 dB
  fibre:
    attenuation: 0.25 dB/km
    speed: 200000 km/s
    station: 0.5
  hardware:
    all:
      like: textbook
      memories: 2
      gate_noise: 0.001
      memory:
        kind: relaxing
        relaxation_time: 10 s
        coherence_time: 1 s
  medium: midpoint
  channel: ideal
stack:
  physical: reference
  link:
    use: reference
    scheduler: wfq
    distillation: none
  network:
    routing: shortest
    swap: asap
    cutoff: 250 ms
flows:
  - name: pairs
    app: pairs
    from: Alice
    to: Carol
    min_fidelity: 0.75
    number: 3
    start: 1 ms
run:
  until: 10 s
  seed: 7
  tier: correlators
  attempts: skip
"""


@pytest.fixture
def good() -> str:
    """A scenario with nothing wrong in it, one key on a line."""
    return GOOD
