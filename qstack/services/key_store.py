"""The boundary between a key manager and its key store: calls, and which of their answers must be on disk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from qstack.services.key_delivery import (
    Admit,
    Borrow,
    Cede,
    Confirm,
    Count,
    Deposit,
    Depth,
    Fetch,
    Gain,
    Reserve,
    Settle,
    Sweep,
    Told,
    Unconfirmed,
    Untold,
    Unwrap,
    Void,
    Wrap,
)

Call = (
    Deposit
    | Unconfirmed
    | Confirm
    | Settle
    | Reserve
    | Admit
    | Fetch
    | Void
    | Untold
    | Told
    | Borrow
    | Cede
    | Gain
    | Wrap
    | Unwrap
    | Depth
    | Count
    | Sweep
)


DURABLE = (Deposit, Reserve, Cede, Void, Wrap)


def must_be_durable(call: Call) -> bool:
    """Return whether an answer must survive a power cut before anybody acts on it.

    It must where the past would otherwise allow a key twice: whoever takes keys from the own half of a pool (Reserve,
    Wrap, Cede), and a slave's Fetch. A master's Fetch need not: what is reserved and not known to be fetched is voided
    at the next start. Nor need Admit: its keys are of the peer's half, and an end that loses it only fails to deliver.
    """
    return isinstance(call, DURABLE) or (isinstance(call, Fetch) and call.sae != call.master)


class KeyStore(Protocol):
    """Whatever keeps keys: answers calls in the order given, each whole or not at all, and outlives its process."""

    def batch(self, calls: Sequence[Call], *, flush: bool = True) -> list[Any]:
        """Answer every call; raises `StoreError` when nothing could be written, and then nothing has changed.

        With `flush` the answers for which `must_be_durable` holds survive a power cut; without, the caller keeps them
        to itself until `flush` has returned.
        """

    def flush(self) -> None:
        """Make all answers so far durable, from any thread; raises `StoreError`."""
