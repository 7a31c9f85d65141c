"""Offers: the named things that hooks answer with, and how a user's words choose one of them.

An `Offer` is a name, a factory and the options that a user may set.  A scenario names it; `chosen` is the pydantic type
that looks the name up among the installed plugins and validates the options; a `Selection` is what comes of that.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
)

from qstack.core.errors import PluginError, QstackError
from qstack.plugin.spelling import nearest
from qstack.plugin.trouble import told

M = TypeVar("M", bound=BaseModel)


class Options(BaseModel):
    """Base of everything a user may write: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class NotOffered(ValueError):
    """A name that nothing installed answers to; `key` if it stands there and not at the place itself."""

    def __init__(self, name: str, what: str, offered: list[str], key: str = "") -> None:
        super().__init__(f"'{name}' is not {what}.")
        self.name = name
        self.what = what
        self.offered = offered
        self.key = key


class UnknownKey(ValueError):
    """A key that stands where the key that chooses should be."""

    def __init__(self, key: str, allowed: list[str]) -> None:
        super().__init__(f"'{key}' is not a key here.")
        self.key = key
        self.allowed = allowed


def refuse_misspelt(given: Mapping[Any, object], chooser: str) -> None:
    """Refuse a key that was meant to be the one that chooses.

    Raises
    ------
    UnknownKey
        If there is one.
    """
    for key in given:
        if nearest(str(key), [chooser]):
            raise UnknownKey(str(key), [chooser])


class NestedErrors(ValueError):
    """What was wrong in a part whose model is known only when its name has been read; `chooser` is the key of the name."""

    def __init__(self, error: ValidationError, model: type[BaseModel], chooser: str) -> None:
        super().__init__(str(error))
        self.error = error
        self.model = model
        self.chooser = chooser


def plugins_of(info: ValidationInfo) -> Any:
    """Return the plugin manager that a validation runs under."""
    if not info.context or "plugins" not in info.context:
        raise RuntimeError("validate with context={'plugins': manager}")
    return info.context["plugins"]


def validate(model: type[M], value: object, info: ValidationInfo, chooser: str) -> M:
    """Validate a part inside a validator, keeping the places of its errors; `chooser` is the key that named its model.

    Raises
    ------
    NestedErrors
        If the value does not fit the model.
    PluginError
        If a validator of the model fails in a way of its own; the message names the model's module.
    """
    try:
        return model.model_validate(value, context=info.context)
    except ValidationError as error:
        raise NestedErrors(error, model, chooser) from error
    except QstackError:
        raise
    except Exception as error:
        raise PluginError(f"{model.__name__} of module '{model.__module__}' failed: {told(error)}") from error


class NoOptions(Options):
    """For offers that have nothing to choose."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A named thing that a plugin offers.

    Parameters
    ----------
    name
        By which a scenario chooses it.
    make
        Factory, called as ``make(options, **what its hook gives)``; see the hook.
    options
        Pydantic model of what a user may set.
    summary
        One line for people.
    level
        Layers only: physical, link, network, transport or application.
    needs
        Applications only: what is needed when the options are these: of the tier ``directions``, of the hardware at both ends
        ``certain-bell``, Bell measurements that do not fail.
    gives
        Tiers only: what applications may need.
    features
        Names of the extended features of its profile that a judge holds it to (see ``docs/conformance.md``), anything
        that answers ``name in features``; None says nothing, and then what it does decides.
    module
        Tiers only: what has to be installed besides, such as ``stim``; one that is not here is not judged.
    """

    name: str
    make: Callable[..., Any]
    options: type[Options] = NoOptions
    summary: str = ""
    level: str = ""
    needs: Callable[[Any], frozenset[str]] = lambda options: frozenset()
    gives: frozenset[str] = frozenset()
    features: Any = None
    module: str = ""


MADE: Mapping[str, tuple[str, ...]] = {
    "media": ("heralds", "rows", "lanes", "period", "delay"),
    "tiers": ("place", "connect", "join", "overlap", "counts", "pairs"),
    "layers": ("handlers", "name"),
    "schedulers": ("__call__",),
    "swap_policies": ("__call__",),
    "cutoffs": ("__call__",),
    "routers": ("__call__",),
    "distillation": ("name", "combine", "output_fidelity", "input_fidelity"),
    "reconciliation": ("name", "alice", "bob"),
    "drivers": ("open", "ask", "told", "close"),
    "channels": ("delay", "ideal", "arrivals"),
    "adapters": ("least", "deliver"),
    "applications": ("handlers", "flow"),
    "sinks": ("write", "close"),
}
"""What the things that factories make must have, by kind."""

OPTIONAL = frozenset({"swap_policies", "distillation"})
"""Kinds whose factories may say that there is nothing to do, with None."""


@dataclass(frozen=True, slots=True)
class Selection:
    """An offer a user has chosen, with its options validated; `source` says who offers it, `kind` as what."""

    offer: Offer
    options: Options
    source: str = field(default="", compare=False)
    kind: str = field(default="", compare=False)

    @property
    def name(self) -> str:
        """The offer's name."""
        return self.offer.name

    def make(self, **given: Any) -> Any:
        """Call the factory.

        Raises
        ------
        PluginError
            If the factory cannot be called so, or makes something that cannot be what it is offered as.  What the
            plugin's own code raises passes through; see `qstack.plugin.manager.Manager.blaming`.
        """
        try:
            made = self.offer.make(self.options, **given)
        except TypeError as error:
            if error.__traceback__ is None or error.__traceback__.tb_next is not None:
                raise
            raise PluginError(f"{self.source or 'a plugin'}: '{self.name}' cannot be made: {error}.") from error
        if made is not None or self.kind not in OPTIONAL:
            for part in made if isinstance(made, tuple) else (made,):
                lacks = [name for name in MADE.get(self.kind, ()) if not hasattr(part, name)]
                if lacks:
                    raise PluginError(
                        f"{self.source or 'a plugin'}: '{self.name}' makes {reprlib.repr(part)}, "
                        f"which lacks {', '.join(lacks)}."
                    )
        return made

    def dump(self) -> str | dict[str, Any]:
        """Return what a user would write: the name alone, or a mapping with ``use``."""
        options = self.options.model_dump(mode="json")
        return {"use": self.name, **options} if options else self.name


def chosen(kind: str, what: str, level: str = "") -> Any:
    """Return a pydantic type for the name of an offer, or a mapping with ``use`` and its options.

    Parameters
    ----------
    kind
        Which offers, such as ``routers``.
    what
        With its article, for messages: ``a router``.
    level
        Layers only.
    """

    def read(value: object, info: ValidationInfo) -> Selection:
        if isinstance(value, Selection):
            return value
        manager = plugins_of(info)
        offers = manager.offers(kind, level)
        rest: dict[str, Any] = {}
        if isinstance(value, Mapping):
            rest = dict(value)
            default = "reference" if level else None
            name = rest.pop("use", default)
            if name is None:
                refuse_misspelt(rest, "use")
                raise ValueError(f"which one? Write its name, or a mapping with 'use'. Installed: {_list(offers)}.")
        else:
            name = value
        if not isinstance(name, str):
            raise ValueError(f"expected the name of {what}, or a mapping with 'use'. Installed: {_list(offers)}.")  # noqa: TRY004 - pydantic reports ValueErrors
        if name not in offers:
            raise NotOffered(name, what, sorted(offers), "use" if isinstance(value, Mapping) else "")
        offer = offers[name]
        return Selection(offer, validate(offer.options, rest, info, "use"), manager.source(kind, name, level), kind)

    return Annotated[
        Selection,
        BeforeValidator(read),
        PlainSerializer(lambda selection: selection.dump()),
        WithJsonSchema(
            {"anyOf": [{"type": "string"}, {"type": "object"}], "description": what, "offers": [kind, level]}
        ),
    ]


def _list(offers: Mapping[str, Any]) -> str:
    return ", ".join(sorted(offers))
