"""What the operator of a key manager writes."""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from qstack.core.errors import ConfigError


class Settings(BaseModel):
    """Common rules: unknown words are refused, values never appear in messages of secrets."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Tls(Settings):
    """Files in PEM form."""

    certificate: Path = Field(description="own certificate, chain included")
    key: Path = Field(description="its private key")
    authority: Path = Field(description="certificates that sign the others' certificates")


class StoreKey(Settings):
    """Where the key-encryption key of the key store is, 64 hexadecimal digits: a file or the environment."""

    file: Path | None = Field(None, description="file that only its owner may read")
    environment: str | None = Field(None, min_length=1, description="environment variable")

    @model_validator(mode="after")
    def _one_place(self) -> StoreKey:
        if (self.file is None) == (self.environment is None):
            raise ValueError("give the place of the key in exactly one way: 'file' or 'environment'")
        return self


class Listen(Settings):
    """Where a server waits."""

    host: str = Field("127.0.0.1", description="address; loopback unless told otherwise")
    port: int = Field(0, ge=0, le=65535, description="0 takes a free one")

    def is_loopback(self) -> bool:
        """Return whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


class Limits(Settings):
    """What one request, one connection and one application may ask of the server."""

    body_octets: int = Field(65_536, ge=1024, description="largest request body [byte]")
    body_timeout_s: float = Field(5.0, gt=0, description="a body must be complete after this time [s]")
    idle_timeout_s: float = Field(15.0, gt=0, description="a connection without a complete request is closed [s]")
    handshake_timeout_s: float = Field(5.0, gt=0, description="a TLS handshake must be complete after this time [s]")
    connections: int = Field(512, ge=1, description="most connections at once")
    peer_timeout_s: float = Field(2.0, gt=0, description="the other key manager must answer in this time [s]")


class Keys(Settings):
    """Keys a key manager offers; the status object of ETSI GS QKD 014, sizes in bits."""

    key_size: int = Field(256, ge=8, multiple_of=8, description="default size [bit]")
    min_key_size: int = Field(64, ge=8, multiple_of=8, description="[bit]")
    max_key_size: int = Field(4096, ge=8, multiple_of=8, description="[bit]")
    max_key_per_request: int = Field(128, ge=1)
    max_key_count: int = Field(100_000, ge=1)
    max_SAE_ID_count: int = Field(8, ge=0, description="most additional slaves; 0 is no multicast")  # noqa: N815  # the standard's spelling
    probabilistic: bool = Field(default=False, description="grant qstack_probabilistic: answer before the peer has")
    ttl_s: int = Field(7 * 86400, ge=1, description="time to live [s]")
    quota_bits: int = Field(0, ge=0, description="most bits per application and window [bit]; 0 is no quota")
    window_s: int = Field(3600, ge=1, description="[s]")

    @model_validator(mode="after")
    def _ordered(self) -> Keys:
        if not self.min_key_size <= self.key_size <= self.max_key_size:
            raise ValueError(
                f"key_size {self.key_size} must lie between min_key_size {self.min_key_size} and "
                f"max_key_size {self.max_key_size}; all are in bits"
            )
        return self


class SouthboundSettings(Settings):
    """A device, or another key manager, below this one; asked by ETSI GS QKD 014."""

    url: str = Field(pattern="^https://", description="of the device")
    tls: Tls
    other_sae: str = Field(min_length=1, description="what the device calls the other end")
    pulls: bool = Field(default=False, description="True at the end that starts; the other one fetches by identifier")
    number: int = Field(64, ge=2, le=4096, description="keys in a block")
    size: int = Field(256, ge=64, multiple_of=8, description="[bit]")


class KmeSettings(Settings):
    """One key manager."""

    kme_id: str = Field(min_length=1, description="its identifier, as its certificate carries it")
    store: str = Field(description="path, sqlite:///path or postgresql://...")
    store_key: StoreKey | None = Field(None, description="encrypts keys at rest; without it they lie as they are")
    server: str = Field("server-1", description="name of this server where several share a store")
    tls: Tls
    listen: Listen = Listen()
    peer_listen: Listen = Listen()
    client_certificate: Literal["required", "optional"] = Field(
        "required",
        description="optional: the handshake passes without one, each request is answered 401, /health is open",
    )
    identity: str = Field("cn", description="where a certificate carries the identifier: cn, serial, san")
    proxy_header: str | None = Field(
        None, description="header set by a reverse proxy in front; never trusted otherwise"
    )
    saes: dict[str, str] = Field(description="application to its key manager")
    peers: dict[str, str] = Field(default_factory=dict, description="key manager to the URL of its peer interface")
    southbound: dict[str, SouthboundSettings] = Field(
        default_factory=dict, description="peer to where its keys come from"
    )
    keys: Keys = Keys()
    limits: Limits = Limits()
    allow_simulated_off_loopback: bool = False

    def refuse_simulated(self) -> None:
        """Keep simulated keys on this machine unless the operator says otherwise; raises `ConfigError`."""
        afar = [one.host for one in (self.listen, self.peer_listen) if not one.is_loopback()]
        if afar and not self.allow_simulated_off_loopback:
            raise ConfigError(
                f"{self.kme_id}: simulated keys protect nothing, and {afar[0]!r} can be reached from other machines. "
                "Listen on loopback, or set allow_simulated_off_loopback."
            )

    @model_validator(mode="after")
    def _known(self) -> KmeSettings:
        known = {self.kme_id, *self.peers}
        for sae, kme in self.saes.items():
            if kme not in known:
                near = difflib.get_close_matches(kme, known, 1)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                raise ValueError(f"saes.{sae}: {kme!r} is no key manager. Known: {', '.join(sorted(known))}.{hint}")
        if self.kme_id in self.peers:
            raise ValueError(f"peers: {self.kme_id!r} is this key manager itself")
        for kme, url in self.peers.items():
            if not url.startswith("https://"):
                raise ValueError(f"peers.{kme}: {url!r} must start with https://")
        return self


def read_settings(data: Mapping[str, Any], name: str = "settings") -> KmeSettings:
    """Return settings from plain data.

    Raises
    ------
    ConfigError
        One line per problem: where, what, and what is allowed.
    """
    try:
        return KmeSettings.model_validate(data)
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            place = ".".join(str(part) for part in problem["loc"])
            given = "" if problem["type"] in {"missing", "value_error"} else f" {problem['input']!r}:"
            lines.append(f"{name}  {place}{given} {problem['msg'].removeprefix('Value error, ')}")
        raise ConfigError("\n".join(lines)) from None
