"""What the socket host knows of another node."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field

from qstack.core.nouns import Message
from qstack.hosts.ports import Line


@dataclass(slots=True)
class Neighbour:
    """What the host knows of another node.

    Attributes
    ----------
    line
        The direction to it, while it is open.
    incarnation
        Of its last introduction; 0 if there was none.
    sent, expected
        Number of the next message to it and from it on the present connections.
    told_lost
        Whether the layers believe that it is lost.
    met
        Whether there has ever been a connection to it.
    """

    line: Line | None = None
    incarnation: int = 0
    sent: int = 0
    expected: int = 0
    told_lost: bool = True
    met: asyncio.Event = field(default_factory=asyncio.Event)
    backlog: deque[Message] = field(default_factory=deque)
