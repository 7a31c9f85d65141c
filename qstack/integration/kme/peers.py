"""The calling side of the protocol between key managers."""

from __future__ import annotations

import itertools
import ssl
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from qstack.core.errors import QstackError
from qstack.integration.kme.batching import Batcher
from qstack.integration.kme.wire import (
    PREFIX,
    AdmitMessage,
    Agreed,
    CarriedKey,
    CarryMessage,
    KeyList,
    OfferMessage,
    RefusedList,
    Wire,
)
from qstack.services.key_delivery import Assignment, Carried

if TYPE_CHECKING:
    import aiohttp

Answer = TypeVar("Answer", bound=BaseModel)


class PeerError(QstackError):
    """The other key manager does not answer, or not in the protocol."""


class Peer:
    """One other key manager, as seen from here.

    Parameters
    ----------
    kme_id
        Its identifier; its certificate must carry it as a DNS name.
    url
        Of its peer interface.
    context
        Mutual TLS.
    timeout_s
        Longest wait for an answer [s].
    """

    def __init__(self, kme_id: str, url: str, context: ssl.SSLContext, timeout_s: float) -> None:
        self.kme_id = kme_id
        self.url = url.rstrip("/")
        self.context = context
        self.timeout_s = timeout_s
        self.session: aiohttp.ClientSession | None = None
        self.admissions: Batcher[Sequence[Assignment], tuple[str, ...]] = Batcher(self._admit)

    async def admit(self, assignments: Sequence[Assignment]) -> tuple[str, ...]:
        """Tell of reserved keys; several calls share a message. Returns what the peer refuses."""
        return await self.admissions.ask(assignments)

    async def _admit(self, groups: list[Sequence[Assignment]]) -> list[tuple[str, ...]]:
        message = AdmitMessage(assignments=list(itertools.chain.from_iterable(groups)))
        refused = set((await self._post("admit", message, RefusedList)).refused)
        return [tuple(item.key for item in group if item.key in refused) for group in groups]

    async def offer(self, message: OfferMessage) -> bool | None:
        """Ask the peer to compare a block."""
        return (await self._post("offer", message, Agreed)).agreed

    async def carry(self, keys: Sequence[Carried]) -> tuple[str, ...]:
        """Send keys under a one-time pad; returns what the peer refuses."""
        message = CarryMessage(keys=[CarriedKey.of(key) for key in keys])
        return tuple((await self._post("carry", message, RefusedList)).refused)

    async def void(self, keys: Sequence[str]) -> None:
        """Tell that keys are dead."""
        await self._post("void", KeyList(keys=list(keys)), Wire)

    async def cede(self, keys: Sequence[str]) -> tuple[str, ...]:
        """Ask for keys of the peer's half."""
        return tuple((await self._post("cede", KeyList(keys=list(keys)), KeyList)).keys)

    async def close(self) -> None:
        """Close the connections."""
        if self.session is not None:
            await self.session.close()

    async def _post(self, verb: str, message: BaseModel, answer: type[Answer]) -> Answer:
        import aiohttp  # noqa: PLC0415  # an extra

        if self.session is None:
            connector = aiohttp.TCPConnector(ssl=self.context, limit=4)
            timeout = aiohttp.ClientTimeout(total=self.timeout_s)
            self.session = aiohttp.ClientSession(connector=connector, timeout=timeout)
        headers = {"Content-Type": "application/json"}
        try:
            async with self.session.post(
                self.url + PREFIX + verb,
                data=message.model_dump_json().encode(),
                headers=headers,
                server_hostname=self.kme_id,
                allow_redirects=False,
            ) as response:
                body = await response.read()
                if response.status != 200:
                    raise PeerError(f"key manager {self.kme_id} answers {response.status} to {verb}")
                return answer.model_validate_json(body)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise PeerError(f"key manager {self.kme_id} does not answer ({type(error).__name__})") from None
        except ValidationError:
            raise PeerError(f"key manager {self.kme_id} does not speak the protocol") from None
