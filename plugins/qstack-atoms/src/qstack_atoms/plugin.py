"""What this distribution offers to qstack: data sheets of models that qstack has."""

from __future__ import annotations

from pathlib import Path

from qstack import HardwareModel, hookimpl
from qstack.hardware.models import DoubleClickInterface, RelaxingMemory, StretchedMemory
from qstack.hardware.pairsources import AbsorptiveInterface
from qstack.plugin.contracts import Sheet, load_platforms

QSTACK_API = (1, 0)
DATA = Path(__file__).parent / "data"
MODELS: list[type[HardwareModel]] = [DoubleClickInterface, AbsorptiveInterface, RelaxingMemory, StretchedMemory]


@hookimpl
def qstack_hardware() -> list[Sheet]:
    """Offer the data sheets in ``data/platforms``."""
    return load_platforms(DATA / "platforms", MODELS)
