"""Profiles: what can be judged, by which suite, and how a plugin's offer becomes the subject of one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from qstack.conformance.application import ApplicationSuite, FrontEndSuite
from qstack.conformance.channel import ChannelSuite
from qstack.conformance.code import CodeSuite
from qstack.conformance.device import DeviceSuite
from qstack.conformance.distillation import DistillationSuite
from qstack.conformance.hardware import HardwareSuite
from qstack.conformance.link import LinkSuite
from qstack.conformance.medium import MediumSuite
from qstack.conformance.network import NetworkSuite
from qstack.conformance.node import NodeSuite
from qstack.conformance.offers import devices, media, nodes, offered
from qstack.conformance.physical import PhysicalSuite
from qstack.conformance.policies import CutoffSuite, SchedulerSuite, SwapPolicySuite
from qstack.conformance.program import Program
from qstack.conformance.reconciliation import ReconciliationSuite
from qstack.conformance.router import RouterSuite
from qstack.conformance.transport import TransportSuite
from qstack.core.errors import ConfigError
from qstack.plugin.manager import Manager
from qstack.plugin.offers import Offer
from qstack.plugin.spelling import nearest


@dataclass(frozen=True, slots=True)
class Profile:
    """A kind of subject: its suite, and everything installed that can be judged by it."""

    name: str
    suite: type
    subjects: Callable[[Manager], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is judged as what: `make` is what the tests of the suite take; `alone` has a process of its own already."""

    name: str
    profile: Profile
    make: Any
    alone: bool = False


def _made(kind: str, given: str, level: str = "") -> Callable[[Manager], Mapping[str, Any]]:
    """Return what finds the offers of a kind, each as a factory with its default options; `given` names its argument."""

    def find(manager: Manager) -> Mapping[str, Any]:
        return {name: _factory(manager, offer, given) for name, offer in manager.offers(kind, level).items()}

    return find


def _factory(manager: Manager, offer: Offer, given: str) -> Callable[[Any], Any]:
    def make(place: Any) -> Any:
        try:
            options = offer.options.model_validate({}, context={"plugins": manager})
        except ValidationError as error:
            missing = ", ".join(str(found["loc"][0]) for found in error.errors())
            raise ConfigError(f"'{offer.name}' cannot be judged without options: {missing}.") from error
        return offer.make(options, **{given: place})

    return make


PROFILES: Mapping[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile("application", ApplicationSuite, offered("applications", "end")),
        Profile("channel", ChannelSuite, offered("channels", "delay")),
        Profile("code", CodeSuite, offered("codes")),
        Profile("cutoff", CutoffSuite, offered("cutoffs")),
        Profile("device", DeviceSuite, devices),
        Profile("distillation", DistillationSuite, offered("distillation", "gate_noise", "readout_error")),
        Profile("front-end", FrontEndSuite, offered("layers", "site", level="application")),
        Profile("hardware", HardwareSuite, lambda manager: manager.platforms),
        Profile("link", LinkSuite, _made("layers", "site", "link")),
        Profile("medium", MediumSuite, media),
        Profile("network", NetworkSuite, _made("layers", "site", "network")),
        Profile("node", NodeSuite, nodes),
        Profile("physical", PhysicalSuite, offered("layers", "site", level="physical")),
        Profile("reconciliation", ReconciliationSuite, offered("reconciliation")),
        Profile("router", RouterSuite, _made("routers", "view")),
        Profile("scheduler", SchedulerSuite, offered("schedulers")),
        Profile("swap-policy", SwapPolicySuite, offered("swap_policies")),
        Profile("transport", TransportSuite, offered("layers", "site", level="transport")),
    )
}


def everything(manager: Manager) -> Iterator[Subject]:
    """Return everything installed that can be judged."""
    for profile in PROFILES.values():
        for name, make in profile.subjects(manager).items():
            yield Subject(name, profile, make)


def no_profile(name: str) -> ConfigError:
    """Return what is wrong with a name that is not a profile."""
    return ConfigError(f"'{name}' is not a profile; allowed: {', '.join(PROFILES)}.{nearest(name, PROFILES)}")


def find(manager: Manager, name: str, profile: str | None) -> Subject:
    """Return an installed subject by its name.

    Raises
    ------
    ConfigError
        If there is none, or several and no profile tells them apart.
    """
    if profile is not None and profile not in PROFILES:
        raise no_profile(profile)
    every = [subject for subject in everything(manager) if profile in {None, subject.profile.name}]
    found = [subject for subject in every if subject.name == name]
    if not found:
        names = sorted({subject.name for subject in every})
        what = f"installed as {profile}" if profile else "installed"
        raise ConfigError(f"'{name}' is not {what}; there are {', '.join(names)}.{nearest(name, names)}")
    if len(found) > 1:
        profiles = " or ".join(f"--profile {subject.profile.name}" for subject in found)
        raise ConfigError(f"there are several '{name}'; say {profiles}.")
    return found[0]


PIPED: Mapping[str, str] = {
    "application": "application",
    "channel": "channel",
    "code": "code",
    "cutoff": "cutoff",
    "device": "device",
    "distillation": "distillation",
    "hardware": "hardware",
    "link": "layer",
    "network": "layer",
    "physical": "layer",
    "reconciliation": "reconciliation",
    "router": "router",
    "scheduler": "scheduler",
    "swap-policy": "swap_policy",
    "transport": "layer",
}
"""Profiles of which a program can be a subject, and how it is asked."""


@contextmanager
def chosen(
    manager: Callable[[], Manager], name: str | None, profile: str | None, program: str | None, patience: float
) -> Iterator[Iterable[Subject]]:
    """Give whom a user asks for: a program, an object, an installed subject, or everything.

    Parameters
    ----------
    manager
        Where to look for what is installed.
    name
        Of an installed subject, or ``module:attribute``; everything if None, unless there is a program.
    profile
        What they are judged as.
    program
        Command that runs a program on a pipe.
    patience
        Longest time for an answer of the program [s].

    Raises
    ------
    ConfigError
        If there is no such subject or profile.
    """
    if profile is not None and profile not in PROFILES:
        raise no_profile(profile)
    if program is not None:
        if profile is None or profile not in PIPED:
            raise ConfigError(f"a program is judged as one of {', '.join(PIPED)}; choose with --profile.")
        piped = Program(program, profile, patience)
        try:
            yield [Subject(program, PROFILES[profile], getattr(piped, PIPED[profile]), alone=True)]
        finally:
            piped.close()
    elif name is None:
        yield [one for one in everything(manager()) if profile in {None, one.profile.name}]
    elif ":" in name:
        if profile is None:
            raise ConfigError(f"as what is '{name}' judged? Choose with --profile: {', '.join(PROFILES)}.")
        yield [Subject(name, PROFILES[profile], _object(name))]
    else:
        yield [find(manager(), name, profile)]


def _object(name: str) -> Any:
    """Return what ``module:attribute`` names; the working directory is looked through too.

    Raises
    ------
    ConfigError
        If it is not there, or its module raises anything while it is loaded.
    """
    module, _, attribute = name.partition(":")
    if not all(part.isidentifier() for part in module.split(".")):
        hint = f"  Did you mean '{Path(module).stem}:{attribute}', from its folder?" if module.endswith(".py") else ""
        raise ConfigError(f"'{name}' is not MODULE:NAME, such as mypackage.layer:make.{hint}")
    sys.path.insert(0, "")
    try:
        found: Any = import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except Exception as error:  # the module is the user's, and may raise anything
        raise ConfigError(f"'{name}' cannot be had: {type(error).__name__}: {error}.") from error
    finally:
        sys.path.remove("")
    return found
