"""Hook specifications: what a plugin may offer.

A hook is asked once, at start-up, and answers with a list of named things.  Built-in parts come through the same hooks
(`qstack.builtins`).  Implement any of these functions in a module, mark it with `qstack.hookimpl`, set ``QSTACK_API``
to the version of this interface that you wrote it for, and name the module in the entry-point group ``qstack`` of a
distribution, or write it into a ``qstackfile.py`` beside a scenario.  What each hook is called with, and what uses it,
is told in ``docs/hooks.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

from qstack.plugin.contracts import HardwareModel, Offer, Platform, Sheet
from qstack.plugin.optics import Part, PartSheet

if TYPE_CHECKING:
    import click

PROJECT = "qstack"
API_VERSION = (1, 0)
"""Version of the hooks and of the contracts.  A plugin's major number must be equal, its minor number not larger."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def qstack_hardware() -> list[type[HardwareModel] | Platform | Sheet | Part | PartSheet]:
    """Offer hardware: model classes (memories, interfaces, parts of key links) and named data sheets made of them."""


@hookspec
def qstack_media() -> list[Offer]:
    """Offer simulated links.

    ``make(options, a=Platform, b=Platform, fibre=Fibre)`` returns a `qstack.plugin.contracts.LinkSheet`.
    """


@hookspec
def qstack_tiers() -> list[Offer]:
    """Offer owners of joint quantum state.

    ``make(options, clock=..., seed=..., shot=..., attempts=..., schemes=...)`` returns an object with the methods of
    `qstack.plugin.contracts.Medium`.
    """


@hookspec
def qstack_drivers() -> list[Offer]:
    """Offer real devices: ``make(options, site=DriverSite)`` returns a `qstack.plugin.drivers.Driver`."""


@hookspec
def qstack_layers() -> list[Offer]:
    """Offer layers of a level: ``make(options, site=Site)`` returns one layer or several, lowest first."""


@hookspec
def qstack_schedulers() -> list[Offer]:
    """Offer link schedulers: ``make(options)`` returns a `qstack.services.strategies.Scheduler`."""


@hookspec
def qstack_swap_policies() -> list[Offer]:
    """Offer swap policies: ``make(options)`` returns a `qstack.services.strategies.SwapPolicy`."""


@hookspec
def qstack_cutoffs() -> list[Offer]:
    """Offer discard policies: ``make(options)`` returns a `qstack.services.strategies.CutoffPolicy`."""


@hookspec
def qstack_routers() -> list[Offer]:
    """Offer routing: ``make(options, view=NetworkView)`` returns a `qstack.services.strategies.Router`."""


@hookspec
def qstack_distillation() -> list[Offer]:
    """Offer purification.

    ``make(options, gate_noise=float, readout_error=float)`` returns a `qstack.plugin.contracts.DistillationScheme` for
    two ends with this noise, or None to deliver every pair as it is.
    """


@hookspec
def qstack_codes() -> list[Offer]:
    """Offer quantum codes: ``make(options)`` returns a `qstack.correction.codes.StabilizerCode`, which the decoder takes."""


@hookspec
def qstack_reconciliation() -> list[Offer]:
    """Offer key reconciliation: ``make(options)`` returns a `qstack.keys.reconcile.strategy.Reconciler`."""


@hookspec
def qstack_channels() -> list[Offer]:
    """Offer classical channels.

    ``make(options, delay=int)`` returns a `qstack.plugin.contracts.ClassicalChannel`; `delay` is light's [ps].
    """


@hookspec
def qstack_adapters() -> list[Offer]:
    """Offer classical integration: ``make(options)`` returns a `qstack.plugin.adapters.Adapter`, which hands keys over."""


@hookspec
def qstack_applications() -> list[Offer]:
    """Offer applications: ``make(options, end=FlowEnd)`` returns one end of a flow."""


@hookspec
def qstack_eavesdroppers() -> list[Offer]:
    """Offer attacks on a quantum or a classical channel: ``make(options)`` returns the attacker."""


@hookspec
def qstack_sinks() -> list[Offer]:
    """Offer trace sinks, each named by the ending of its files.

    ``make(options, path=Path)`` returns an object with ``write(record)`` and ``close()``; see `qstack.trace.node.Sink`.
    """


@hookspec
def qstack_commands() -> list[click.Command]:
    """Offer commands of the command line."""


@hookspec
def qstack_specs() -> list[Path]:
    """Offer directories of numbered requirements."""


@hookspec
def qstack_run_started(scenario: Any, seed: int) -> None:
    """Hear that a run starts; once per run."""


@hookspec
def qstack_run_finished(scenario: Any, summary: Mapping[str, Any]) -> None:
    """Hear what came of a run; once per run."""
