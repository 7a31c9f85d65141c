"""Colour centres in diamond: NV and SiV nodes for qstack."""

from qstack_colour_centres.interface import ColourCentreInterface
from qstack_colour_centres.memory import SpinMemory

__all__ = ["ColourCentreInterface", "SpinMemory"]
