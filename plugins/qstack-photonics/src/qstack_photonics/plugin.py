"""What this distribution offers to qstack."""

from __future__ import annotations

from pathlib import Path

from qstack import HardwareModel, hookimpl
from qstack.hardware.models import RelaxingMemory
from qstack.hardware.pairsources import AbsorptiveInterface, SourceInterface
from qstack.plugin.contracts import Sheet, load_platforms
from qstack_photonics.interface import BenchInterface

QSTACK_API = (1, 0)
DATA = Path(__file__).parent / "data"


@hookimpl
def qstack_hardware() -> list[type[HardwareModel] | Sheet]:
    """Offer the bench, and the data sheets in ``data/platforms``."""
    return [
        BenchInterface,
        *load_platforms(DATA / "platforms", [BenchInterface, RelaxingMemory, AbsorptiveInterface, SourceInterface]),
    ]
