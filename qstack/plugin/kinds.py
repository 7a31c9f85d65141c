"""What each hook may be answered with: one table, read by the manager and by everything that lists plugins."""

from __future__ import annotations

import inspect
import re
import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qstack.plugin.contracts import HardwareModel, Offer, Options, Platform, Sheet
from qstack.plugin.optics import ROLES, Part, PartSheet
from qstack.plugin.spelling import nearest

LEVELS = ("physical", "link", "network", "transport", "application")
MODEL = "model"
"""Level of hardware model classes: a class and a platform may share a name, they are chosen in different places."""

NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
"""How offers are named: lower case, as a scenario writes them."""


class WrongThing(ValueError):
    """A hook was answered with something that it does not take; says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a hook may be answered with.

    Parameters
    ----------
    hook
        Name of the hook.
    place
        Returns (level, name) of one thing, or raises `WrongThing`.
    noun
        What its things are called in messages, with the article.
    """

    hook: str
    place: Callable[[Any], tuple[str, str]]
    noun: str

    def called(self, level: str) -> str:
        """Return what a thing of a level is called."""
        if level in LEVELS:
            return f"a layer of level '{level}'"
        if level in ROLES:
            return f"a {level}"
        return "a hardware model" if level == MODEL else self.noun


def _checked(name: object, what: str) -> str:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise WrongThing(f"{what} is named {reprlib.repr(name)}; a name is lower case: letters, digits, '.', '-', '_'")
    return name


def _offer(thing: Any) -> tuple[str, str]:
    if not isinstance(thing, Offer):
        raise WrongThing("it is not an Offer")
    name = _checked(thing.name, "the offer")
    if not callable(thing.make):
        raise WrongThing(f"'make' of '{name}' cannot be called")
    if not (isinstance(thing.options, type) and issubclass(thing.options, Options)):
        raise WrongThing(f"'options' of '{name}' is not a class of qstack.Options")
    return thing.level, name


def _plain_offer(thing: Any) -> tuple[str, str]:
    level, name = _offer(thing)
    if level:
        raise WrongThing(f"'{name}' has the level {level!r}; only layers have one")
    return "", name


def _sink(thing: Any) -> tuple[str, str]:
    level, name = _plain_offer(thing)
    needed = [key for key, field in thing.options.model_fields.items() if field.is_required()]
    if needed:
        raise WrongThing(
            f"'{name}' cannot be made without {', '.join(needed)}; a sink is chosen by a file's ending alone"
        )
    return level, name


def _layer(thing: Any) -> tuple[str, str]:
    level, name = _offer(thing)
    if level not in LEVELS:
        hint = nearest(str(level), LEVELS)
        raise WrongThing(f"'{name}' has the level {level!r}; allowed: {', '.join(LEVELS)}.{hint}".rstrip("."))
    return level, name


def _hardware(thing: Any) -> tuple[str, str]:
    if isinstance(thing, Platform | Sheet):
        return "", _checked(thing.name, "the platform")
    if isinstance(thing, Part | PartSheet):
        return thing.role, _checked(thing.name, f"the {thing.role}")
    if not (isinstance(thing, type) and issubclass(thing, HardwareModel)):
        raise WrongThing("it is neither a class of qstack.HardwareModel nor a Platform nor a Part")
    missing = sorted(getattr(thing, "__abstractmethods__", ()))
    if inspect.isabstract(thing):
        raise WrongThing(f"{thing.__name__} lacks {', '.join(missing)}")
    return MODEL, _checked(getattr(thing, "kind", None), f"'kind' of {thing.__name__}")


def _command(thing: Any) -> tuple[str, str]:
    import click  # noqa: PLC0415 - only who has commands needs it

    if not isinstance(thing, click.Command):
        raise WrongThing("it is not a click.Command")
    return "", _checked(thing.name, "the command")


def _folder(thing: Any) -> tuple[str, str]:
    if not isinstance(thing, Path) or not thing.is_dir():
        raise WrongThing("it is not the Path of a directory that exists")
    return "", str(thing)


KINDS: Mapping[str, Kind] = {
    name: Kind(f"qstack_{name}", place, noun)
    for name, place, noun in [
        ("hardware", _hardware, "a hardware platform"),
        ("media", _plain_offer, "a link medium"),
        ("tiers", _plain_offer, "a tier"),
        ("drivers", _plain_offer, "a driver"),
        ("layers", _layer, "a layer"),
        ("schedulers", _plain_offer, "a scheduler"),
        ("swap_policies", _plain_offer, "a swap policy"),
        ("cutoffs", _plain_offer, "a cutoff policy"),
        ("routers", _plain_offer, "a router"),
        ("distillation", _plain_offer, "a distillation scheme"),
        ("codes", _plain_offer, "a quantum code"),
        ("reconciliation", _plain_offer, "a reconciliation scheme"),
        ("channels", _plain_offer, "a classical channel"),
        ("adapters", _plain_offer, "an adapter"),
        ("applications", _plain_offer, "an application"),
        ("eavesdroppers", _plain_offer, "an eavesdropper"),
        ("sinks", _sink, "a trace sink"),
        ("commands", _command, "a command"),
        ("specs", _folder, "a directory of requirements"),
    ]
}
