"""What aiohttp's server needs to be told: most connections at once, JSON in every answer."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any, cast

from aiohttp import web

from qstack.integration.kme.settings import Limits


class _Protocol(web.RequestHandler):
    """One connection.

    Parameters
    ----------
    patience_s
        A client that does not read its answers is let go after this time [s].
    """

    __slots__ = ("_patience_s", "_waiting")

    def __init__(self, *arguments: Any, patience_s: float, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._patience_s = patience_s
        self._waiting: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        """Count the time from now: nothing more can be sent."""
        super().pause_writing()
        assert self.transport is not None
        self._waiting = self._loop.call_later(self._patience_s, self.transport.abort)

    def resume_writing(self) -> None:
        """See that it goes on."""
        self._stop_waiting()
        super().resume_writing()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Wait for nobody any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Answer what is not HTTP, or breaks aiohttp's own limits, as everything else is answered: in JSON."""
        text = "not an HTTP request that this server reads" if status < 500 else "internal error; no key was handed out"
        answer = web.Response(
            status=status if status < 500 else 503,
            body=json.dumps({"message": text}).encode(),
            content_type="application/json",
        )
        answer.force_close()
        return answer


class _LimitedServer(web.Server):
    """Counts connections; one too many is closed before its first request."""

    def __init__(self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], limits: Limits) -> None:
        quiet = logging.getLogger("qstack.aiohttp")
        quiet.disabled = True  # its messages quote requests
        self.options: dict[str, Any] = {
            "keepalive_timeout": limits.idle_timeout_s,
            "lingering_time": 0,
            "access_log": None,
            "logger": quiet,
        }
        super().__init__(handler, **self.options)
        self.most = limits.connections
        self.patience_s = limits.idle_timeout_s

    def __call__(self) -> web.RequestHandler:
        return _Protocol(self, loop=self._loop, patience_s=self.patience_s, **self.options)

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        if len(self.connections) > self.most:
            transport.abort()


def limited_server(
    handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], limits: Limits
) -> asyncio.Protocol:
    """Return a protocol factory with limits; call inside a running loop."""
    return cast("asyncio.Protocol", _LimitedServer(handler, limits))
