"""The two databases behind the key store: one narrow door, and errors in the house's words."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qstack.core.errors import ConfigError, QstackError

if TYPE_CHECKING:
    import psycopg

Row = tuple[Any, ...]


class StoreError(QstackError):
    """The key store cannot answer; the call that failed has changed nothing."""


class StoreFullError(StoreError):
    """No room left on the device that holds the key store."""


class StoreCorruptError(StoreError):
    """What was read is not what was written.

    Parameters
    ----------
    message
        What is damaged.
    key
        Identifier of the key whose octets are damaged, where it is one.
    """

    def __init__(self, message: str, key: str | None = None) -> None:
        super().__init__(message)
        self.key = key


class ContentionError(StoreError):
    """Another server held the rows; the call may be repeated."""


class Database(ABC):
    """One connection. Statements use ``?`` for values and PostgreSQL's row locks, whatever the engine."""

    blob = "BLOB"
    """What the engine calls octets."""
    flushes_apart = False
    """Whether `flush` can make earlier transactions durable while others go on."""

    def flush(self) -> None:  # noqa: B027  # an engine that flushes at each commit has nothing left to do
        """Make all transactions that have ended durable."""

    @abstractmethod
    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """Run a query and return all its rows."""

    @abstractmethod
    def run(self, sql: str, values: Sequence[object] = ()) -> int:
        """Run a statement and return the number of rows it touched."""

    @abstractmethod
    def run_many(self, sql: str, values: Sequence[Sequence[object]]) -> None:
        """Run a statement once per row of values."""

    @abstractmethod
    def close(self) -> None:
        """Give the connection back."""

    @abstractmethod
    def transaction(self, *, durable: bool = True) -> contextlib.AbstractContextManager[None]:
        """Commit at the end, roll back on any exception; raises the errors of this module.

        Parameters
        ----------
        durable
            The commit survives a power cut, which costs a wait for the disk. Any commit survives the death of the
            process, and none survives without those before it.
        """

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo only what happened inside when a `StoreError` leaves; any other exception ends the transaction."""
        self.run("SAVEPOINT call")
        try:
            yield
        except StoreError:
            self.run("ROLLBACK TO SAVEPOINT call")
            self.run("RELEASE SAVEPOINT call")
            raise
        self.run("RELEASE SAVEPOINT call")


def _unlocked(sql: str) -> str:
    """Drop row locks: a writer of SQLite holds the whole file."""
    return sql.replace(" FOR UPDATE SKIP LOCKED", "").replace(" FOR UPDATE", "")


PATIENCE_S = 5
"""Longest wait for another process that holds the file [s]."""
FOLD_AFTER = 100
"""Transactions after which a flush sets off the folding of the write-ahead log into the file, which stops nobody."""
MOST_UNFOLDED = 1000
"""Transactions after which the writer does it himself."""
LONGEST_LOG = 4000
"""Pages in the log from which on the writer begins it anew, for which he must stop for a moment."""


class SqliteDatabase(Database):
    """A file, in write-ahead mode, durable at commit, deleted content overwritten.

    Folding the log into the file costs two waits for the disk.  SQLite would do it at some commit, while everybody
    waits; here a thread of its own does nearly all of it, on a connection of its own.

    Parameters
    ----------
    path
        The file; created readable by its owner only. ``:memory:`` keeps keys in this process.
    alone
        Nobody else may have it open, and nobody else can open it before `close`.
    """

    def __init__(self, path: str, *, alone: bool = False) -> None:
        self.path = path
        if path != ":memory:":
            try:
                os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            except OSError as error:
                raise ConfigError(
                    f"key store {path!r}: {error.strerror}. Name a file in a writable directory."
                ) from None
            mode = Path(path).stat().st_mode & 0o777
            if mode & 0o077:
                raise ConfigError(f"key store {path!r} has mode {mode:04o}: others could read keys. Allowed: 0600.")
        self.connection = sqlite3.connect(path, timeout=PATIENCE_S, isolation_level=None, check_same_thread=False)
        try:
            with self._translated():
                # Whoever works in write-ahead mode holds a shared lock on the file until he closes it.
                locking = "EXCLUSIVE" if alone else "NORMAL"
                for pragma in (f"locking_mode={locking}", "journal_mode=WAL", "secure_delete=ON", "temp_store=MEMORY"):
                    self.connection.execute(f"PRAGMA {pragma}")
        except StoreError:
            self.connection.close()
            raise
        self.flushes_apart = path != ":memory:"
        self._durable: bool | None = None
        self._folder: sqlite3.Connection | None = None
        self._folding = threading.Lock()
        self._unfolded = 0
        self._long = False
        if self.flushes_apart:
            self.connection.execute("PRAGMA wal_autocheckpoint=0")

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """See `Database.rows`."""
        return self.connection.execute(_unlocked(sql), values).fetchall()

    def run(self, sql: str, values: Sequence[object] = ()) -> int:
        """See `Database.run`."""
        return self.connection.execute(sql, values).rowcount

    def run_many(self, sql: str, values: Sequence[Sequence[object]]) -> None:
        """See `Database.run_many`."""
        self.connection.executemany(sql, values)

    def close(self) -> None:
        """Fold the write-ahead log, which still holds old pages, into the file; then close."""
        with self._folding:
            if self._folder is not None:
                self._folder.close()
                self._folder = None
            with contextlib.suppress(sqlite3.Error):
                self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self.connection.close()
            self.flushes_apart = False

    def flush(self) -> None:
        """Sync the write-ahead log, which holds whatever has not been synced with the file at a checkpoint."""
        log = f"{self.path}-wal"
        if not self.flushes_apart or not Path(log).exists():
            return
        try:
            descriptor = os.open(log, os.O_RDONLY)
            try:
                _sync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StoreError(f"key store {self.path!r}: {error.strerror}; no key was handed out") from None
        if self._unfolded >= FOLD_AFTER and not self._folding.locked():
            threading.Thread(target=self._fold, name="key-fold", daemon=True).start()  # nobody waits for it

    def _fold(self) -> None:
        """Copy what is in the log into the file while others read and write; what fails here is tried again later."""
        if not self._folding.acquire(blocking=False):
            return
        try:
            if not self.flushes_apart:
                return
            if self._folder is None:
                self._folder = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)
            self._unfolded = 0
            _, pages, _ = self._folder.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            self._long = pages > LONGEST_LOG
        except sqlite3.Error:
            self._long = True  # the writer will meet the same trouble, and say so
        finally:
            self._folding.release()

    @contextlib.contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[None]:
        """See `Database.transaction`."""
        with self._translated():
            if durable != self._durable:
                self.connection.execute("PRAGMA synchronous=FULL" if durable else "PRAGMA synchronous=NORMAL")
                self._durable = durable
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise
        self._unfolded += 1
        if self.flushes_apart and (self._long or self._unfolded >= MOST_UNFOLDED):
            self._begin_log_anew()

    def _begin_log_anew(self) -> None:
        """Fold what is left and write at the beginning of the log again; not while somebody folds."""
        if not self._folding.acquire(blocking=False):
            return
        try:
            self._unfolded, self._long = 0, False
            with contextlib.suppress(sqlite3.Error):  # the transaction is over and whole; the log only grows
                self.connection.execute("PRAGMA wal_checkpoint(RESTART)")
        finally:
            self._folding.release()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            kind, words = _SQLITE.get(getattr(error, "sqlite_errorcode", -1) & 0xFF, (StoreError, str(error)))
            raise kind(f"key store {self.path!r}: {words}") from None


_sync = getattr(os, "fdatasync", os.fsync)
"""Data and length reach the disk; times of the file need not."""

_SQLITE: dict[int, tuple[type[StoreError], str]] = {
    sqlite3.SQLITE_FULL: (StoreFullError, "the disk is full; nothing was changed and no key was handed out"),
    sqlite3.SQLITE_CORRUPT: (StoreCorruptError, "a database page is corrupt; no key was handed out. Run the audit."),
    sqlite3.SQLITE_NOTADB: (StoreCorruptError, "the file is not a key store, or its first page is corrupt"),
    sqlite3.SQLITE_BUSY: (ContentionError, "another process holds the key store"),
    sqlite3.SQLITE_IOERR: (StoreError, "the disk does not answer; nothing was changed and no key was handed out"),
    sqlite3.SQLITE_READONLY: (StoreError, "the file is read-only; no key was handed out"),
    sqlite3.SQLITE_CANTOPEN: (StoreError, "the file cannot be opened"),
}


PRESENCE = int.from_bytes(b"qstack", "big")
"""Advisory lock of a PostgreSQL database: everybody who has the store open shares it."""


class PostgresDatabase(Database):
    """A PostgreSQL server, shared by several key servers of one site.

    Parameters
    ----------
    url
        ``postgresql://user@host:port/name``.
    alone
        Nobody else may have the store open, and nobody else can open it before `close`.
    """

    blob = "BYTEA"

    def __init__(self, url: str, *, alone: bool = False) -> None:
        try:
            import psycopg  # noqa: PLC0415  # an extra
        except ImportError:
            raise ConfigError("a PostgreSQL key store needs psycopg: pip install qstack-reference[keys]") from None
        self.engine = psycopg
        self.url = url
        self.lock = "pg_try_advisory_lock" if alone else "pg_try_advisory_lock_shared"
        self.connection = self._connect()

    def _connect(self) -> psycopg.Connection[Row]:
        with self._translated():
            connection = self.engine.connect(self.url, autocommit=True, connect_timeout=5)
            if connection.execute(f"SELECT {self.lock}({PRESENCE})").fetchone() == (True,):
                return connection
        connection.close()
        raise ContentionError("key store: another process holds the key store")

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """See `Database.rows`."""
        return self.connection.execute(sql.replace("?", "%s"), values).fetchall()

    def run(self, sql: str, values: Sequence[object] = ()) -> int:
        """See `Database.run`."""
        return self.connection.execute(sql.replace("?", "%s"), values).rowcount

    def run_many(self, sql: str, values: Sequence[Sequence[object]]) -> None:
        """See `Database.run_many`."""
        with self.connection.cursor() as cursor:
            cursor.executemany(sql.replace("?", "%s"), values)

    def close(self) -> None:
        """See `Database.close`."""
        self.connection.close()

    @contextlib.contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[None]:
        """See `Database.transaction`; a connection that was lost is opened again."""
        if self.connection.closed:
            self.connection = self._connect()
        with self._translated(), self.connection.transaction():
            if not durable:
                self.connection.execute("SET LOCAL synchronous_commit TO OFF")
            yield

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        errors = self.engine.errors
        try:
            yield
        except (errors.DeadlockDetected, errors.SerializationFailure, errors.LockNotAvailable):
            raise ContentionError("key store: another server held the rows; nothing was changed") from None
        except errors.DiskFull:
            raise StoreFullError("key store: the disk is full; nothing was changed and no key was handed out") from None
        except (errors.DataCorrupted, errors.IndexCorrupted):
            raise StoreCorruptError("key store: a database page is corrupt; no key was handed out") from None
        except self.engine.Error as error:
            # The server's text may quote a statement's values; its class name cannot.
            raise StoreError(f"key store: PostgreSQL says {type(error).__name__}; no key was handed out") from None


def connect(url: str, *, alone: bool = False) -> Database:
    """Open the database that a URL names.

    Parameters
    ----------
    url
        A path, ``sqlite:///path``, or ``postgresql://...``.
    alone
        Share it with nobody until it is closed.

    Raises
    ------
    ConfigError
        If the URL names no engine that is known, or a file that others may read.
    ContentionError
        If it is to be shared with nobody and somebody has it open, or the other way round.
    """
    scheme, rest = url.split("://", 1) if "://" in url else ("sqlite", "/" + url)
    if scheme == "sqlite":
        return SqliteDatabase(rest.removeprefix("/"), alone=alone)
    if scheme in {"postgresql", "postgres"}:
        return PostgresDatabase(url, alone=alone)
    raise ConfigError(
        # The rest may hold a password.
        f"key store: unknown scheme {scheme!r}. Allowed: a path, sqlite:///path, postgresql://..."
    )
