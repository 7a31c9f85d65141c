"""What this distribution offers to qstack."""

from __future__ import annotations

from pathlib import Path

from qstack import HardwareModel, hookimpl
from qstack.hardware.models import DoubleClickInterface, RelaxingMemory, SingleClickInterface
from qstack.plugin.contracts import Sheet, load_platforms
from qstack_colour_centres.interface import ColourCentreInterface
from qstack_colour_centres.memory import SpinMemory

QSTACK_API = (1, 0)
DATA = Path(__file__).parent / "data"


@hookimpl
def qstack_hardware() -> list[type[HardwareModel] | Sheet]:
    """Offer the two models and the data sheets in ``data/platforms``."""
    models: list[type[HardwareModel]] = [ColourCentreInterface, SpinMemory]
    of_qstack: list[type[HardwareModel]] = [DoubleClickInterface, SingleClickInterface, RelaxingMemory]
    return [*models, *load_platforms(DATA / "platforms", [*models, *of_qstack])]
