"""The key store: a table from calls to their handlers, one transaction per batch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from qstack.core.errors import ConfigError
from qstack.keys.store import carry, delivery, pool
from qstack.keys.store.clock import SteadyClock
from qstack.keys.store.database import (
    ContentionError,
    Database,
    StoreCorruptError,
    StoreError,
    connect,
)
from qstack.keys.store.schema import Policy, Transaction, begin, create, finish
from qstack.keys.store.vault import vault_of
from qstack.services import key_delivery as ask
from qstack.services.key_store import Call, must_be_durable
from qstack.services.secret import Secret

HANDLERS: dict[type, Callable[..., Any]] = {
    ask.Deposit: pool.deposit,
    ask.Unconfirmed: pool.unconfirmed,
    ask.Confirm: pool.confirm,
    ask.Settle: pool.settle,
    ask.Borrow: pool.borrow,
    ask.Cede: pool.cede,
    ask.Gain: pool.gain,
    ask.Depth: pool.depth,
    ask.Count: pool.count,
    ask.Reserve: delivery.reserve,
    ask.Admit: delivery.admit,
    ask.Fetch: delivery.fetch,
    ask.Void: delivery.void,
    ask.Untold: delivery.untold,
    ask.Told: delivery.told,
    ask.Sweep: delivery.sweep,
    ask.Wrap: carry.wrap,
    ask.Unwrap: carry.unwrap,
}
ATTEMPTS = 5


class SqlKeyStore:
    """Keys in SQLite or PostgreSQL. One per process and thread-safe; several processes may share a database.

    Parameters
    ----------
    db
        An open database.
    policy
        What it allows.
    clock
        Seconds since the epoch; a jump backwards is ignored. By default the machine's, without its large steps.
    secret
        Key-encryption key, 32 octets; None keeps keys as they are.

    Raises
    ------
    ConfigError
        If the store was written under another key-encryption key, or under none.
    """

    def __init__(
        self, db: Database, policy: Policy, clock: Callable[[], float] | None = None, secret: Secret | None = None
    ) -> None:
        self.db = db
        self.policy = policy
        self.clock = clock = clock or SteadyClock()
        self.turn = threading.Lock()
        create(db)
        with self.turn, db.transaction():
            self.vault = vault_of(db, secret)
            tx = begin(db, policy, clock, self.vault)
            # Where an earlier run was ahead of the clock, time goes on from there: standing still, no quota would end.
            ahead = max(0, tx.now - int(clock()))
            self.clock = lambda: clock() + ahead
            delivery.recover(tx)
            finish(tx)

    def batch(self, calls: Sequence[Call], *, flush: bool = True) -> list[Any]:
        """Answer every call in one transaction, durable where one of them must be; a damaged key fails its own call only, with the exception as answer.

        Raises
        ------
        StoreError
            If nothing could be made durable; nothing has changed then.
        """
        durable = any(must_be_durable(call) for call in calls) and (flush or not self.db.flushes_apart)
        with self.turn:
            for attempt in range(ATTEMPTS):
                try:
                    with self.db.transaction(durable=durable):
                        tx = begin(self.db, self.policy, self.clock, self.vault)
                        answers = [self._answer(tx, call) for call in calls]
                        finish(tx)
                except ContentionError:
                    if attempt == ATTEMPTS - 1:
                        raise
                else:
                    return answers
        raise AssertionError("unreachable")

    def flush(self) -> None:
        """Make all answers so far durable. Any thread may call it: transactions go on meanwhile. Raises `StoreError`."""
        self.db.flush()

    def call(self, call: Call) -> Any:  # each call has its own answer
        """Answer one call; raises what `batch` would have given as its answer, if that is an exception."""
        (answer,) = self.batch([call])
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """Close the database."""
        with self.turn:
            self.db.close()

    def _answer(self, tx: Transaction, call: Call) -> Any:  # each call has its own answer
        mark = len(tx.records)
        try:
            with self.db.savepoint():
                return self._checked(HANDLERS[type(call)](tx, call))
        except _RefusedError as refusal:
            del tx.records[mark:]
            return refusal.answer
        except StoreCorruptError as error:
            del tx.records[mark:]
            tx.log("damaged", call=type(call).__name__, key=error.key)
            if error.key:
                delivery.void(tx, ask.Void([error.key], "its octets are damaged"))
            return error

    @staticmethod
    def _checked(answer: object) -> object:
        """Let a refusal leave the savepoint as an exception: half a call never stays."""
        if isinstance(answer, ask.Refused):
            raise _RefusedError(answer)
        return answer


class _RefusedError(StoreError):
    """Carries a refusal out of its savepoint."""

    def __init__(self, answer: ask.Refused) -> None:
        super().__init__(answer.reason.value)
        self.answer = answer


def open_store(
    url: str, policy: Policy, clock: Callable[[], float] | None = None, secret: Secret | None = None
) -> SqlKeyStore:
    """Open a key store; what a server that died had half handed out is voided.

    Parameters
    ----------
    url
        A path, ``sqlite:///path`` or ``postgresql://user@host/name``.
    policy
        What it allows.
    clock
        Seconds since the epoch; by default the machine's, without its large steps.
    secret
        Key-encryption key, see `qstack.keys.store.vault.key_from`; None keeps keys as they are.

    Raises
    ------
    ConfigError
        If the URL or the policy cannot be used, or the store was written under another key-encryption key.
    StoreError
        If the database does not answer or is damaged.
    """
    if policy.key_bits % 8 or policy.key_bits < 8:
        raise ConfigError(f"key_bits = {policy.key_bits}: must be a positive multiple of 8; it is in bits")
    db = connect(url)
    try:
        return SqlKeyStore(db, policy, clock, secret)
    except (StoreError, ConfigError):
        db.close()
        raise
