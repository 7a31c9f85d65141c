"""An ETSI GS QKD 014 client: for applications, and for key managers that pull from a device or a network below them.

Nothing is asked twice: an answer that was lost may have carried keys, and keys are not repeated. The caller asks for others.
"""

from __future__ import annotations

import base64
import binascii
import json
import ssl
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlencode

from qstack.core.errors import ConfigError, QstackError
from qstack.integration.etsi014.messages import UUID
from qstack.services.key_delivery import Deposit, Key
from qstack.services.secret import Secret

if TYPE_CHECKING:
    import aiohttp

STATUS_TEXT = ("source_KME_ID", "target_KME_ID", "master_SAE_ID", "slave_SAE_ID")
STATUS_COUNTS = (
    *("key_size", "stored_key_count", "max_key_count", "max_key_per_request"),
    *("max_key_size", "min_key_size", "max_SAE_ID_count"),
)
LONGEST_ANSWER = 4_000_000
MUST_POST = frozenset({"additional_slave_SAE_IDs", "extension_mandatory", "extension_optional"})


class Etsi014Error(QstackError):
    """The key manager refuses, or does not speak ETSI GS QKD 014.

    Parameters
    ----------
    status
        HTTP status code; 0 when there was no answer.
    message
        Of its error object.
    details
        Of its error object.
    """

    def __init__(self, status: int, message: str, details: Sequence[object] = ()) -> None:
        super().__init__(f"{status}: {message}" if status else message)
        self.status = status
        self.message = message
        self.details = details


class Etsi014Client:
    """Talks to one key manager as one application. Use as ``async with``.

    Parameters
    ----------
    url
        ``https://host:port``.
    context
        Mutual TLS, see `qstack.integration.tls.client_context`.
    post
        ``auto`` asks with GET where the standard allows it, ``always`` with POST (some servers know no other).
    timeout_s
        Longest wait for an answer [s].
    """

    def __init__(self, url: str, context: ssl.SSLContext, *, post: str = "auto", timeout_s: float = 10.0) -> None:
        if not url.startswith("https://"):
            raise ConfigError(f"key manager {url!r}: must start with https://")
        self.base = url.rstrip("/") + "/api/v1/keys/"
        self.context = context
        self.post = post
        self.timeout_s = timeout_s
        self.session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open."""
        import aiohttp  # noqa: PLC0415  # an extra

        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self.context), timeout=aiohttp.ClientTimeout(total=self.timeout_s)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        if self.session is not None:
            await self.session.close()

    async def status(self, slave: str) -> dict[str, Any]:
        """Return the status object; raises `Etsi014Error` also when it breaks the standard's rules."""
        data = await self._ask("GET", slave, "status", {})
        for name in STATUS_TEXT:
            if not isinstance(data.get(name), str):
                raise Etsi014Error(200, f"status.{name} is not a string")
        for name in STATUS_COUNTS:
            if type(data.get(name)) is not int or not 0 <= data[name] < 2**31:
                raise Etsi014Error(200, f"status.{name} is not a count")
        return data

    async def enc_keys(self, slave: str, number: int = 1, size: int | None = None, **members: object) -> list[Key]:
        """Get keys as master.

        Parameters
        ----------
        slave
            SAE that will fetch the same keys.
        number, size
            How many; how long [bit], None for the server's default.
        members
            Further members of the key request: additional_slave_SAE_IDs, extension_mandatory, extension_optional.

        Raises
        ------
        Etsi014Error
            On any answer but a key container with that many keys of that size.
        """
        fields: dict[str, object] = {"number": number, **({} if size is None else {"size": size}), **members}
        method = "POST" if self.post == "always" or number > 1 or MUST_POST & set(members) else "GET"
        keys = _container(await self._ask(method, slave, "enc_keys", fields))
        if len(keys) != number or (size is not None and any(len(key.octets) * 8 != size for key in keys)):
            raise Etsi014Error(200, "the answer holds other keys than asked for")
        return keys

    async def dec_keys(self, master: str, names: Sequence[str]) -> list[Key]:
        """Get the keys with these identifiers as slave; raises `Etsi014Error`."""
        if self.post == "always" or len(names) != 1:
            keys = _container(
                await self._ask("POST", master, "dec_keys", {"key_IDs": [{"key_ID": name} for name in names]})
            )
        else:
            keys = _container(await self._ask("GET", master, "dec_keys", {"key_ID": names[0]}))
        if sorted(key.key for key in keys) != sorted(name.lower() for name in names):
            raise Etsi014Error(200, "the answer holds other keys than asked for")
        return keys

    async def _ask(self, method: str, sae: str, name: str, fields: Mapping[str, object]) -> dict[str, Any]:
        import aiohttp  # noqa: PLC0415  # an extra
        from yarl import URL  # noqa: PLC0415  # comes with aiohttp

        if self.session is None:
            raise Etsi014Error(0, "the client is not open; use it as `async with`")
        url = f"{self.base}{quote(sae, safe='')}/{name}"
        url += f"?{urlencode(fields)}" if method == "GET" and fields else ""
        body = json.dumps(fields).encode() if method == "POST" else None
        headers = {"Content-Type": "application/json"} if body else {}
        target = URL(url, encoded=True)
        try:
            async with self.session.request(
                method, target, data=body, headers=headers, allow_redirects=False
            ) as answer:
                raw = await answer.content.read(LONGEST_ANSWER)
                while chunk := await answer.content.read(LONGEST_ANSWER):
                    raw += chunk
                    if len(raw) > LONGEST_ANSWER:
                        raise Etsi014Error(answer.status, "the answer is too long")
                return _checked(answer.status, raw)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Etsi014Error(0, f"key manager {self.base} does not answer ({type(error).__name__})") from None


def _checked(status: int, raw: bytes) -> dict[str, Any]:
    try:
        data = json.loads(raw.decode())
    except ValueError:
        data = None
    if status != 200:
        message = data.get("message") if isinstance(data, dict) else None
        details = data.get("details") if isinstance(data, dict) else None
        raise Etsi014Error(status, str(message or "no error object"), details if isinstance(details, list) else ())
    if not isinstance(data, dict):
        raise Etsi014Error(status, "the answer is not a JSON object")
    return data


def _container(data: Mapping[str, Any]) -> list[Key]:
    items = data.get("keys")
    if not isinstance(items, list) or not items:
        raise Etsi014Error(200, "the key container has no keys")
    return [_key(item) for item in items]


def _key(item: object) -> Key:
    name, text = (item.get("key_ID"), item.get("key")) if isinstance(item, dict) else (None, None)
    if not isinstance(name, str) or not UUID.fullmatch(name) or not isinstance(text, str):
        raise Etsi014Error(200, "a key in the container lacks a UUID or a base64 text")
    try:
        octets = Secret(base64.b64decode(text, validate=True))
    except binascii.Error:
        raise Etsi014Error(200, f"key {name.lower()} is not base64") from None
    extension = item.get("key_extension") if isinstance(item, dict) else None
    extension = extension if isinstance(extension, dict) else {}
    hops = extension.get("qstack_hops", 0)
    return Key(name.lower(), octets, extension.get("qstack_simulated") is True, hops if type(hops) is int else 0)


class Southbound:
    """Blocks out of somebody else's key manager or device: one site pulls, the other fetches the same keys by identifier.

    Parameters
    ----------
    client
        Of the device or key manager below this site.
    peer
        Our key manager at the other end.
    other_sae
        What the layer below calls the other end.
    number, size
        Keys in a block, and their size [bit].
    """

    def __init__(self, client: Etsi014Client, peer: str, other_sae: str, number: int = 64, size: int = 256) -> None:
        self.client = client
        self.peer = peer
        self.other_sae = other_sae
        self.number = number
        self.size = size

    async def pull(self) -> tuple[Deposit, dict[str, Any]]:
        """Return a new block, and what the other end needs to find its own; raises `Etsi014Error`."""
        keys = await self.client.enc_keys(self.other_sae, self.number, self.size)
        return self._block(keys[0].key, keys), {"key_IDs": [key.key for key in keys]}

    async def find(self, block: str, announce: Mapping[str, Any]) -> Deposit | None:
        """Return the own end of a block that the peer has announced."""
        names = announce.get("key_IDs")
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            return None
        try:
            keys = {key.key: key for key in await self.client.dec_keys(self.other_sae, names)}
        except Etsi014Error:
            return None
        return self._block(block, [keys[name.lower()] for name in names])

    def _block(self, block: str, keys: Sequence[Key]) -> Deposit:
        octets = Secret(b"".join(key.octets.reveal() for key in keys))
        for key in keys:
            key.octets.wipe()
        ledger = {"source": "etsi014", "keys": len(keys), "assumptions": ["what the layer below answers for"]}
        simulated = any(key.simulated for key in keys)
        return Deposit(self.peer, block, octets, ledger, simulated, max(key.hops for key in keys))
