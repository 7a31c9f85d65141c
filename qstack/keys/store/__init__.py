"""Key store: keys from generated to consumed, each delivered at most once to each application."""

from qstack.keys.store.audit import Head, verify
from qstack.keys.store.database import StoreCorruptError, StoreError, StoreFullError
from qstack.keys.store.rekeying import Rekeyed, rekey
from qstack.keys.store.schema import Policy
from qstack.keys.store.store import SqlKeyStore, open_store
from qstack.keys.store.vault import key_from

__all__ = [
    "Head",
    "Policy",
    "Rekeyed",
    "SqlKeyStore",
    "StoreCorruptError",
    "StoreError",
    "StoreFullError",
    "key_from",
    "open_store",
    "rekey",
    "verify",
]
