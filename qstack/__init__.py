"""qstack: the reference implementation of the quantum internet's protocol stack.

The names here are what scripts and plugins need; each is imported when it is first used, so that ``import qstack`` is
quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qstack import validation
    from qstack.api import load, manager
    from qstack.core.errors import ConfigError, PhysicsError, PluginError, QstackError
    from qstack.plugin.contracts import (
        Decay,
        HardwareModel,
        InterfaceModel,
        MemoryModel,
        Offer,
        Options,
        Platform,
    )
    from qstack.plugin.hooks import API_VERSION, hookimpl
    from qstack.plugin.optics import ChannelPart, DetectorPart, Gates, Passage, Pulses, SourcePart

_HOMES = {
    "qstack.api": ("load", "manager"),
    "qstack.core.errors": ("ConfigError", "PhysicsError", "PluginError", "QstackError"),
    "qstack.plugin.contracts": (
        "Decay",
        "HardwareModel",
        "InterfaceModel",
        "MemoryModel",
        "Offer",
        "Options",
        "Platform",
    ),
    "qstack.plugin.hooks": ("API_VERSION", "hookimpl"),
    "qstack.plugin.optics": ("ChannelPart", "DetectorPart", "Gates", "Passage", "Pulses", "SourcePart"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "API_VERSION",
    "ChannelPart",
    "ConfigError",
    "Decay",
    "DetectorPart",
    "Gates",
    "HardwareModel",
    "InterfaceModel",
    "MemoryModel",
    "Offer",
    "Options",
    "Passage",
    "PhysicsError",
    "Platform",
    "PluginError",
    "Pulses",
    "QstackError",
    "SourcePart",
    "hookimpl",
    "load",
    "manager",
    "validation",
]


def __getattr__(name: str) -> Any:
    if name == "validation":
        return import_module("qstack.validation")
    if name not in _HOME:
        raise AttributeError(f"module 'qstack' has no attribute '{name}'")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
