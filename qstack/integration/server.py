"""HTTP over mutual TLS for both interfaces of a key manager, on aiohttp."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import structlog

from qstack.core.errors import ConfigError
from qstack.integration.etsi014.service import Request, Response, respond
from qstack.integration.kme.settings import Limits, Listen

if TYPE_CHECKING:
    from aiohttp import web

log = structlog.get_logger("qstack.server")
GRACE_S = 0.2
Answer = Callable[[Request], Awaitable[Response]]


class HttpsServer:
    """One listening socket.

    Parameters
    ----------
    answer
        From request to response.
    context
        Mutual TLS.
    extract
        From peer certificate to the caller's identifier.
    limits
        Of bodies, times and connections.
    proxy_header
        Header that names the caller when a reverse proxy in front ends TLS; None trusts no header.
    """

    def __init__(
        self,
        answer: Answer,
        context: ssl.SSLContext,
        extract: Callable[[Any], str | None],
        limits: Limits,
        proxy_header: str | None = None,
    ) -> None:
        self.answer = answer
        self.context = context
        self.extract = extract
        self.limits = limits
        self.proxy_header = proxy_header
        self.port = 0
        self._server: asyncio.Server | None = None
        self._web: Any = None

    async def start(self, listen: Listen) -> None:
        """Listen; raises `ConfigError` when the address is taken."""
        from qstack.integration.protocol import limited_server  # noqa: PLC0415  # aiohttp is an extra

        self._web = limited_server(self._handle, self.limits)
        try:
            self._server = await asyncio.get_running_loop().create_server(
                self._web,
                listen.host,
                listen.port,
                ssl=self.context,
                ssl_handshake_timeout=self.limits.handshake_timeout_s,
                ssl_shutdown_timeout=1,
            )
        except OSError as error:
            raise ConfigError(f"cannot listen on {listen.host} port {listen.port}: {error.strerror}") from None
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening, let requests under way end, hang up."""
        if self._server is not None:
            self._server.close()
            await self._web.shutdown(timeout=GRACE_S)
            self._server = None

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        from aiohttp import web  # noqa: PLC0415  # an extra

        response = await self._respond(request)
        head = {"Cache-Control": "no-store", **response.headers}
        answer = web.Response(status=response.status, body=response.body, content_type="application/json", headers=head)
        if "Connection" in response.headers:
            answer.force_close()
        return answer

    async def _respond(self, request: web.BaseRequest) -> Response:
        try:
            async with asyncio.timeout(self.limits.body_timeout_s):
                body = await self._body(request)
        except TimeoutError:
            text = f"the body was not complete after {self.limits.body_timeout_s:g} s"
            return respond(400, {"message": text}, Connection="close")
        if body is None:
            return respond(
                400, {"message": f"the body is longer than {self.limits.body_octets} octets"}, Connection="close"
            )
        try:
            return await self.answer(Request(request.method, request.raw_path, body, self._caller(request)))
        except Exception as error:  # noqa: BLE001  # answered, and named to the operator
            # Only the class: a message could quote what it should not.
            log.error("request.failed", error=type(error).__name__)  # noqa: TRY400  # a traceback may hold keys
            return respond(503, {"message": "internal error; no key was handed out"})

    async def _body(self, request: web.BaseRequest) -> bytes | None:
        """Return the body, or None when it is too long."""
        if (request.content_length or 0) > self.limits.body_octets:
            return None
        body = bytearray()
        while chunk := await request.content.readany():
            body += chunk
            if len(body) > self.limits.body_octets:
                return None
        return bytes(body)

    def _caller(self, request: web.BaseRequest) -> str | None:
        if self.proxy_header is not None:
            named = request.headers.getall(self.proxy_header, [])
            return named[0] if len(named) == 1 else None  # twice: one of them is not the proxy's
        certificate = request.get_extra_info("peercert")
        return self.extract(certificate) if certificate else None
