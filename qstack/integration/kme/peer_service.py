"""The answering side of the protocol between key managers, as a function from request to response."""

from __future__ import annotations

import structlog
from pydantic import BaseModel, ValidationError

from qstack.core.errors import QstackError
from qstack.integration.etsi014.service import Request, Response, respond
from qstack.integration.kme.manager import KeyManager
from qstack.integration.kme.wire import (
    PREFIX,
    AdmitMessage,
    Agreed,
    CarryMessage,
    KeyList,
    OfferMessage,
    RefusedList,
    Wire,
)
from qstack.services import key_delivery as ask

log = structlog.get_logger("qstack.kme")


class PeerService:
    """Answers the other key managers, each by the identifier in its certificate.

    Parameters
    ----------
    manager
        The key manager behind it.
    """

    def __init__(self, manager: KeyManager) -> None:
        self.manager = manager
        self.verbs = {
            "offer": self.offer,
            "admit": self.admit,
            "carry": self.carry,
            "void": self.void,
            "cede": self.cede,
        }

    async def answer(self, request: Request) -> Response:
        """Answer a request."""
        if request.caller is None or request.caller not in self.manager.peers:
            return respond(401, {"message": "the certificate names no key manager that is a peer"})
        verb = self.verbs.get(request.target.removeprefix(PREFIX))
        if verb is None or request.method != "POST":
            return respond(404, {"message": f"no such verb; this server has POST {PREFIX}<{'|'.join(self.verbs)}>"})
        try:
            return Response(200, (await verb(request.caller, request.body)).model_dump_json().encode())
        except (ValidationError, ValueError):
            return respond(400, {"message": "the body does not follow the protocol"})
        except QstackError as error:
            log.error("store.failed", error=type(error).__name__, message=str(error))  # noqa: TRY400  # no traceback: it may hold keys
            return respond(503, {"message": "the key store does not answer"})

    async def offer(self, peer: str, body: bytes) -> BaseModel:
        """Compare a block."""
        return Agreed(agreed=await self.manager.compare(peer, OfferMessage.model_validate_json(body)))

    async def admit(self, peer: str, body: bytes) -> BaseModel:
        """Reserve the own copies, for applications of this key manager only."""
        items = AdmitMessage.model_validate_json(body).assignments
        good = [item for item in items if self._ours(peer, item)]
        refused = [item.key for item in items if not self._ours(peer, item)]
        return RefusedList(refused=[*refused, *await self.manager.query(ask.Admit(peer, good))])

    async def carry(self, peer: str, body: bytes) -> BaseModel:
        """Take in keys under a one-time pad."""
        keys = [key.carried() for key in CarryMessage.model_validate_json(body).keys]
        good = [key for key in keys if self._ours(peer, key.assignment)]
        refused = [key.assignment.key for key in keys if not self._ours(peer, key.assignment)]
        return RefusedList(refused=[*refused, *await self.manager.query(ask.Unwrap(peer, good))])

    async def void(self, peer: str, body: bytes) -> BaseModel:
        """Void keys that the peer has voided."""
        names = KeyList.model_validate_json(body).keys
        await self.manager.query(ask.Void(names, f"voided by {peer}", told=True, peer=peer))
        return Wire()

    async def cede(self, peer: str, body: bytes) -> BaseModel:
        """Give keys of the own half."""
        names = KeyList.model_validate_json(body).keys
        return KeyList(keys=list(await self.manager.query(ask.Cede(peer, names))))

    def _ours(self, peer: str, item: ask.Assignment) -> bool:
        """Return whether the peer may say so: its application is the master, all slaves are ours."""
        saes = self.manager.settings.saes
        slaves_ours = all(saes.get(sae) == self.manager.settings.kme_id for sae in item.slaves)
        return saes.get(item.master) == peer and slaves_ours and bool(item.slaves)
