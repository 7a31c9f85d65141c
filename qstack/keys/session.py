"""Blocks from beginning to end: two ends, a wire between them, keys and their accounts out of it.

    link = Link.between("alice", "bob", terms, preshared)
    outcome = link.run_block(bb84.sample(setup, pulses, seed))
    outcome.key.take(256), outcome.ledger

The wire is a function, so that a test can put a man in the middle of it.  A host with a real wire uses `Alice` and
`Bob` directly.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from qstack.core.errors import ConfigError
from qstack.keys.alice import Alice, Entropy
from qstack.keys.authentication import Backoff, KeyPool
from qstack.keys.bob import Bob
from qstack.keys.channel import Side
from qstack.keys.end import End, Party
from qstack.keys.ledger import Block, Rejected
from qstack.keys.reconcile.cascade import VARIANTS, Cascade
from qstack.keys.reconcile.ldpc import Ldpc
from qstack.keys.reconcile.strategy import Maker, Reconciler
from qstack.keys.records import Experiment
from qstack.keys.secret import Secret
from qstack.keys.terms import Terms

STRATEGIES: dict[str, Callable[[], Reconciler]] = {
    **{f"cascade-{name}": partial(Cascade, name) for name in VARIANTS},
    "ldpc": Ldpc,
}


class Wire(Protocol):
    """What happens to a message between the ends."""

    def __call__(self, speaker: Side, data: bytes) -> list[tuple[Side, bytes]]:
        """Return what arrives: pairs of the side that hears it and the bytes."""
        ...


def straight(speaker: Side, data: bytes) -> list[tuple[Side, bytes]]:
    """Deliver every message as it was sent."""
    return [(Side(1 - speaker), data)]


def exchange(alice: Alice, bob: Bob, wire: Wire = straight) -> tuple[Block | Rejected | None, Block | Rejected | None]:
    """Run two ends until nothing is on the wire.

    Returns
    -------
    tuple
        The outcomes of Alice and Bob; None for an end that still waits for a message that was lost.
    """
    ends: tuple[End, End] = (alice, bob)
    flying = deque((Side.ALICE, data) for data in alice.start())
    while flying:
        speaker, sent = flying.popleft()
        for hearer, data in wire(speaker, sent):
            end = ends[hearer]
            if end.outcome is None:
                flying.extend((hearer, answer) for answer in end.receive(data))
    return alice.outcome, bob.outcome


def reconciler(name: str) -> Reconciler:
    """Return a built-in strategy.

    Raises
    ------
    ConfigError
        When there is none of this name.
    """
    if name not in STRATEGIES:
        raise ConfigError(f"reconciliation {name!r} is unknown; there are {', '.join(STRATEGIES)}")
    return STRATEGIES[name]()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a block ended at both ends.

    Parameters
    ----------
    alice, bob
        A block, why it was given up, or None for an end that a lost message left waiting.
    """

    alice: Block | Rejected | None
    bob: Block | Rejected | None

    @property
    def accepted(self) -> bool:
        """Whether both ends hold the key."""
        return isinstance(self.alice, Block) and isinstance(self.bob, Block)


class Link:
    """Two parties in one process that make block after block.

    Parameters
    ----------
    alice, bob
        The parties, each with a pool of its own that holds the same secret.
    entropy
        Source of Alice's hash points and seeds.
    wire
        What happens to the messages.

    Attributes
    ----------
    number
        Number of the next block.
    finished
        The last block that Alice finished, or -1.
    backoff
        How long to wait before the next block.
    """

    def __init__(self, alice: Party, bob: Party, entropy: Entropy = os.urandom, wire: Wire = straight) -> None:
        self.alice, self.bob, self.wire = alice, bob, wire
        self.number, self.finished = 0, -1
        self.backoff = Backoff()
        self._entropy = entropy

    @classmethod
    def between(
        cls,
        alice: str,
        bob: str,
        terms: Terms,
        preshared: Secret,
        entropy: Entropy = os.urandom,
        scheme: Maker | None = None,
    ) -> Link:
        """Return a link between two names that share terms and a first secret.

        Parameters
        ----------
        alice, bob
            The names.
        terms, preshared
            What they share.
        entropy
            Source of Alice's public randomness.
        scheme
            Makes the strategy that the terms name; None takes the built-in one of that name.

        Raises
        ------
        ConfigError
            When the strategy is unknown or the secret too short.
        """

        def party(me: str, peer: str) -> Party:
            strategy = scheme() if scheme else reconciler(terms.reconciliation)
            return Party(me, peer, terms, strategy, KeyPool(preshared))

        return cls(party(alice, bob), party(bob, alice), entropy)

    def run_block(self, experiment: Experiment) -> Outcome:
        """Turn what the hardware wrote down into a key at both ends, or into the reason why not."""
        alice = Alice(
            self.alice,
            experiment.alice,
            self.number,
            self._entropy,
            finished=self.finished,
            simulated=experiment.simulated,
        )
        bob = Bob(self.bob, experiment.bob, last=self.number - 1, simulated=experiment.simulated)
        outcome = Outcome(*exchange(alice, bob, self.wire))
        if isinstance(outcome.alice, Block):
            self.finished = self.number
        self.backoff.record(accepted=outcome.accepted)
        self.number += 1
        return outcome


def run_block(experiment: Experiment, terms: Terms, preshared: Secret, entropy: Entropy = os.urandom) -> Outcome:
    """Make one block of keys: `Link.run_block` for those who need no second one.

    Parameters
    ----------
    experiment
        What the hardware of both ends wrote down.
    terms
        The agreement.
    preshared
        First secret, at least 48 bytes.
    entropy
        Source of public randomness.
    """
    return Link.between("alice", "bob", terms, preshared, entropy).run_block(experiment)
