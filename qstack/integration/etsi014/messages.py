"""ETSI GS QKD 014 V1.1.1: paths, objects and fixed strings, to and from plain data.

Requests are read leniently where clients differ (unknown members at any level, upper-case UUIDs, query values as text) and
strictly where a mistake would cost keys (types, ranges, duplicates). Sizes are in bits.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

from qstack.integration.kme.settings import Keys
from qstack.services.key_delivery import Key

NOT_MULTIPLE = "size shall be a multiple of 8"
MANDATORY_UNKNOWN = "not all extension_mandatory parameters are supported"
MANDATORY_UNMET = "not all extension_mandatory request options could be met"
NOT_FOUND = "one or more keys specified are not found on KME"
VERBS = {"status": ("GET",), "enc_keys": ("GET", "POST"), "dec_keys": ("GET", "POST")}
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class ProblemError(Exception):
    """A request that is answered with an error object.

    Parameters
    ----------
    status
        HTTP status code.
    message
        Of the error object: a fixed string of the standard where there is one.
    details
        Of the error object.
    """

    def __init__(self, status: int, message: str, *details: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.details = details

    def body(self) -> dict[str, Any]:
        """Return the error object."""
        return {"message": self.message, **({"details": list(self.details)} if self.details else {})}


@dataclass(frozen=True, slots=True)
class KeyRequest:
    """The key request object (clause 6.2), its defaults filled in."""

    number: int
    size: int
    additional: tuple[str, ...] = ()
    mandatory: tuple[tuple[str, Any], ...] = ()
    optional: tuple[tuple[str, Any], ...] = field(default=())


def route(target: str) -> tuple[str, str, str]:
    """Split a request target into the SAE ID of the path, the method's name and the query.

    Raises
    ------
    ProblemError
        404, for paths that the standard does not have.
    """
    path, _, query = target.partition("?")
    parts = path.split("/")
    if parts[:4] != ["", "api", "v1", "keys"] or len(parts) != 6 or not parts[4] or parts[5] not in VERBS:
        paths = "/api/v1/keys/{SAE_ID}/status, enc_keys and dec_keys"
        raise ProblemError(404, f"no such path; this server has {paths}")
    try:
        return unquote(parts[4], errors="strict"), parts[5], query
    except UnicodeDecodeError:
        raise ProblemError(404, "the SAE ID in the path is not UTF-8") from None


def read_query(query: str) -> dict[str, str]:
    """Return query values; a name given twice is refused."""
    pairs = parse_qsl(query, keep_blank_values=True)
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ProblemError(400, "a query parameter is given twice")
    return values


def read_object(body: bytes) -> dict[str, Any]:
    """Return a JSON object; nothing of a body that cannot be read is repeated in the answer."""
    try:
        data = json.loads(body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise ProblemError(400, "the body is not a JSON object in UTF-8 with distinct member names") from None
    if not isinstance(data, dict):
        raise ProblemError(400, "the body must be a JSON object")
    return data


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise ValueError("duplicate member")
    return data


def _no_constant(name: str) -> None:
    raise ValueError(name)


def read_key_request(body: bytes, query: str, limits: Keys) -> KeyRequest:
    """Return the request of Get key, from a body or, without one, from the query; raises `ProblemError` 400."""
    if body.strip():
        data = read_object(body)
    else:
        data = {name: _digits(name, value) for name, value in read_query(query).items() if name in {"number", "size"}}
    number = _integer(data, "number", 1)
    size = _integer(data, "size", limits.key_size)
    if not 1 <= number <= limits.max_key_per_request:
        raise ProblemError(
            400, f"number is {number}; allowed are 1 to max_key_per_request {limits.max_key_per_request}"
        )
    _check_size(size, limits)
    additional = data.get("additional_slave_SAE_IDs")
    additional = [] if additional is None else additional
    if not isinstance(additional, list) or not all(isinstance(sae, str) and sae for sae in additional):
        raise ProblemError(400, "additional_slave_SAE_IDs must be an array of strings")
    if len(additional) > limits.max_SAE_ID_count:
        text = (
            f"{len(additional)} additional_slave_SAE_IDs; allowed are 0 to max_SAE_ID_count {limits.max_SAE_ID_count}"
        )
        raise ProblemError(400, text)
    if len(set(additional)) != len(additional):
        raise ProblemError(400, "additional_slave_SAE_IDs names an SAE twice")
    return KeyRequest(
        number, size, tuple(additional), _pairs(data, "extension_mandatory"), _pairs(data, "extension_optional")
    )


def _check_size(size: int, limits: Keys) -> None:
    if size < limits.min_key_size:
        hint = f"; did you mean {size * 8}?" if limits.min_key_size <= size * 8 <= limits.max_key_size else ""
        raise ProblemError(400, f"size is in bits; {size} is below min_key_size {limits.min_key_size}{hint}")
    if size > limits.max_key_size:
        raise ProblemError(400, f"size is in bits; {size} is above max_key_size {limits.max_key_size}")
    if size % 8:
        raise ProblemError(400, NOT_MULTIPLE)


def _digits(name: str, value: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,18}", value, re.ASCII):
        raise ProblemError(400, f"{name} must be an integer")
    return int(value)


def _integer(data: Mapping[str, Any], name: str, default: int) -> int:
    value = data.get(name)
    if value is None:
        return default
    if type(value) is not int:
        raise ProblemError(400, f"{name} must be an integer")
    return value


def _pairs(data: Mapping[str, Any], name: str) -> tuple[tuple[str, Any], ...]:
    value = data.get(name)
    value = [] if value is None else value
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ProblemError(400, f"{name} must be an array of objects")
    return tuple(pair for item in value for pair in item.items())


def read_key_ids(method: str, body: bytes, query: str, limits: Keys) -> tuple[str, ...]:
    """Return the identifiers asked for, in lower case; raises `ProblemError` 400."""
    if method == "GET":
        value = read_query(query).get("key_ID")
        if value is None:
            raise ProblemError(400, "key_ID is missing; GET takes exactly one, POST takes key_IDs")
        found: list[object] = [value]
    else:
        items = read_object(body).get("key_IDs")
        if not isinstance(items, list) or not items or not all(isinstance(item, dict) for item in items):
            raise ProblemError(400, 'key_IDs must be an array of at least one object such as {"key_ID": "<uuid>"}')
        found = [item.get("key_ID") for item in items]
    if len(found) > limits.max_key_per_request:
        text = f"{len(found)} key_IDs; allowed are 1 to max_key_per_request {limits.max_key_per_request}"
        raise ProblemError(400, text)
    names = tuple(_uuid(value) for value in found)
    if len(set(names)) != len(names):
        raise ProblemError(400, "key_IDs names a key twice")
    return names


def _uuid(value: object) -> str:
    if not isinstance(value, str):
        raise ProblemError(400, "key_ID must be a string")
    if not UUID.fullmatch(value):
        raise ProblemError(400, NOT_FOUND, {"key_ID": "not a UUID of 36 characters"})
    return value.lower()


def container(keys: Sequence[Key]) -> dict[str, Any]:
    """Return the key container (clause 6.3). The base64 text is the last copy of a key that this process makes."""
    return {"keys": [_key(key) for key in keys]}


def _key(key: Key) -> dict[str, Any]:
    data: dict[str, Any] = {"key_ID": key.key, "key": base64.b64encode(key.octets.reveal()).decode()}
    key.octets.wipe()
    extension = {"qstack_simulated": True} if key.simulated else {}
    if key.hops:
        extension |= {"qstack_hops": key.hops}  # type: ignore[dict-item]  # an integer beside a boolean
    return data | ({"key_extension": extension} if extension else {})
