"""The reference adapter: keys as lines that TLS 1.3 servers and clients read as external pre-shared keys."""

from __future__ import annotations

from qstack.core.errors import ConfigError
from qstack.integration.consumers.psk import LEAST_OCTETS, Psk, psk_file
from qstack.services.secret import Secret


class PskLines:
    """Hands over a line of ``identity:key``, as stunnel and GnuTLS read it.

    Parameters
    ----------
    least
        Octets that a key must have [byte]; 16 or more.
    """

    def __init__(self, least: int = LEAST_OCTETS) -> None:
        self.least = least

    def deliver(self, identity: str, key: Secret) -> bytes:
        """Return the line.

        Raises
        ------
        ConfigError
            If the key is too short or wiped, or the identity cannot be read back.
        """
        if len(key) < self.least:
            raise ConfigError(f"a key of {len(key)} octets: at least {self.least} are needed")
        return psk_file([Psk(identity, key)])
