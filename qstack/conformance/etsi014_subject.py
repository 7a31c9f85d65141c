"""A key manager under judgement, spoken to with the standard library alone."""

from __future__ import annotations

import base64
import binascii
import http.client
import json
import re
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from qstack.core.errors import ConfigError

UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
LONGEST = 4_000_000
_SUITES = bytes.fromhex("c009 c00a c013 c014 002f 0035")  # CBC suites with ECDHE-ECDSA, ECDHE-RSA and RSA
_EXTENSIONS = bytes.fromhex("000a 0006 0004 0017 0018  000b 0002 01 00")  # P-256 and P-384, uncompressed points
_HELLO = (
    b"\x03\x02"
    + bytes(32)
    + b"\x00"
    + len(_SUITES).to_bytes(2, "big")
    + _SUITES
    + b"\x01\x00"
    + len(_EXTENSIONS).to_bytes(2, "big")
    + _EXTENSIONS
)
TLS_1_1_HELLO = (
    b"\x16\x03\x01" + (len(_HELLO) + 4).to_bytes(2, "big") + b"\x01" + len(_HELLO).to_bytes(3, "big") + _HELLO
)
"""A ClientHello whose highest version is TLS 1.1 (RFC 4346, section 7.4.1.2)."""


class FailedError(Exception):
    """The subject broke the requirement under test; the message says how, and quotes no key."""


class UnsupportedError(Exception):
    """The subject does not claim what the requirement is about."""


@dataclass(frozen=True, slots=True)
class Identity:
    """An application with its certificate.

    Parameters
    ----------
    sae
        Its SAE ID.
    certificate, key
        PEM files.
    """

    sae: str
    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Answer:
    """What the subject answered: status code, headers, JSON body (None when it is none)."""

    status: int
    headers: Mapping[str, str]
    data: Any


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is judged, and as whom.

    Parameters
    ----------
    url, slave_url
        Key managers of the master and of the slave; often two.
    authority
        PEM file that signs the servers' certificates.
    master, slave
        The two applications.
    third
        Another application of the slave's key manager, for what must be refused to it and for multicast; or None.
    timeout_s
        Longest wait for an answer [s].
    """

    url: str
    slave_url: str
    authority: Path
    master: Identity
    slave: Identity
    third: Identity | None = None
    timeout_s: float = 10.0

    def __post_init__(self) -> None:
        for url in (self.url, self.slave_url):
            if urlsplit(url).scheme != "https" or not urlsplit(url).hostname:
                raise ConfigError(f"key manager {url!r}: must start with https:// and name a host")

    def context(self, who: Identity | None) -> ssl.SSLContext:
        """Return a client's TLS context; without an identity it shows no certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(self.authority)
            if who is not None:
                context.load_cert_chain(who.certificate, who.key)
        except OSError as error:
            files = [self.authority, *((who.certificate, who.key) if who else ())]
            raise ConfigError(f"{', '.join(map(str, files))}: {error.strerror or 'cannot be read as PEM'}") from None
        return context

    def connect(self, url: str, context: ssl.SSLContext) -> http.client.HTTPSConnection:
        """Return a connection that is not open yet."""
        parts = urlsplit(url)
        return http.client.HTTPSConnection(
            parts.hostname or "", parts.port or 443, timeout=self.timeout_s, context=context
        )

    def ask(
        self, who: Identity | None, method: str, sae: str, name: str, body: object = None, query: str = ""
    ) -> Answer:
        """Ask one of the three methods at the key manager of `who`; `body` is sent as JSON, or as it is when bytes."""
        url = self.url if who is None or who == self.master else self.slave_url
        connection = self.connect(url, self.context(who))
        try:
            return exchange(connection, method, f"/api/v1/keys/{quote(sae, safe='')}/{name}{query}", body)
        finally:
            connection.close()

    def enc(self, body: object = None, query: str = "") -> Answer:
        """Get key, as the master."""
        return self.ask(self.master, "GET" if body is None else "POST", self.slave.sae, "enc_keys", body, query)

    def dec(self, body: object = None, query: str = "", who: Identity | None = None) -> Answer:
        """Get key with key IDs, as the slave unless told otherwise."""
        return self.ask(who or self.slave, "GET" if body is None else "POST", self.master.sae, "dec_keys", body, query)

    def accepts_tls_1_1(self) -> bool:
        """Return whether the server answers a bare ClientHello of TLS 1.1; this machine's TLS library has no say in it."""
        parts = urlsplit(self.url)
        try:
            with socket.create_connection((parts.hostname or "", parts.port or 443), self.timeout_s) as wire:
                wire.sendall(TLS_1_1_HELLO)
                return wire.recv(1) == b"\x16"  # a handshake record; an alert is 0x15
        except OSError:
            return False

    def status(self) -> dict[str, Any]:
        """Return the status object."""
        answer = self.ask(self.master, "GET", self.slave.sae, "status")
        if answer.status != 200 or not isinstance(answer.data, dict):
            raise FailedError(f"Get status answers {answer.status}, not 200 with a JSON object")
        return answer.data


def exchange(connection: http.client.HTTPSConnection, method: str, target: str, body: object = None) -> Answer:
    """Send a request and read the answer; raises `FailedError` when there is none."""
    raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} if raw is not None else {}
    try:
        connection.request(method, target, raw, headers)
        response = connection.getresponse()
        text = response.read(LONGEST)
    except (OSError, http.client.HTTPException) as error:
        raise FailedError(f"no HTTP answer to {method} {target.partition('?')[0]} ({type(error).__name__})") from None
    try:
        data = json.loads(text.decode(), object_pairs_hook=_unique)
    except ValueError:
        data = None
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, data)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("duplicate member")
    return dict(pairs)


def keys_of(answer: Answer, number: int, size: int | None = None) -> dict[str, bytes]:
    """Return identifier to octets of a key container; raises `FailedError` when it is not one, whole."""
    if answer.status != 200:
        raise FailedError(f"answers {answer.status}, message {message_of(answer)!r}, where keys were due")
    items = answer.data.get("keys") if isinstance(answer.data, dict) else None
    if not isinstance(items, list) or len(items) != number:
        raise FailedError(f"the container has no array `keys` of {number}")
    found: dict[str, bytes] = {}
    for item in items:
        name, text = (item.get("key_ID"), item.get("key")) if isinstance(item, dict) else (None, None)
        if not isinstance(name, str) or not UUID.fullmatch(name):
            raise FailedError("a key_ID is not a UUID of 36 characters")
        try:
            found[name.lower()] = base64.b64decode(text if isinstance(text, str) else "?", validate=True)
        except binascii.Error:
            raise FailedError(f"key {name} is not base64 with padding") from None
        if size is not None and len(found[name.lower()]) * 8 != size:
            raise FailedError(f"key {name} has {len(found[name.lower()]) * 8} bits instead of {size}")
    if len(found) != number:
        raise FailedError("a key_ID comes twice in one container")
    return found


def message_of(answer: Answer) -> str | None:
    """Return the message of an error object, or None."""
    message = answer.data.get("message") if isinstance(answer.data, dict) else None
    return message if isinstance(message, str) else None


def refused(answer: Answer, status: int, messages: Sequence[str] = ()) -> None:
    """Check that the answer is this refusal, with an error object."""
    if answer.status != status:
        raise FailedError(f"answers {answer.status} where {status} was due")
    message = message_of(answer)
    if message is None:
        raise FailedError(f"answers {status} without an error object (a JSON object with a string `message`)")
    if messages and message not in messages:
        raise FailedError(f"the message is {message!r}; due was {' or '.join(map(repr, messages))}")
