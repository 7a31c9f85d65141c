"""The account of a block: what came in, what was said, what it may fail with, what it assumes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from qstack.keys.finite import Bounds
from qstack.keys.secret import SecretBits


class Assumption(StrEnum):
    """What a proof takes for granted; an attack outside the proof breaks exactly one of these."""

    AUTHENTIC = "the classical channel is authenticated: both ends share a first secret that Eve does not know"
    SIGNED = "the classical channel is authenticated: the signatures could not be forged while the block was made"
    RANDOM = "bases, bits, intensities and the hash seed are chosen at random and unknown to Eve"
    PHASES = "the phase of every pulse is random, so that its photon number is Poissonian"
    INTENSITIES = "the intensities are the calibrated ones and differ in nothing but their mean"
    SINGLE = "each pair holds one photon a side, or multi-photon clicks are squashed"
    DETECTORS = "the detectors answer to single photons: whether one clicks does not depend on the basis chosen"
    SHIELDED = "nothing leaks out of the two devices"
    POSITIONS = (
        "the proof grants Eve the positions of all errors (arXiv:2307.00576), so Bob's verdicts tell her nothing"
    )


class Reason(StrEnum):
    """Why a block was given up."""

    MESSAGE = "malformed or unexpected message"
    TERMS = "the two ends do not hold the same terms"
    REPLAY = "the block number is not a new one"
    BLINDED = "the receiver does not see its own test light"
    ALARM = "too many errors among the test bits"
    TOLERANCE = "the block is worse than announced"
    NO_KEY = "nothing secret would remain"
    LEAK = "reconciliation disclosed more than agreed"
    VERIFICATION = "the two keys differ after reconciliation"
    AUTHENTICATION = "authentication failed"
    OUT_OF_KEY = "no authentication key left"
    PEER = "given up by the peer"


@dataclass(frozen=True, slots=True)
class Ledger:
    """The account.

    Parameters
    ----------
    block
        Number of the block.
    proof
        The proof and how its length is fixed.
    pulses, detected
        Pulses sent and clicks announced.
    key_bits, test_bits, test_errors, key_errors
        Sifted bits of the two bases and the wrong ones among them; errors are -1 while unknown.
    disclosed_alice, disclosed_bob
        Key-dependent bits each side has said, counted by the channel [bit].
    leak
        What of these counts, with the verification tag [bit].
    authentication_bits
        Authentication key spent [bit].
    bounds
        What the proof found.
    length
        Bits of the secret key before the refill of the authentication pool; 0 for a block given up [bit].
    refill_bits
        Bits of it that went to authentication [bit].
    epsilon_secrecy, epsilon_correctness, epsilon_authentication
        Failure probabilities; the last one holds what the pool inherited from earlier blocks.
    assumptions
        What all of it rests on.
    finished
        The latest earlier block that Alice finished, or -1; later ones of Bob's are void.
    simulated
        Whether the clicks came out of a generator.
    """

    block: int
    proof: str
    pulses: int
    detected: int
    key_bits: int
    test_bits: int
    test_errors: int
    key_errors: int
    disclosed_alice: int
    disclosed_bob: int
    leak: int
    authentication_bits: int
    bounds: Bounds
    length: int
    refill_bits: int
    epsilon_secrecy: float
    epsilon_correctness: float
    epsilon_authentication: float
    assumptions: tuple[Assumption, ...]
    finished: int
    simulated: bool

    @property
    def epsilon(self) -> float:
        """Probability that anything at all is wrong with the key."""
        return self.epsilon_secrecy + self.epsilon_correctness + self.epsilon_authentication

    def as_dict(self) -> dict[str, Any]:
        """Return the account as plain data, ready for JSON."""
        return asdict(self) | {"epsilon": self.epsilon, "assumptions": [str(text) for text in self.assumptions]}


@dataclass(frozen=True, slots=True)
class Block:
    """A finished block.

    Parameters
    ----------
    key
        The secret, after the refill of the authentication pool.
    ledger
        Its account.
    """

    key: SecretBits
    ledger: Ledger


@dataclass(frozen=True, slots=True)
class Rejected:
    """A block that was given up; nothing of it is used.

    Parameters
    ----------
    reason, detail
        Why, for a program and for a person.
    ledger
        Its account up to there.
    """

    reason: Reason
    detail: str
    ledger: Ledger
