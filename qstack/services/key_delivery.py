"""Key delivery: what a key manager asks of its key store, as plain data in and out.

The store is a table from the requests below to their handlers, so that a vendor's hardware security module can stand in
its place. A refusal is an answer with a reason; an exception means that the store itself is broken.

State of a key in one store (the other end has its own):

    generated --Confirm/Settle--> ready --Reserve/Admit--> reserved --first fetch--> delivered --last fetch--> consumed
    any of them but consumed --Sweep--> expired;  --Void--> voided

The octets are wiped on reaching consumed, expired or voided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from qstack.services.secret import Secret

CONTROL_OCTETS = 32
"""Octets at the head of each block that compare its two ends: one one-time Poly1305 key [byte]."""


class Reason(Enum):
    """Why a store refuses."""

    EMPTY = "not enough keys in the pool"
    FULL = "the pool has reached its capacity"
    REPEATED = "this block was deposited before"
    SHORT = "the block is shorter than its control octets and one key"
    QUOTA = "the quota is used up"
    NOT_FOUND = "not found, expired, voided or fetched before"
    NOT_ENTITLED = "the caller was not named when the key was made"
    INDIRECT = "only a relayed or simulated key could be had"
    FORGED = "the authentication tag is wrong"


@dataclass(slots=True)
class Refused:
    """The answer to a request that cannot be met; nothing was changed.

    Parameters
    ----------
    reason
        Of the refusal.
    detail
        For a person: which key, how many are left, when to come back. Never key material.
    """

    reason: Reason
    detail: str = ""


@dataclass(slots=True)
class Deposit:
    """A finished block enters the pool shared with `peer`; answered by `Offer`.

    Parameters
    ----------
    peer
        Identifier of the key manager at the other end.
    block
        Identifier of the block, equal at both ends.
    octets
        The secret bits, equal at both ends, after privacy amplification.
    ledger
        What the post-processing answers for: lengths, leaks, epsilons, assumptions.
    simulated
        True where no photon was ever sent.
    hops
        Trusted nodes passed; 0 is a direct link.
    """

    peer: str
    block: str
    octets: Secret
    ledger: Mapping[str, Any]
    simulated: bool
    hops: int = 0


@dataclass(slots=True)
class Offer:
    """What one end says of a block so that the other can compare.

    Parameters
    ----------
    block
        Its identifier.
    keys
        Number of keys cut from it.
    tag
        One-time Poly1305 tag over the keys under the first `CONTROL_OCTETS` octets: it tells nothing about them.
    """

    block: str
    keys: int
    tag: bytes


@dataclass(slots=True)
class Unconfirmed:
    """Ask for the offers of blocks that the other end has not confirmed; answered by a tuple of `Offer`."""

    peer: str


@dataclass(slots=True)
class Confirm:
    """Compare the peer's offer with the own block; answered by True (ready), False (differs, voided) or None (unknown)."""

    peer: str
    offer: Offer


@dataclass(slots=True)
class Settle:
    """The peer has answered an offer: the block becomes ready, or is voided; answered by None."""

    peer: str
    block: str
    agreed: bool


@dataclass(slots=True)
class Assignment:
    """One key that leaves the pool for named applications.

    Parameters
    ----------
    key
        Its identifier, a UUID.
    chunks
        The pool's keys of which it is made; the first one gives the identifier.
    size_bits
        Length [bit].
    master
        Application that asked.
    slaves
        Applications at the receiving key manager that may fetch it, once each.
    """

    key: str
    chunks: tuple[str, ...]
    size_bits: int
    master: str
    slaves: tuple[str, ...]


@dataclass(slots=True)
class Reserve:
    """Take keys out of the own half of a pool; answered by a tuple of `Assignment` or by `Refused`.

    Parameters
    ----------
    peer
        Key manager of the slaves.
    master
        The application that asks.
    slaves
        Entitled at the peer.
    local
        Further applications entitled at this key manager.
    number, size_bits
        How many keys, how long each [bit].
    direct
        Take no relayed keys.
    genuine
        Take no simulated keys.
    """

    peer: str
    master: str
    slaves: tuple[str, ...]
    number: int
    size_bits: int
    local: tuple[str, ...] = ()
    direct: bool = False
    genuine: bool = False


@dataclass(slots=True)
class Admit:
    """The peer has reserved these keys; answered by the tuple of identifiers that this end cannot honour."""

    peer: str
    assignments: Sequence[Assignment]


@dataclass(slots=True)
class Key:
    """A key on its way to an application."""

    key: str
    octets: Secret
    simulated: bool
    hops: int


@dataclass(slots=True)
class Fetch:
    """Hand keys to an application, all or none, once; answered by a tuple of `Key` or by `Refused`.

    Parameters
    ----------
    sae
        Who asks.
    keys
        Identifiers.
    master
        The application that the caller believes to be the master; the master itself gives its own name.
    """

    sae: str
    keys: Sequence[str]
    master: str


@dataclass(slots=True)
class Void:
    """Make keys undeliverable at this end; answered by the number changed.

    Parameters
    ----------
    keys
        Identifiers.
    why
        For the audit log.
    told
        True when the peer knows already.
    peer
        Only keys of the pool with this one; None for any pool.
    """

    keys: Sequence[str]
    why: str
    told: bool = False
    peer: str | None = None


@dataclass(slots=True)
class Untold:
    """Ask which voided keys the peer has not heard of; answered by a tuple of identifiers."""

    peer: str


@dataclass(slots=True)
class Told:
    """The peer has heard of these voided keys; answered by None."""

    keys: Sequence[str]


@dataclass(slots=True)
class Borrow:
    """Ask which keys of the peer's half would be the last it uses; answered by a tuple of identifiers."""

    peer: str
    number: int


@dataclass(slots=True)
class Cede:
    """Give keys of the own half to the peer; answered by the tuple of identifiers that are the peer's from now on."""

    peer: str
    keys: Sequence[str]


@dataclass(slots=True)
class Gain:
    """The peer has ceded these keys; answered by None."""

    peer: str
    keys: Sequence[str]


@dataclass(slots=True)
class Carried:
    """A key on its way to a key manager that has no part in its pool, under a one-time pad of the pool with that one.

    Parameters
    ----------
    assignment
        Of the key; its chunks are those of the pad, in order.
    sealed
        Key XOR pad.
    tag
        One-time Poly1305 tag of identifier and `sealed`, under pad octets that are used for nothing else.
    simulated, hops
        Of the key, this hop included.
    """

    assignment: Assignment
    sealed: bytes
    tag: bytes
    simulated: bool
    hops: int


@dataclass(slots=True)
class Wrap:
    """Spend keys of the pool with `peer` to carry reserved keys there; answered by a tuple of `Carried` or `Refused`."""

    peer: str
    assignments: Sequence[Assignment]


@dataclass(slots=True)
class Unwrap:
    """Take in carried keys; answered by the tuple of identifiers that this end cannot honour."""

    peer: str
    carried: Sequence[Carried]


@dataclass(slots=True)
class Depth:
    """Ask how many keys Get key could hand out of a pool, both halves together; answered by an int.

    Parameters
    ----------
    peer
        Key manager at the other end.
    coming
        Count those too that wait for the peer: what a source must not make a second time.
    """

    peer: str
    coming: bool = False


@dataclass(slots=True)
class Count:
    """Ask for all keys of a pool; answered by `Counts`. Reads the whole pool: for people, not for every request."""

    peer: str


@dataclass(slots=True)
class Counts:
    """Keys of one pool by state; the states sum to `total` at every instant.

    Parameters
    ----------
    states
        Number of keys in each state.
    total
        All that were ever cut or taken in.
    """

    states: dict[str, int] = field(default_factory=dict)
    total: int = 0


@dataclass(slots=True)
class Sweep:
    """Expire what is past its time to live and wipe it; answered by the number of keys."""
