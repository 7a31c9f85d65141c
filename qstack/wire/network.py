"""Plane 2: what network layers say to each other about the pairs of a circuit (after the quantum network protocol).

Messages of this plane ride on a reliable ordered channel per hop, except `Keepalive`, which watches that channel.

An epoch has 24 bits everywhere: FORWARD keeps it in the 8 bits that it always had and in the 16 reserved bits behind
the least fidelity as their upper part; TRACK keeps it in the lower 24 bits of its 32, and the member of the epoch in the
others.  Epochs compare as serial numbers modulo 2**24.
"""

from __future__ import annotations

from qstack.core.nouns import Message, noun
from qstack.wire.codec import Plane, pdu
from qstack.wire.kinds import (
    BASIS,
    BELL,
    BIT,
    ESTIMATE,
    FIDELITY_UP,
    FLAG,
    MILLIHERTZ,
    NODE,
    PAIR,
    REASON,
    enumeration,
)
from qstack.wire.layout import Field, Reserved
from qstack.wire.signalling import Reject, SetupReq, SetupRsp, Teardown

__all__ = [
    "EARLY",
    "KEEP",
    "MEASURE",
    "PREPARE",
    "CircuitTest",
    "Complete",
    "Expire",
    "Forward",
    "Keepalive",
    "Reject",
    "SetupReq",
    "SetupRsp",
    "Teardown",
    "Track",
]

KEEP, MEASURE, PREPARE, EARLY = range(4)
"""Kinds of requests on a circuit."""


@pdu(
    "FORWARD",
    Plane.NETWORK,
    1,
    Field("circuit", 32),
    Field("request", 32),
    Field("head", 32, NODE),
    Field("tail", 32, NODE),
    Field("kind", 4, enumeration("kind of request", {KEEP: "K", MEASURE: "M", PREPARE: "R", EARLY: "EARLY"})),
    Field("basis", 2, enumeration("basis", {0: "Z", 1: "X", 2: "Y"})),
    Field("bell", 2, BELL),
    Field("epoch", 8, name="epoch (low)"),
    Field("number", 16),
    Field("min_fidelity", 16, FIDELITY_UP),
    Field("epoch", 16, name="epoch (high)", low=8),
    Field("rate", 32, MILLIHERTZ),
)
@noun
class Forward(Message):
    """Start making pairs for a circuit; travels from head to tail.  Number 0 means until told otherwise.

    Parameters
    ----------
    circuit
        Whose pairs.
    number
        How many.
    request
        Number of the request at the head.
    head, tail
        Ends of the circuit.
    kind
        `KEEP`, `MEASURE`, `PREPARE`, or `EARLY` delivery before the TRACK has come.
    basis
        Basis of a request that measures.
    bell
        Bell index that the pairs shall be brought to.
    epoch
        Number of the set of active requests that begins with this one.
    min_fidelity
        Promise about the mean fidelity of the delivered pairs.
    rate
        Pairs per 1000 seconds that the head will take; 0 unlimited.
    """

    circuit: int
    number: int
    request: int = 0
    head: int = 0
    tail: int = 0
    kind: int = KEEP
    basis: int = 0
    bell: int = 0
    epoch: int = 0
    min_fidelity: float = 0.0
    rate: int = 0


@pdu(
    "COMPLETE",
    Plane.NETWORK,
    2,
    Field("circuit", 32),
    Field("request", 32),
    Field("head", 32, NODE),
    Field("tail", 32, NODE),
    Field("rate", 32, MILLIHERTZ),
)
@noun
class Complete(Message):
    """The request is over: make no more pairs for it; travels from head to tail.

    From tail to head it says that the tail does not want the request any more.

    Parameters
    ----------
    circuit
        Whose pairs.
    request
        Number of the request at the head.
    head, tail
        Ends of the circuit.
    rate
        Pairs per 1000 seconds that the remaining requests take.
    """

    circuit: int
    request: int = 0
    head: int = 0
    tail: int = 0
    rate: int = 0


@pdu(
    "TRACK",
    Plane.NETWORK,
    3,
    Field("circuit", 32),
    Field("request", 32),
    Field("origin", 32, NODE),
    Field("origin_pair", 16, PAIR),
    Field("estimate", 16, ESTIMATE),
    Field("link_node", 32, NODE),
    Field("link_pair", 16, PAIR),
    Field("bell", 2, BELL),
    Field("test", 1, FLAG),
    Reserved(13),
    Field("member", 8),
    Field("epoch", 24),
)
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
    epoch, member
        From the head: number of the set of active requests, as FORWARD gave it, and place of this pair's request in it,
        in the order of their FORWARDs.  The tail sends the newest epoch that it knows, and 0.
    estimate
        Fidelity believed so far, in units of 1/65535, rounded down.
    request
        Which of the wanted pairs this is, counted by the head from 0; the tail sends 0.
    link_node
        The node that sends this over the link of `link_pair`; 0 if it does not say.
    test
        From the head: both ends measure this pair, in the basis number `request` modulo 3 of Z, X and Y.
    """

    circuit: int
    origin: int
    origin_pair: int
    link_pair: int
    bell: int
    epoch: int
    estimate: int
    request: int = 0
    link_node: int = 0
    member: int = 0
    test: bool = False


@pdu(
    "EXPIRE",
    Plane.NETWORK,
    4,
    Field("circuit", 32),
    Field("origin", 32, NODE),
    Field("origin_pair", 16, PAIR),
    Field("reason", 8, REASON),
    Reserved(8),
)
@noun
class Expire(Message):
    """The pair that this origin tracks does not exist any more.

    It travels to the origin when a TRACK finds its pair gone, and from the origin to the other end when the origin has
    lost or given up its half; every node passes it on in the direction in which it came.

    Parameters
    ----------
    circuit
        Whose pair.
    origin, origin_pair
        The end that sent the TRACK, and its pair number on its own link.
    reason
        Why the pair is gone.
    """

    circuit: int
    origin: int
    origin_pair: int
    reason: int


@pdu(
    "TEST",
    Plane.NETWORK,
    5,
    Field("circuit", 32),
    Field("origin", 32, NODE),
    Field("origin_pair", 16, PAIR),
    Field("basis", 3, BASIS),
    Field("outcome", 1, BIT),
    Reserved(12),
)
@noun
class CircuitTest(Message):
    """The sender has measured this pair of the circuit to estimate its fidelity.

    Parameters
    ----------
    circuit
        Whose pair.
    origin, origin_pair
        The end that numbers the pair, and the number.
    basis, outcome
        What the sender measured, and its raw bit.
    """

    circuit: int
    origin: int
    origin_pair: int
    basis: int
    outcome: int


@pdu("KEEPALIVE", Plane.NETWORK, 6, Field("node", 32, NODE), Field("incarnation", 32))
@noun
class Keepalive(Message):
    """The sender is alive; also the first message on a new connection.

    Parameters
    ----------
    node
        The sender.
    incarnation
        A number that the sender chooses anew at each start: when it changes, everything agreed before is void, and the
        sender counts its messages from 0 again.
    """

    node: int
    incarnation: int
