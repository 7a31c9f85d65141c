"""How a plugin's offer becomes the subject of a suite: with its default options, or with the examples that it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from typing import Any

from pydantic import ValidationError

from qstack.conformance.medium import network
from qstack.core.errors import ConfigError
from qstack.plugin.manager import Manager
from qstack.plugin.offers import Offer, Options

Subjects = Mapping[str, Callable[..., Any]]


def options_of(manager: Manager, offer: Offer) -> Options:
    """Return the options under which an offer is judged: defaults, and for what has none the first of its examples.

    Raises
    ------
    ConfigError
        If something has neither default nor example.
    """
    given = {
        name: field.examples[0]
        for name, field in offer.options.model_fields.items()
        if field.is_required() and field.examples
    }
    try:
        return offer.options.model_validate(given, context={"plugins": manager})
    except ValidationError as error:
        missing = ", ".join(str(found["loc"][0]) for found in error.errors())
        raise ConfigError(f"'{offer.name}' cannot be judged without options: {missing}.") from error


def offered(kind: str, *given: str, level: str = "") -> Callable[[Manager], Subjects]:
    """Return what finds all offers of a kind, each as a factory whose arguments have these names, in this order."""

    def find(manager: Manager) -> Subjects:
        return {name: partial(_made, manager, offer, given) for name, offer in manager.offers(kind, level).items()}

    return find


def _made(manager: Manager, offer: Offer, given: tuple[str, ...], *values: Any) -> Any:
    return offer.make(options_of(manager, offer), **dict(zip(given, values, strict=True)))


def media(manager: Manager) -> Subjects:
    """Return every owner of quantum state that can work here, as the medium suite takes it."""

    def make(offer: Offer, clock: Any, seed: int, attempts: str) -> Any:
        options = options_of(manager, offer)
        return offer.make(options, clock=clock, seed=seed, shot=0, attempts=attempts, schemes={})

    offers = manager.offers("tiers").items()
    return {name: partial(make, offer) for name, offer in offers if not offer.module or installed(offer.module)}


def installed(module: str) -> bool:
    """Tell whether a module can be imported."""
    try:
        return find_spec(module) is not None
    except ValueError:  # it is known not to be there
        return False


def devices(manager: Manager) -> Subjects:
    """Return two devices of every owner of quantum state, as the device suite takes them."""
    return {name: partial(network, make, ((1, 2),), "skip", 0.0) for name, make in media(manager).items()}


LEVELS = ("physical", "link", "network", "transport")
"""What a whole node is piled of, lowest first."""
WITH_REFERENCE = "+reference"
"""Ending of the name of a node whose other layers are the reference."""


def nodes(manager: Manager) -> Subjects:
    """Return whole nodes by name: the reference, and what comes of it when one plugin's layers take their places in it."""

    def make(name: str, site: Any) -> Any:
        layers: list[Any] = []
        for level in LEVELS:
            offers = manager.offers("layers", level)
            offer = offers.get(name, offers["reference"])
            made = offer.make(options_of(manager, offer), site=site)
            layers += made if isinstance(made, tuple) else (made,)
        return tuple(layers)

    names = {name for level in LEVELS for name in manager.offers("layers", level)} - {"reference"}
    return {"reference": partial(make, "reference")} | {
        name + WITH_REFERENCE: partial(make, name) for name in sorted(names)
    }
