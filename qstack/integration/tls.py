"""TLS contexts of the key delivery interfaces, and who a certificate says its holder is."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from qstack.core.errors import ConfigError

Certificate = Mapping[str, Any]
"""A verified peer certificate in the form of `ssl.SSLSocket.getpeercert`."""


def common_name(certificate: Certificate) -> str | None:
    """Return the common name of the subject."""
    return next((value for rdn in certificate.get("subject", ()) for name, value in rdn if name == "commonName"), None)


def serial_number(certificate: Certificate) -> str | None:
    """Return the serial number, in upper-case hexadecimal digits."""
    return certificate.get("serialNumber")


def alternative_name(certificate: Certificate) -> str | None:
    """Return the first URI among the subject's alternative names, else the first DNS name."""
    names = certificate.get("subjectAltName", ())
    return next((value for wanted in ("URI", "DNS") for kind, value in names if kind == wanted), None)


EXTRACTORS: dict[str, Callable[[Certificate], str | None]] = {
    "cn": common_name,
    "serial": serial_number,
    "san": alternative_name,
}
"""Where an identifier sits is left open by ETSI GS QKD 014; deployed key managers use these three."""


def server_context(certificate: Path, key: Path, authority: Path, *, client: str = "required") -> ssl.SSLContext:
    """Return a context that asks clients for a certificate.

    Parameters
    ----------
    certificate, key, authority
        PEM files.
    client
        ``required`` or ``optional``; without a certificate signed by the authority the handshake fails or passes.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED if client == "required" else ssl.CERT_OPTIONAL
    return _load(context, certificate, key, authority)


def client_context(certificate: Path | None, key: Path | None, authority: Path) -> ssl.SSLContext:
    """Return a context that shows a certificate and verifies the server's, host name included."""
    return _load(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), certificate, key, authority)


def _load(context: ssl.SSLContext, certificate: Path | None, key: Path | None, authority: Path) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(authority)
        if certificate is not None:
            context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(str(path) for path in (certificate, key, authority) if path)
        raise ConfigError(
            f"certificates {files}: {error.strerror or 'not PEM, or key and certificate differ'}"
        ) from None
    return context
