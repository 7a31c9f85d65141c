"""ETSI GS QKD 014 V1.1.1 as a function from request to response; no socket in sight.

Where the standard is silent: 404 for unknown paths, 405 for wrong verbs, 400 for an unknown SAE in the path, 401 with an
error object for an unknown caller (clients parse every body), 503 for an empty pool, a used-up quota, a silent peer or a
store that does not answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from qstack.core.errors import QstackError
from qstack.integration.etsi014 import messages
from qstack.integration.etsi014.messages import KeyRequest, ProblemError
from qstack.integration.kme.manager import KeyManager, Order, RefusalError, UnavailableError
from qstack.services.key_delivery import Reason

log = structlog.get_logger("qstack.etsi014")


@dataclass(slots=True)
class Request:
    """One HTTP request.

    Parameters
    ----------
    method, target
        Of the request line; the target still percent-encoded, with its query.
    body
        All of it.
    caller
        SAE ID taken from the client's certificate, or None.
    """

    method: str
    target: str
    body: bytes
    caller: str | None


@dataclass(slots=True)
class Response:
    """One HTTP response: status code, JSON body, further headers. Its `repr` leaves the body out: keys may be in it."""

    status: int
    body: bytes = field(repr=False)
    headers: dict[str, str] = field(default_factory=dict)


def respond(status: int, data: Mapping[str, Any], **headers: str) -> Response:
    """Return a JSON response."""
    return Response(
        status, json.dumps(data).encode(), {name.replace("_", "-"): value for name, value in headers.items()}
    )


class DeliveryService:
    """The three methods.

    Parameters
    ----------
    manager
        The key manager behind them.
    """

    def __init__(self, manager: KeyManager) -> None:
        self.manager = manager
        self.settings = manager.settings
        self.methods = {"status": self.status, "enc_keys": self.enc_keys, "dec_keys": self.dec_keys}

    async def answer(self, request: Request) -> Response:
        """Answer a request; every answer has a JSON body."""
        try:
            if request.target.partition("?")[0] == "/health":
                return respond(200, {"status": "ok"}) if request.method == "GET" else self._wrong_verb(("GET",))
            sae, name, query = messages.route(request.target)
            if request.method not in messages.VERBS[name]:
                return self._wrong_verb(messages.VERBS[name])
            caller = self._caller(request.caller)
            self._known(sae)
            if sae == caller:
                raise ProblemError(400, "the SAE in the path is the caller itself")  # noqa: TRY301  # one way out for all
            return respond(200, await self.methods[name](caller, sae, request, query))
        except ProblemError as problem:
            extra = {"Retry_After": "1"} if problem.status == 503 else {}
            return respond(problem.status, problem.body(), **extra)
        except UnavailableError as error:
            return respond(503, {"message": str(error)}, Retry_After="1")
        except QstackError as error:
            # A broken store: its words may name files, so they go to the operator only.
            log.error("store.failed", error=type(error).__name__, message=str(error))  # noqa: TRY400  # no traceback: it may hold keys
            return respond(503, {"message": "the key store does not answer; no key was handed out"}, Retry_After="5")

    @staticmethod
    def _wrong_verb(allowed: tuple[str, ...]) -> Response:
        return respond(405, {"message": f"allowed here: {', '.join(allowed)}"}, Allow=", ".join(allowed))

    def _caller(self, caller: str | None) -> str:
        if caller is None:
            raise ProblemError(401, "a client certificate that names an SAE is needed")
        if self.settings.saes.get(caller) != self.settings.kme_id:
            raise ProblemError(401, "the SAE of the client certificate is not served by this KME")
        return caller

    def _known(self, sae: str) -> None:
        if sae not in self.settings.saes:
            raise ProblemError(400, "the SAE in the path is not known to this KME")

    def _remote(self, sae: str) -> str:
        """Return the key manager of a slave; it must be another one, or no quantum link would be involved."""
        kme = self.settings.saes[sae]
        if kme == self.settings.kme_id:
            raise ProblemError(400, "the SAE in the path is served by this KME too; keys join two KMEs")
        return kme

    async def status(self, caller: str, slave: str, request: Request, query: str) -> dict[str, Any]:
        """Get status (clause 6.1)."""
        target = self._remote(slave)
        keys = self.settings.keys
        return {
            "source_KME_ID": self.settings.kme_id,
            "target_KME_ID": target,
            "master_SAE_ID": caller,
            "slave_SAE_ID": slave,
            "key_size": keys.key_size,
            "stored_key_count": min(await self.manager.depth(target), keys.max_key_count),
            "max_key_count": keys.max_key_count,
            "max_key_per_request": keys.max_key_per_request,
            "max_key_size": keys.max_key_size,
            "min_key_size": keys.min_key_size,
            "max_SAE_ID_count": keys.max_SAE_ID_count,
        }

    async def enc_keys(self, caller: str, slave: str, request: Request, query: str) -> dict[str, Any]:
        """Get key (clause 6.2)."""
        self._remote(slave)
        wanted = messages.read_key_request(request.body, query, self.settings.keys)
        for sae in wanted.additional:
            if sae not in self.settings.saes or sae in {caller, slave}:
                raise ProblemError(
                    400, "additional_slave_SAE_IDs names an SAE that is unknown, the caller or the slave"
                )
        options = self._options(wanted)
        relayed = {self.settings.saes[sae] for sae in wanted.additional} - {
            self.settings.kme_id,
            self.settings.saes[slave],
        }
        if options.get("direct") and relayed:
            raise ProblemError(
                400, messages.MANDATORY_UNMET, {"qstack_route_type": "an additional slave needs a relay"}
            )
        order = Order(caller, slave, wanted.number, wanted.size, wanted.additional, **options)
        try:
            return messages.container(await self.manager.get_keys(order))
        except RefusalError as error:
            raise ProblemError(400, messages.MANDATORY_UNMET, {"reason": error.refused.reason.value}) from None

    def _options(self, wanted: KeyRequest) -> dict[str, bool]:
        """Turn extensions into options; an optional one that is unknown, or cannot be had, is left out."""
        options: dict[str, bool] = {}
        unknown = []
        unmet = []
        for name, value in wanted.mandatory:
            option = _EXTENSIONS.get((name, json.dumps(value)))
            if name not in _EXTENSION_NAMES:
                unknown.append({"extension_mandatory_unsupported": f"{name} is not supported"})
            elif option is None or (option == "probabilistic" and not self.settings.keys.probabilistic):
                unmet.append({"extension_mandatory_unmet": f"{name} cannot have this value here"})
            elif option:
                options[option] = True
        if unknown:
            raise ProblemError(400, messages.MANDATORY_UNKNOWN, *unknown)
        if unmet:
            raise ProblemError(400, messages.MANDATORY_UNMET, *unmet)
        if ("qstack_probabilistic", True) in wanted.optional and self.settings.keys.probabilistic:
            options["probabilistic"] = True
        return options

    async def dec_keys(self, caller: str, master: str, request: Request, query: str) -> dict[str, Any]:
        """Get key with key IDs (clause 6.4); all or none."""
        names = messages.read_key_ids(request.method, request.body, query, self.settings.keys)
        try:
            return messages.container(await self.manager.fetch(caller, master, names))
        except RefusalError as error:
            if error.refused.reason is Reason.NOT_ENTITLED:
                raise ProblemError(401, "the SAE was not named when one or more of these keys were made") from None
            raise ProblemError(400, messages.NOT_FOUND, {"key_ID": error.refused.detail}) from None


_EXTENSIONS: dict[tuple[str, str], str] = {
    ("qstack_route_type", '"direct"'): "direct",
    ("qstack_route_type", '"indirect"'): "",
    ("qstack_simulated", "false"): "genuine",
    ("qstack_simulated", "true"): "",
    ("qstack_probabilistic", "true"): "probabilistic",
    ("qstack_probabilistic", "false"): "",
}
"""Vendor extension and its JSON value, to the option of an order; an empty option asks for nothing."""
_EXTENSION_NAMES = {name for name, _ in _EXTENSIONS}
