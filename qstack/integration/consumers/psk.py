"""External pre-shared keys of TLS 1.3 (RFC 8446, section 4.2.11) for OpenSSL, stunnel and GnuTLS, none of them changed.

Keys go through files that only their owner can read. A key on a command line can be read by every user of the machine;
`gnutls-cli` knows no other way, so its command is for tests and needs to be asked for by name.

A plain external key is bound to SHA-256. OpenSSL also takes a key in the form of a session, which names its cipher suite
and so reaches TLS_AES_256_GCM_SHA384.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qstack.core.errors import ConfigError
from qstack.services.secret import Secret

SUITES = {"TLS_AES_128_GCM_SHA256": 0x1301, "TLS_AES_256_GCM_SHA384": 0x1302, "TLS_CHACHA20_POLY1305_SHA256": 0x1303}
"""Code points of RFC 8446, appendix B.4."""
GNUTLS_PRIORITY = "NORMAL:-KX-ALL:+ECDHE-PSK:+DHE-PSK:+PSK:-VERS-ALL:+VERS-TLS1.3"
LEAST_OCTETS = 16
"""RFC 9257, section 6: at least 128 bits of entropy."""


@dataclass(slots=True)
class Psk:
    """A key and the name both ends know it by; the 014 key_ID serves.

    Parameters
    ----------
    identity
        Printable, without colon and white space: the files below are lines of ``identity:key``.
    key
        At least 16 octets.

    Raises
    ------
    ConfigError
        If a program could not read it back as it was meant.
    """

    identity: str
    key: Secret

    def __post_init__(self) -> None:
        plain = self.identity.isascii() and self.identity.isprintable()
        if not self.identity or not plain or set(self.identity) & set(": ,") or len(self.identity) > 128:
            raise ConfigError(
                f"PSK identity {self.identity!r}: 1 to 128 printable ASCII characters without ':', ',', ' '"
            )
        if len(self.key) < LEAST_OCTETS:
            raise ConfigError(f"PSK {self.identity}: {len(self.key) * 8} bits; at least {LEAST_OCTETS * 8} are needed")


def psk_file(keys: Sequence[Psk]) -> bytes:
    """Return the lines that stunnel (``PSKsecrets``) and GnuTLS (``--pskpasswd``) read."""
    return "".join(f"{psk.identity}:{psk.key.reveal().hex()}\n" for psk in keys).encode()


def openssl_session(psk: Psk, suite: str = "TLS_AES_256_GCM_SHA384") -> bytes:
    """Return the PEM file that ``openssl s_server`` and ``s_client`` take as ``-psk_session``.

    An SSL_SESSION of OpenSSL, in DER: version 1, protocol 0x0304, cipher suite, no session ID, the key, then start time
    [1] and time-out [2] in seconds.
    """
    if suite not in SUITES:
        raise ConfigError(f"cipher suite {suite!r} is unknown. Allowed: {', '.join(SUITES)}.")
    body = (
        _integer(1)
        + _integer(0x0304)
        + _der(0x04, SUITES[suite].to_bytes(2, "big"))
        + _der(0x04, b"")
        + _der(0x04, psk.key.reveal())
        + _der(0xA1, _integer(int(time.time())))
        + _der(0xA2, _integer(86400))
    )
    text = base64.encodebytes(_der(0x30, body)).decode()
    return f"-----BEGIN SSL SESSION PARAMETERS-----\n{text}-----END SSL SESSION PARAMETERS-----\n".encode()


def _der(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(size))) + size + content


def _integer(value: int) -> bytes:
    return _der(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def openssl_server(port: int, session: Path, identity: str, suite: str = "TLS_AES_256_GCM_SHA384") -> list[str]:
    """Return the command of a server that takes this key only and sends each line back reversed (``-rev``)."""
    return [
        *("openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-nocert", "-tls1_3", "-ciphersuites", suite),
        *("-psk_session", str(session), "-psk_identity", identity, "-num_tickets", "0", "-rev"),
    ]


def openssl_client(port: int, session: Path, identity: str, suite: str = "TLS_AES_256_GCM_SHA384") -> list[str]:
    """Return the command of a client; ``-brief`` prints protocol and suite, and no secret."""
    return [
        *("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_3", "-ciphersuites", suite, "-brief"),
        *("-psk_session", str(session), "-psk_identity", identity),
    ]


def stunnel_config(accept: int, connect: int, secrets: Path, *, client: bool, identity: str | None = None) -> str:
    """Return the configuration of one end of a stunnel, on loopback; reload with SIGHUP after a rotation.

    Parameters
    ----------
    accept, connect
        Ports.
    secrets
        A file of `psk_file`.
    client
        True for the end that opens the TLS connection.
    identity
        Which key of the file the client uses; None takes the first.
    """
    lines = ["foreground = yes", "pid =", "debug = info", "[qkd]"]
    lines += ["client = yes"] if client else []
    lines += [f"accept = 127.0.0.1:{accept}", f"connect = 127.0.0.1:{connect}"]
    lines += ["sslVersion = TLSv1.3", "ciphers = PSK", f"PSKsecrets = {secrets}"]
    lines += [f"PSKidentity = {identity}"] if identity else []
    return "\n".join(lines) + "\n"


def gnutls_server(port: int, secrets: Path) -> list[str]:
    """Return the command of a GnuTLS server that echoes."""
    options = ["-p", str(port), "--echo", "--pskpasswd", str(secrets), "--priority", GNUTLS_PRIORITY]
    return ["gnutls-serv", *options]


def gnutls_client_with_key_in_arguments(port: int, psk: Psk) -> list[str]:
    """Return the command of a GnuTLS client. EVERY USER OF THE MACHINE CAN READ THE KEY WHILE IT RUNS: for tests."""
    options = ["--pskusername", psk.identity, "--pskkey", psk.key.reveal().hex(), "--priority", GNUTLS_PRIORITY]
    return ["gnutls-cli", "-p", str(port), "127.0.0.1", *options]
