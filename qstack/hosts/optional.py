"""Nouns that may go unheard: a node whose layers or device do not know them lets them fall with a note (QS-CV-400).

Each only tells or offers something.  Who sends one gets on without an answer, and says so where its layer is specified; a
noun on which something waits is none of them, because it would wait for ever (QS-CV-004).
"""

from __future__ import annotations

from qstack.core.layer import Context, Outputs
from qstack.core.nouns import Note, Noun
from qstack.services.device import AskRoom, Spoiled
from qstack.services.l2_link import Receive, StopReceive
from qstack.services.l3_network import Rerouted
from qstack.wire.link import Hello, LinkTest, MemAck, MemReq
from qstack.wire.network import CircuitTest
from qstack.wire.transport import FidelityReport

MESSAGES: tuple[type[Noun], ...] = (Hello, MemReq, MemAck, LinkTest, CircuitTest, FidelityReport)
"""What a peer says: greetings, words about memories, and bits and counts of test rounds."""

REQUESTS: tuple[type[Noun], ...] = (AskRoom, Receive, StopReceive)
"""What a layer asks of the one below it, or of the device."""

INDICATIONS: tuple[type[Noun], ...] = (Spoiled, Rerouted)
"""What is told of something that changed: a layer that does not know of lost halves keeps them until it lets them go."""


def unheard(noun: Noun, context: Context) -> Outputs:
    """Let a noun fall that no layer knows."""
    return (Note(f"unheard: {noun!r}"),)


EFFECTS = dict.fromkeys((*MESSAGES, *REQUESTS, *INDICATIONS), unheard)
"""The part of a host's table for them; what a layer or a device handles goes there instead."""
