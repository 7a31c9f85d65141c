"""Contract of adapters: how a key of the network comes to whoever uses it."""

from __future__ import annotations

from typing import Protocol

from qstack.services.secret import Secret


class Adapter(Protocol):
    """Turns keys into what a consumer is handed; it does no input or output of its own.

    Attributes
    ----------
    least
        Octets that a key must have [byte].
    """

    least: int

    def deliver(self, identity: str, key: Secret) -> bytes:
        """Return what the consumer is handed.

        Parameters
        ----------
        identity
            Name by which both ends know the key, such as its key_ID of ETSI GS QKD 014.
        key
            The key; whoever gave it wipes it.

        Raises
        ------
        ConfigError
            If the key is too short or was wiped, or the consumer would read the identity otherwise; without the key.
        """
        ...
