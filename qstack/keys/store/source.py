"""Where blocks come from: the one place where post-processing meets the key store.

Whatever yields `KeyBlock` and `DroppedBlock` plugs in here: a simulated link with its post-processing, both ends in one
process. A device that sits at one end only deposits by itself, see `qstack.services.key_delivery.Deposit`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from qstack.core.errors import ConfigError
from qstack.services.key_delivery import Deposit
from qstack.services.secret import Secret


@dataclass(slots=True)
class KeyBlock:
    """A block that passed, at both ends.

    Parameters
    ----------
    block
        Its identifier.
    ends
        The secret bits of either end, as octets; equal but for the probability that the ledger states.
    ledger
        Lengths, leaks, epsilons and assumptions, plain data.
    simulated
        True where no photon was sent.
    """

    block: str
    ends: tuple[Secret, Secret]
    ledger: Mapping[str, Any]
    simulated: bool = True

    def deposits(self, names: tuple[str, str]) -> tuple[Deposit, Deposit]:
        """Return what each of two key managers deposits; `names` are theirs, in the order of `ends`."""
        first, second = names
        return (
            Deposit(second, self.block, self.ends[0], self.ledger, self.simulated),
            Deposit(first, self.block, self.ends[1], self.ledger, self.simulated),
        )


@dataclass(slots=True)
class DroppedBlock:
    """A block that was given up, at both ends: nothing of it reaches a store."""

    block: str
    why: str
    ledger: Mapping[str, Any]


class Source(Protocol):
    """Yields what a link makes, for as long as it is asked."""

    def blocks(self) -> Iterator[KeyBlock | DroppedBlock]:
        """Yield blocks."""


MakeAttack = Callable[[], Any]
"""Makes an attacker, a new one for each block: one of the eavesdroppers' hook, see ``docs/hooks.md``."""


def called(attack: Any) -> str:
    """Return an attacker's name, or that of its class."""
    return str(getattr(attack, "name", None) or type(attack).__name__)


class TappableSource(Source, Protocol):
    """A simulated source on whose line somebody may listen.

    Attributes
    ----------
    report
        What became of the last block's eavesdropper, in one sentence when printed; None without one.
    """

    report: Any

    def eavesdrop(self, attack: MakeAttack | None) -> None:
        """Let somebody at the line from the next block on; None sends her away.

        Raises
        ------
        ConfigError
            When such an attack has nothing to do here.
        """


class RandomTestSource:
    """A TEST source, no QKD: bits of the operating system's generator, with an error rate counted on a drawn sample.

    It stands in where a test or a demonstration of key delivery needs blocks, and nothing about photons.

    Parameters
    ----------
    octets
        Length of a block [byte].
    error_rate
        Of the undisturbed line.
    limit
        Blocks with a higher counted error rate are dropped.
    sample
        Bits compared per block.
    """

    def __init__(self, octets: int, error_rate: float = 0.02, limit: float = 0.11, sample: int = 2048) -> None:
        self.octets = octets
        self.error_rate = error_rate
        self.limit = limit
        self.sample = sample
        self.disturbance: Any = None
        self.report: Any = None

    def eavesdrop(self, attack: MakeAttack | None) -> None:
        """Let somebody at the line; see `TappableSource`. Only attacks on pairs have something to do here."""
        found = None if attack is None else getattr(attack(), "on_pairs", None)
        if attack is not None and found is None:
            raise ConfigError(
                f"'{called(attack())}' has nothing to do on a test source: it sends neither pulses nor messages"
            )
        self.disturbance = found

    def blocks(self) -> Iterator[KeyBlock | DroppedBlock]:
        """Yield blocks without end."""
        draw = secrets.SystemRandom()
        while True:
            name = f"test-{secrets.token_hex(8)}"
            kept = self.disturbance.z if self.disturbance else 1.0
            chance = (1 - (1 - 2 * self.error_rate) * kept) / 2
            counted = sum(draw.random() < chance for _ in range(self.sample)) / self.sample
            ledger = {"source": "RandomTestSource", "qber": counted, "assumptions": ["none holds: a test source"]}
            if counted > self.limit:
                yield DroppedBlock(name, f"error rate {counted:.1%} is above {self.limit:.1%}", ledger)
            else:
                octets = secrets.token_bytes(self.octets)
                yield KeyBlock(name, (Secret(octets), Secret(octets)), ledger)
