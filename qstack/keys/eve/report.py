"""What an attack came to: what Eve learned, what the two ends made of it, and which assumption fell."""

from __future__ import annotations

from dataclasses import dataclass, replace

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


def assess_wire(name: str, outcome: Outcome) -> Report:
    """Return the account of an attack on messages: what is public everybody knows, and nothing else is learned.

    Parameters
    ----------
    name
        Of the attack.
    outcome
        What the two ends made of the block.
    """
    ends = outcome.alice, outcome.bob
    refusals = [str(end.reason) for end in ends if isinstance(end, Rejected)]
    ledger = next((end.ledger for end in ends if end is not None), None)
    verdict = "; ".join(refusals) or ("accepted" if isinstance(ends[0], Block) else "an end heard nothing more")
    length = ends[0].ledger.length if isinstance(ends[0], Block) and not refusals else 0
    return Report(
        attack=name,
        key_bits=ledger.key_bits if ledger else 0,
        learned=0.0,
        leak=ledger.leak if ledger else 0,
        length=length,
        verdict=verdict,
        broken=None,
    )


def assess_pairs(name: str, worth: float, outcome: Outcome) -> Report:
    """Return the account of an attack on pairs.

    Parameters
    ----------
    name
        Of the attack.
    worth
        What Eve learns about each sifted bit [bit].
    outcome
        What the two ends made of the block.
    """
    heard = assess_wire(name, outcome)
    return replace(heard, learned=worth * heard.key_bits)
