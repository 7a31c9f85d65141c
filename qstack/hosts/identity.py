"""A node looks at its own certificate before anybody else does: what is wrong with it is said at home, and by name."""

from __future__ import annotations

import ssl
from contextlib import suppress
from pathlib import Path

from qstack.hosts.streams import reason
from qstack.integration.tls import client_context, common_name, server_context

FLIGHTS = 10
"""More messages than a TLS handshake has."""


def trouble(certificate: Path, key: Path, authority: Path, name: str) -> tuple[str, str] | None:
    """Return what nobody would accept, as the file's part and a sentence; None if all is well.

    Parameters
    ----------
    certificate, key, authority
        PEM files.
    name
        Who the certificate has to name.
    """
    for part, path in (("certificate", certificate), ("key", key), ("authority", authority)):
        try:
            path.read_bytes()
        except OSError as error:
            return part, f"'{path}' cannot be read: {(error.strerror or str(error)).lower()}."
    for part, path in (("certificate", certificate), ("authority", authority)):
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
        except ssl.SSLError:
            return part, f"'{path}' holds no certificate in PEM form."
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password="")  # asks nobody
    except ssl.SSLError:
        return "key", f"'{key}' is not the private key of '{certificate}'."
    try:
        shown = _shown(certificate, key, authority)
    except ssl.SSLError as error:
        return "certificate", f"'{certificate}' is refused by all who trust '{authority}': {reason(error)}."
    if shown != name:
        return "certificate", f"'{certificate}' is that of '{shown}', not of '{name}'."
    return None


def _shown(certificate: Path, key: Path, authority: Path) -> str | None:
    """Return the common name that a peer sees, by a handshake with oneself.

    Raises
    ------
    ssl.SSLError
        If a peer would refuse the certificate.
    """
    files = certificate, key, authority
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    calling = client_context(*files)
    calling.check_hostname = False
    client = calling.wrap_bio(to_client, to_server)
    server = server_context(*files).wrap_bio(to_server, to_client, server_side=True)
    for _ in range(FLIGHTS):
        for side in (client, server):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
    return common_name(client.getpeercert() or {})
