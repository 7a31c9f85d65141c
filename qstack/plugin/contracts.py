"""Base contracts of plugins: what a hardware model is, and what the things that hooks offer have to be.

A hardware model is a frozen pydantic model (the data sheet) with one pure function (`qstack.plugin.models`).  A `Platform`
is a named data sheet made of such models (`qstack.plugin.platforms`).  Everything else that a hook offers is an `Offer`
(`qstack.plugin.offers`).  This module holds nothing of its own: it is where all of them can be imported from.
"""

from __future__ import annotations

from qstack.plugin.links import Arm, Fibre, Herald, LinkSheet, Outcome, Phase
from qstack.plugin.models import HardwareModel, InterfaceModel, MemoryModel, choose_model
from qstack.plugin.offers import NestedErrors, NotOffered, Offer, Options, Selection, chosen, plugins_of, validate
from qstack.plugin.platforms import Platform, Sheet, load_platforms
from qstack.plugin.protocols import ClassicalChannel, DistillationScheme, Disturbed, Medium, Passing
from qstack.quantum.memory import Decay

__all__ = [
    "Arm",
    "ClassicalChannel",
    "Decay",
    "DistillationScheme",
    "Disturbed",
    "Fibre",
    "HardwareModel",
    "Herald",
    "InterfaceModel",
    "LinkSheet",
    "Medium",
    "MemoryModel",
    "NestedErrors",
    "NotOffered",
    "Offer",
    "Options",
    "Outcome",
    "Passing",
    "Phase",
    "Platform",
    "Selection",
    "Sheet",
    "choose_model",
    "chosen",
    "load_platforms",
    "plugins_of",
    "validate",
]
