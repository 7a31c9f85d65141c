"""Application layer: one table that finds the application a noun is meant for.

Every noun that reaches applications carries the number of its flow (as ``flow``, ``session`` or ``purpose``), so the
layer is a dictionary of dictionaries; the applications are machines of the same kind as layers.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import Any

from qstack.core.errors import RemoteProtocolError
from qstack.core.layer import Context, Handler, Layer, Outputs
from qstack.core.nouns import Noun


class Application(Layer):
    """Base of all applications.

    Parameters
    ----------
    flow
        Number of the flow this serves; also the number of its session.
    """

    def __init__(self, flow: int) -> None:
        self.flow = flow


class ApplicationLayer(Layer):
    """One per node; holds one application for each flow that ends here."""

    name = "application"

    def __init__(self, applications: Iterable[Application]) -> None:
        self.applications = tuple(applications)

    def handlers(self) -> dict[type[Noun], Handler]:
        """Return a handler for every noun that any of the applications reads."""
        tables: dict[type[Noun], dict[int, Handler]] = {}
        for application in self.applications:
            for kind, handler in application.handlers().items():
                tables.setdefault(kind, {})[application.flow] = handler
        return {kind: _by_flow(kind, table) for kind, table in tables.items()}


def _by_flow(kind: type[Noun], table: dict[int, Handler]) -> Handler:
    flow_of = attrgetter(next(name for name in ("flow", "session", "purpose") if hasattr(kind, name)))

    def handler(noun: Any, context: Context) -> Outputs:
        try:
            application = table[flow_of(noun)]
        except KeyError:
            raise RemoteProtocolError(f"no application for flow {flow_of(noun)}") from None
        return application(noun, context)

    return handler
