"""Planes 2 and 3: what network layers say to each other (circuits and their pairs)."""

from __future__ import annotations

from qstack.core.nouns import Message, noun


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
    """

    circuit: int
    session: int
    path: tuple[int, ...]
    fidelities: tuple[float, ...]
    label: int
    cutoff: int


@noun
class SetupRsp(Message):
    """The tail has accepted; every node on the way back holds its entry."""

    circuit: int


@noun
class Reject(Message):
    """A node refuses the circuit; the nodes on the way back forget it."""

    circuit: int
    host: int
    reason: int


@noun
class Teardown(Message):
    """Forget the circuit and pass this on."""

    circuit: int
    reason: int


@noun
class Forward(Message):
    """Start making pairs for a circuit; travels from head to tail.  Number 0 means until told otherwise."""

    circuit: int
    number: int


@noun
class Complete(Message):
    """The request is fulfilled: stop making pairs; travels from head to tail."""

    circuit: int


@noun
class Track(Message):
    """Follow a pair through the swaps, from one end of the circuit to the other.

    Parameters
    ----------
    circuit
        Whose pair.
    origin, origin_pair
        The end that sent this, and its pair number on its own link.
    link_pair
        Pair number on the link over which this message travels.
    bell
        Bell index so far.
    epoch
        Number of the request slot at the head; 0 from the tail.
    estimate
        Fidelity believed so far, in units of 1/65535, rounded down.
    """

    circuit: int
    origin: int
    origin_pair: int
    link_pair: int
    bell: int
    epoch: int
    estimate: int


@noun
class Expire(Message):
    """The pair that this origin tracks does not exist any more; travels back to the origin."""

    circuit: int
    origin: int
    origin_pair: int
    reason: int
