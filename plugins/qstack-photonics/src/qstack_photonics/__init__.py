"""Photonics: pair sources, quantum dots, rare-earth memories, and the parts of a bench."""

from qstack_photonics.interface import BenchInterface
from qstack_photonics.parts import Converter, Detector, FibreSheet, PulseSource, parts

__all__ = ["BenchInterface", "Converter", "Detector", "FibreSheet", "PulseSource", "parts"]
