"""What this distribution offers to qstack."""

from __future__ import annotations

from pathlib import Path

from qstack import HardwareModel, hookimpl
from qstack.hardware.models import RelaxingMemory
from qstack.hardware.pairsources import AbsorptiveInterface, SourceInterface
from qstack.plugin.contracts import Sheet, load_platforms
from qstack.plugin.optics import PartSheet
from qstack_photonics.interface import BenchInterface
from qstack_photonics.parts import Detector, FibreSheet, PulseSource, key_parts

QSTACK_API = (1, 0)
DATA = Path(__file__).parent / "data"


@hookimpl
def qstack_hardware() -> list[type[HardwareModel] | Sheet | PartSheet]:
    """Offer the bench, the data sheets in ``data/platforms``, and the detectors, fibres and lasers of key links."""
    return [
        BenchInterface,
        Detector,
        FibreSheet,
        PulseSource,
        *key_parts(),
        *load_platforms(DATA / "platforms", [BenchInterface, RelaxingMemory, AbsorptiveInterface, SourceInterface]),
    ]
