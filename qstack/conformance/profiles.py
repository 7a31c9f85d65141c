"""Profiles: what can be judged, by which suite, and how a plugin's offer becomes the subject of one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

from qstack.conformance.adapter import AdapterSuite
from qstack.conformance.application import ApplicationSuite, FrontEndSuite
from qstack.conformance.channel import ChannelSuite
from qstack.conformance.code import CodeSuite
from qstack.conformance.device import DeviceSuite
from qstack.conformance.distillation import DistillationSuite
from qstack.conformance.features import believed, features, listed, named, told
from qstack.conformance.hardware import HardwareSuite
from qstack.conformance.judge import Verdict
from qstack.conformance.link import LinkSuite
from qstack.conformance.link_medium import LinkMediumSuite
from qstack.conformance.marks import Claims
from qstack.conformance.medium import MediumSuite
from qstack.conformance.network import NetworkSuite
from qstack.conformance.node import NodeSuite
from qstack.conformance.offers import LEVELS, WITH_REFERENCE, devices, media, nodes, offered, options_of
from qstack.conformance.physical import PhysicalSuite
from qstack.conformance.policies import CutoffSuite, SchedulerSuite, SwapPolicySuite
from qstack.conformance.program import Program
from qstack.conformance.reconciliation import ReconciliationSuite
from qstack.conformance.router import RouterSuite
from qstack.conformance.specification import Specification
from qstack.conformance.transport import TransportSuite
from qstack.core.errors import ConfigError
from qstack.plugin.manager import Found, Manager
from qstack.plugin.offers import Offer
from qstack.plugin.spelling import nearest

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Profile:
    """A kind of subject: its suite, everything installed that can be judged by it, and which offers that is made of."""

    name: str
    suite: type
    subjects: Callable[[Manager], Mapping[str, Any]]
    kind: str
    levels: Sequence[str] = ("",)


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is judged as what.

    Parameters
    ----------
    name, profile
        Who, as what.
    make
        What the tests of the suite take.
    alone
        Whether it has a process of its own already.
    version
        Of the distribution that it comes from, or what tells it after the judgement.
    features
        What it claims.
    """

    name: str
    profile: Profile
    make: Any
    alone: bool = False
    version: str | Callable[[], str] = UNKNOWN
    features: Claims = None


def _made(kind: str, given: str, level: str = "") -> Callable[[Manager], Mapping[str, Any]]:
    """Return what finds the offers of a kind, each as a factory with its default options; `given` names its argument."""

    def find(manager: Manager) -> Mapping[str, Any]:
        return {name: _factory(manager, offer, given) for name, offer in manager.offers(kind, level).items()}

    return find


def _factory(manager: Manager, offer: Offer, given: str) -> Callable[[Any], Any]:
    def make(place: Any) -> Any:
        options = options_of(manager, offer)
        return offer.make(options, **{given: place})

    return make


PROFILES: Mapping[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile("adapter", AdapterSuite, offered("adapters"), "adapters"),
        Profile("application", ApplicationSuite, offered("applications", "end"), "applications"),
        Profile("channel", ChannelSuite, offered("channels", "delay"), "channels"),
        Profile("code", CodeSuite, offered("codes"), "codes"),
        Profile("cutoff", CutoffSuite, offered("cutoffs"), "cutoffs"),
        Profile("device", DeviceSuite, devices, "tiers"),
        Profile(
            "distillation", DistillationSuite, offered("distillation", "gate_noise", "readout_error"), "distillation"
        ),
        Profile("front-end", FrontEndSuite, offered("layers", "site", level="application"), "layers", ("application",)),
        Profile("hardware", HardwareSuite, lambda manager: manager.platforms, "hardware"),
        Profile("link", LinkSuite, _made("layers", "site", "link"), "layers", ("link",)),
        Profile("link-medium", LinkMediumSuite, offered("media", "a", "b", "fibre"), "media"),
        Profile("medium", MediumSuite, media, "tiers"),
        Profile("network", NetworkSuite, _made("layers", "site", "network"), "layers", ("network",)),
        Profile("node", NodeSuite, nodes, "layers", LEVELS),
        Profile("physical", PhysicalSuite, offered("layers", "site", level="physical"), "layers", ("physical",)),
        Profile("reconciliation", ReconciliationSuite, offered("reconciliation"), "reconciliation"),
        Profile("router", RouterSuite, _made("routers", "view"), "routers"),
        Profile("scheduler", SchedulerSuite, offered("schedulers"), "schedulers"),
        Profile("swap-policy", SwapPolicySuite, offered("swap_policies"), "swap_policies"),
        Profile("transport", TransportSuite, offered("layers", "site", level="transport"), "layers", ("transport",)),
    )
}


def all_features() -> frozenset[str]:
    """Return every extended feature of every profile."""
    return frozenset(name for profile in PROFILES.values() for name in features(profile.suite))


def claiming(
    one: Subject, suite: type, said: str | None, specification: Specification, asked: Collection[str] = ()
) -> tuple[type, tuple[str, ...] | None, list[Verdict]]:
    """Return the suite for what a subject claims, those claims, and a verdict on them.

    Parameters
    ----------
    one, suite
        Who is judged by what.
    said
        Features that a user claims for it instead, ``a,b``; None leaves it to the subject.
    specification
        Where the texts stand.
    asked
        Requirements that are judged; all if empty.  A lie is told in any case.

    Raises
    ------
    ConfigError
        If the user claims what the profile does not know.
    """
    claims = one.features if said is None else named(said, suite, one.profile.name)
    if one.alone and said is None:  # the first question on the pipe is whether it claims nonsense
        return told(suite, claims), None, []
    suite, found = believed(suite, claims, all_features(), specification)
    return suite, listed(suite, claims), [v for v in found if v.verdict == "fail" or not asked or v.id in asked]


def everything(manager: Manager) -> Iterator[Subject]:
    """Return everything installed that can be judged."""
    for profile in PROFILES.values():
        for name, make in profile.subjects(manager).items():
            found = _origin(manager, profile, name)
            claims = getattr(found.thing, "features", None) if len(profile.levels) == 1 else None
            yield Subject(name, profile, make, version=found.plugin.version, features=claims)


def _origin(manager: Manager, profile: Profile, name: str) -> Found:
    """Return who offers a subject; of a whole node whoever offers the first of its layers that is not the reference."""
    offers = manager.found[profile.kind]
    return next(offers[at] for level in profile.levels if (at := (level, name.removesuffix(WITH_REFERENCE))) in offers)


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
        if profile is None:
            raise ConfigError(f"as what is the program judged? Choose with --profile: {', '.join(PROFILES)}.")
        piped = Program(program, profile, patience)
        try:
            piped.features = tuple(features(PROFILES[profile].suite))
            judged = PROFILES[profile]
            yield [Subject(program, judged, piped.subject, alone=True, version=piped.told, features=piped.claims)]
        finally:
            piped.close()
    elif name is None:
        yield [one for one in everything(manager()) if profile in {None, one.profile.name}]
    elif ":" in name:
        if profile is None:
            raise ConfigError(f"as what is '{name}' judged? Choose with --profile: {', '.join(PROFILES)}.")
        found = _object(name)
        claims = getattr(found, "features", None)
        yield [Subject(name, PROFILES[profile], found, version=_version(name), features=claims)]
    else:
        yield [find(manager(), name, profile)]


def _version(name: str) -> str:
    """Return the version of the distribution that the module of ``module:attribute`` comes from, or that it is unknown."""
    distributions = metadata.packages_distributions().get(name.partition(".")[0].partition(":")[0], [])
    return metadata.version(distributions[0]) if distributions else UNKNOWN


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
