"""Plane 3: what nodes say to each other to install and remove circuits.

Messages of this plane ride on a reliable ordered channel per hop.
"""

from __future__ import annotations

from qstack.core.nouns import Message, noun
from qstack.wire.codec import MANDATORY, Plane, pdu
from qstack.wire.kinds import FIDELITY_UP, NANOSECONDS_UP, NODE, PICOSECONDS, REASON
from qstack.wire.layout import Field, List, Reserved


@pdu(
    "SETUP_REQ",
    Plane.SIGNALLING,
    1,
    Field("circuit", 32),
    Field("session", 32),
    Field("label", 16),
    Field("priority", 3),
    Reserved(13),
    Field("cutoff", 64, PICOSECONDS),
    List("path", MANDATORY | 2, 32, NODE),
    List("fidelities", MANDATORY | 3, 16, FIDELITY_UP),
)
@noun
class SetupReq(Message):
    """Install a circuit at the receiver and at every node after it.

    Parameters
    ----------
    circuit
        Number of the circuit, unique in the network: head << 16 | counter of the head.
    session
        Whose circuit.
    path
        Node numbers from head to tail.
    fidelities
        Least fidelity asked of each link of the path.
    label
        Purpose id of the circuit on the link from sender to receiver, chosen by the sender.
    cutoff
        How long a half may wait at an intermediate node [ps]; 0 for ever.
    priority
        What every node asks its link with; higher is served earlier.
    """

    circuit: int
    session: int
    path: tuple[int, ...]
    fidelities: tuple[float, ...]
    label: int
    cutoff: int
    priority: int = 0


@pdu("SETUP_RSP", Plane.SIGNALLING, 2, Field("circuit", 32))
@noun
class SetupRsp(Message):
    """The tail has accepted; every node on the way back holds its entry.

    Parameters
    ----------
    circuit
        Which one.
    """

    circuit: int


@pdu(
    "REJECT",
    Plane.SIGNALLING,
    3,
    Field("circuit", 32),
    Field("host", 32, NODE),
    Field("reason", 8, REASON),
    Reserved(24),
    Field("next_available", 64, NANOSECONDS_UP),
)
@noun
class Reject(Message):
    """A node refuses the circuit; the nodes on the way back forget it.

    Parameters
    ----------
    circuit
        Which one.
    host, reason
        Who refuses, and why.
    next_available
        When it may be worth asking again [ps, a multiple of 1000]; 0 unknown.
    """

    circuit: int
    host: int
    reason: int
    next_available: int = 0


@pdu("TEARDOWN", Plane.SIGNALLING, 4, Field("circuit", 32), Field("reason", 8, REASON), Reserved(24))
@noun
class Teardown(Message):
    """Forget the circuit and pass this on.

    Parameters
    ----------
    circuit
        Which one.
    reason
        Why.
    """

    circuit: int
    reason: int
