"""What qstack itself offers, through the same hooks as every plugin; the only package that names reference implementations."""

from __future__ import annotations

from qstack.builtins.applications import qstack_applications
from qstack.builtins.hardware import qstack_channels, qstack_hardware, qstack_media, qstack_tiers
from qstack.builtins.keys import qstack_adapters, qstack_eavesdroppers, qstack_reconciliation
from qstack.builtins.layers import qstack_layers
from qstack.builtins.running import qstack_commands, qstack_drivers, qstack_sinks, qstack_specs
from qstack.builtins.strategies import (
    qstack_codes,
    qstack_cutoffs,
    qstack_distillation,
    qstack_routers,
    qstack_schedulers,
    qstack_swap_policies,
)
from qstack.plugin.hooks import API_VERSION

QSTACK_API = API_VERSION

__all__ = [
    "QSTACK_API",
    "qstack_adapters",
    "qstack_applications",
    "qstack_channels",
    "qstack_codes",
    "qstack_commands",
    "qstack_cutoffs",
    "qstack_distillation",
    "qstack_drivers",
    "qstack_eavesdroppers",
    "qstack_hardware",
    "qstack_layers",
    "qstack_media",
    "qstack_reconciliation",
    "qstack_routers",
    "qstack_schedulers",
    "qstack_sinks",
    "qstack_specs",
    "qstack_swap_policies",
    "qstack_tiers",
]
