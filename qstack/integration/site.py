"""One site: a key manager with its two interfaces, started and stopped together."""

from __future__ import annotations

from typing import Self

from qstack.core.errors import ConfigError
from qstack.integration.etsi014.service import DeliveryService
from qstack.integration.kme.manager import KeyManager
from qstack.integration.kme.peer_service import PeerService
from qstack.integration.kme.peers import Peer
from qstack.integration.kme.settings import KmeSettings
from qstack.integration.server import HttpsServer
from qstack.integration.tls import EXTRACTORS, client_context, common_name, server_context
from qstack.services.key_store import KeyStore


class Site:
    """Serves applications by ETSI GS QKD 014, and the other key managers, over mutual TLS.

    Parameters
    ----------
    settings
        Of the operator.
    store
        An open key store; its owner closes it after the site.

    Raises
    ------
    ConfigError
        If a certificate cannot be read, the identity rule is unknown, or the proxy header would be believed from afar.
    """

    def __init__(self, settings: KmeSettings, store: KeyStore) -> None:
        tls = settings.tls
        if settings.identity not in EXTRACTORS:
            raise ConfigError(f"identity {settings.identity!r} is unknown. Allowed: {', '.join(EXTRACTORS)}.")
        if settings.proxy_header and not settings.listen.is_loopback():
            raise ConfigError(
                f"proxy_header {settings.proxy_header!r} with host {settings.listen.host!r}: anybody could send that "
                "header. Allowed: a loopback host, with the proxy on the same machine."
            )
        files = (tls.certificate, tls.key, tls.authority)
        context = client_context(*files)
        peers = {kme: Peer(kme, url, context, settings.limits.peer_timeout_s) for kme, url in settings.peers.items()}
        self.settings = settings
        self.manager = KeyManager(settings, store, peers)
        self.applications = HttpsServer(
            DeliveryService(self.manager).answer,
            server_context(*files, client=settings.client_certificate),
            EXTRACTORS[settings.identity],
            settings.limits,
            settings.proxy_header,
        )
        # Key managers know each other by common name; their handshake always needs a certificate.
        self.managers = HttpsServer(
            PeerService(self.manager).answer, server_context(*files), common_name, settings.limits
        )

    @property
    def url(self) -> str:
        """Where applications find it."""
        host = "localhost" if self.settings.listen.is_loopback() else self.settings.listen.host
        return f"https://{host}:{self.applications.port}"

    async def __aenter__(self) -> Self:
        """Listen on both interfaces."""
        await self.managers.start(self.settings.peer_listen)
        try:
            await self.applications.start(self.settings.listen)
        except ConfigError:
            await self.managers.close()
            raise
        self.manager.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop taking requests, then stop."""
        await self.applications.close()
        await self.managers.close()
        await self.manager.close()
