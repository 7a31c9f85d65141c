"""What an attack came to: what Eve learned, what the two ends made of it, and which assumption fell."""

from __future__ import annotations

from dataclasses import dataclass

from qstack.keys.eve.attack import QuantumAttack
from qstack.keys.ledger import Assumption, Block, Rejected
from qstack.keys.pulses import Tapped
from qstack.keys.session import Outcome


@dataclass(frozen=True, slots=True)
class Report:
    """The account of an attack; the two ends never see it.

    Parameters
    ----------
    attack
        Name of the attack.
    key_bits
        Sifted key bits of the block [bit].
    learned
        Eve's information about them before reconciliation [bit].
    leak
        What the two ends disclosed on top [bit].
    length
        Length of the key that they accepted; 0 for none [bit].
    verdict
        Why they gave the block up, or "accepted".
    broken
        The assumption in the block's ledger that the attack breaks; None for an attack within the proof.
    """

    attack: str
    key_bits: int
    learned: float
    leak: int
    length: int
    verdict: str
    broken: Assumption | None

    @property
    def secure(self) -> bool:
        """Whether the accepted key is no longer than what Eve does not know."""
        return self.length <= max(0.0, self.key_bits - self.learned - self.leak)

    def __str__(self) -> str:
        text = f"{self.attack}: Eve learned {self.learned:.0f} of {self.key_bits} bits; {self.verdict}"
        if self.length:
            text += f", {self.length} secret bits"
        if self.broken and not self.secure:
            text += f". The key is hers, because this does not hold: {self.broken}"
        return text


def assess(attack: QuantumAttack, tapped: Tapped, outcome: Outcome) -> Report:
    """Return what an attack on a block came to.

    Parameters
    ----------
    attack
        Who sat on the fibre.
    tapped
        The block, with Eve's notes.
    outcome
        What the two ends made of it.
    """
    _, information = tapped.on_key()
    ledger = None if outcome.alice is None else outcome.alice.ledger
    refusals = [end for end in (outcome.alice, outcome.bob) if isinstance(end, Rejected)]
    verdict = "accepted" if isinstance(outcome.alice, Block) else "; ".join(str(end.reason) for end in refusals)
    return Report(
        attack=attack.name,
        key_bits=int(information.size),
        learned=float(information.sum()),
        leak=ledger.leak if ledger else 0,
        length=ledger.length if ledger else 0,
        verdict=verdict,
        broken=attack.breaks,
    )
