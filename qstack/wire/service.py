"""The link service as bytes: what crosses the service access point between network and link layer of one node.

The layouts are those of draft-dahlberg-ll-quantum-03, without a common header.  Extensions stand in bits that the draft
leaves unused: the Bell index in the OKs, type R and a preferred Bell index in CREATE, two error codes, and RECV and
STOP_RECV.  Bits that stay unused are sent as 0 and ignored (QS-L2-025).  TPE is 0 for K and 1 for M.  The draft gives no
unit for the time of goodness; the number is passed on as it is.
"""

from __future__ import annotations

from qstack.core.errors import WireError
from qstack.core.nouns import Indication, Noun, Request, noun
from qstack.wire.codec import bare, decode_as
from qstack.wire.kinds import (
    BASIS,
    BELL,
    BIT,
    DRAFT_TIME,
    FIDELITY_DOWN,
    FIDELITY_UP,
    FLAG,
    MAYBE_BELL,
    NODE,
    PAIR,
    POSITIVE,
    REASONS,
    enumeration,
)
from qstack.wire.layout import Field, Fixed, Kind, Reserved

KEEP, MEASURE, PREPARE = 0, 1, 3
"""Types K, M and R: TPE is bit 0, the extension R is bit 1."""

TYPE = enumeration("type of request", {KEEP: "K", MEASURE: "M", PREPARE: "R"})
CHOICE = enumeration("choice of bases", {0: "none", 1: "XZ", 2: "XYZ", 3: "CHSH"})
ERROR = enumeration("error", {code: name for code, name in REASONS.items() if 1 <= code <= 8})
ANGLE = Kind("2 pi/256", show=lambda raw: f"{raw} x 2 pi/256")
SHARE = Kind("n/255", show=lambda raw: f"{raw}/255")


@bare(
    "CREATE",
    Field("remote_node", 32, NODE),
    Field("min_fidelity", 16, FIDELITY_UP),
    Field("max_time", 16, DRAFT_TIME),
    Field("purpose", 16),
    Field("number", 16, POSITIVE),
    Field("priority", 3),
    Field("kind", 1, TYPE, "TPE"),
    Field("atomic", 1, FLAG, "ATO"),
    Field("consecutive", 1, FLAG, "CON"),
    Field("local_choice", 2, CHOICE, "RL"),
    Field("remote_choice", 2, CHOICE, "RR"),
    Field("kind", 1, TYPE, "R", low=1),
    Field("wanted_bell", 2, BELL),
    Reserved(3, ignored=True),
    Field("local_share_1", 8, SHARE, "PL1"),
    Field("local_share_2", 8, SHARE, "PL2"),
    Field("remote_share_1", 8, SHARE, "PR1"),
    Field("remote_share_2", 8, SHARE, "PR2"),
    Field("local_x1", 8, ANGLE, "ROTX1L"),
    Field("local_y", 8, ANGLE, "ROTYL"),
    Field("local_x2", 8, ANGLE, "ROTX2L"),
    Field("remote_x1", 8, ANGLE, "ROTX1R"),
    Field("remote_y", 8, ANGLE, "ROTYR"),
    Field("remote_x2", 8, ANGLE, "ROTX2R"),
)
@noun
class LinkCreate(Request):
    """Ask for pairs with a neighbour.

    Parameters
    ----------
    remote_node
        The neighbour.
    min_fidelity
        Least acceptable fidelity.
    max_time
        Time after which the request is given up [ps]; 0 waits for ever.
    purpose
        Purpose id, returned in every OK.
    number
        Pairs wanted.
    priority
        Higher is served earlier.
    kind
        `KEEP`, `MEASURE` or `PREPARE`.
    atomic, consecutive
        Flags of the draft.
    local_choice, remote_choice
        Set of bases to draw from at either end: none, {X, Z}, {X, Y, Z}, or the two of a CHSH test.
    wanted_bell
        Preferred Bell index.
    local_share_1, local_share_2, remote_share_1, remote_share_2
        Probabilities of the first and second basis of a set; the rest falls to the last.
    local_x1, local_y, local_x2, remote_x1, remote_y, remote_x2
        Rotations about X, Y, X before a measurement in Z, where no basis is drawn.
    """

    remote_node: int
    min_fidelity: float
    max_time: int
    purpose: int
    number: int
    priority: int = 0
    kind: int = KEEP
    atomic: bool = False
    consecutive: bool = False
    local_choice: int = 0
    remote_choice: int = 0
    wanted_bell: int = 0
    local_share_1: int = 0
    local_share_2: int = 0
    remote_share_1: int = 0
    remote_share_2: int = 0
    local_x1: int = 0
    local_y: int = 0
    local_x2: int = 0
    remote_x1: int = 0
    remote_y: int = 0
    remote_x2: int = 0


@bare("ACK", Fixed("type", 4, 1), Field("create_id", 16), Reserved(12, ignored=True))
@noun
class LinkAck(Indication):
    """The request was accepted under this number.

    Parameters
    ----------
    create_id
        The number.
    """

    create_id: int


@bare(
    "OK_K",
    Fixed("type", 4, 2),
    Field("create_id", 16),
    Field("qubit", 4, name="LQID"),
    Field("remote", 1, FLAG, "D"),
    Field("bell", 3, MAYBE_BELL, "BV, BELL"),
    Reserved(4, ignored=True),
    Field("sequence", 16, PAIR),
    Field("purpose", 16),
    Field("remote_node", 32, NODE),
    Field("goodness", 16, FIDELITY_DOWN),
    Field("time_of_goodness", 16),
)
@noun
class LinkOkKeep(Indication):
    """A pair is kept.

    Parameters
    ----------
    create_id, remote
        Number of the request; whether the neighbour asked for it.
    qubit
        Logical qubit that holds the local half.
    bell
        Bell index; -1 if not told.
    sequence
        Pair number on this link.
    purpose, remote_node
        Whose pair, with which neighbour.
    goodness, time_of_goodness
        Estimated fidelity, and the time for which it holds (no unit in the draft).
    """

    create_id: int
    qubit: int
    remote: bool
    bell: int
    sequence: int
    purpose: int
    remote_node: int
    goodness: float
    time_of_goodness: int


_MEASURED = (
    Field("create_id", 16),
    Field("outcome", 1, BIT, "M"),
    Field("remote", 1, FLAG, "D"),
    Field("basis", 3, BASIS),
    Field("bell", 3, MAYBE_BELL, "BV, BELL"),
    Reserved(4, ignored=True),
    Field("sequence", 16, PAIR),
    Field("purpose", 16),
    Field("remote_node", 32, NODE),
    Field("goodness", 16, FIDELITY_DOWN),
    Reserved(16, ignored=True),
)


@bare("OK_M", Fixed("type", 4, 3), *_MEASURED)
@noun
class LinkOkMeasure(Indication):
    """A pair was measured at once.

    Parameters
    ----------
    create_id, remote
        Number of the request; whether the neighbour asked for it.
    outcome, basis
        Raw bit and basis.
    bell
        Bell index; -1 if not told.
    sequence
        Pair number on this link.
    purpose, remote_node
        Whose pair, with which neighbour.
    goodness
        Estimated fidelity.
    """

    create_id: int
    outcome: int
    remote: bool
    basis: int
    bell: int
    sequence: int
    purpose: int
    remote_node: int
    goodness: float


@bare("OK_R", Fixed("type", 4, 5), *_MEASURED)
@noun
class LinkOkPrepare(LinkOkMeasure):
    """A state was prepared at the neighbour; basis and outcome mean something at the node that asked.

    Parameters
    ----------
    create_id, outcome, remote, basis, bell, sequence, purpose, remote_node, goodness
        As in OK_M.
    """


@bare(
    "ERR",
    Fixed("type", 4, 4),
    Field("create_id", 16),
    Field("error", 4, ERROR),
    Field("ranged", 1, FLAG, "S"),
    Reserved(7, ignored=True),
    Field("low", 16, PAIR),
    Field("high", 16, PAIR),
    Field("origin", 32, NODE),
)
@noun
class LinkErr(Indication):
    """A request failed, or pairs of it are no longer valid.

    Parameters
    ----------
    create_id, origin
        Which request, and the node that asked.
    error
        Why.
    ranged
        Whether only the pairs `low` to before `high` are meant.
    low, high
        First pair number, and the one behind the last.
    """

    create_id: int
    error: int
    ranged: bool
    low: int
    high: int
    origin: int


@bare("RECV", Fixed("type", 4, 8), Reserved(12, ignored=True), Field("purpose", 16), Field("remote_node", 32, NODE))
@noun
class LinkRecv(Request):
    """Accept requests of this neighbour with this purpose.

    Parameters
    ----------
    purpose, remote_node
        Which ones.
    """

    purpose: int
    remote_node: int


@bare(
    "STOP_RECV", Fixed("type", 4, 9), Reserved(12, ignored=True), Field("purpose", 16), Field("remote_node", 32, NODE)
)
@noun
class LinkStopRecv(Request):
    """Accept them no longer.

    Parameters
    ----------
    purpose, remote_node
        Which ones.
    """

    purpose: int
    remote_node: int


LINK, NETWORK, TRANSPORT, APPLICATION = range(1, 5)
"""Service access points."""


@bare(
    "SAP",
    Fixed("version", 4, 1),
    Field(
        "point",
        4,
        enumeration(
            "access point", {LINK: "link", NETWORK: "network", TRANSPORT: "transport", APPLICATION: "application"}
        ),
    ),
    Field("up", 1, FLAG, "dir"),
    Reserved(7),
    Field("node", 16, NODE),
)
@noun
class AccessPoint(Noun):
    """What stands before service bytes in a capture file.

    Parameters
    ----------
    point
        Service access point.
    up
        False for a request, True for an indication.
    node
        Where.
    """

    point: int
    up: bool
    node: int


_UP: dict[int, type[Noun]] = {1: LinkAck, 2: LinkOkKeep, 3: LinkOkMeasure, 4: LinkErr, 5: LinkOkPrepare}
_DOWN: dict[int, type[Noun]] = {8: LinkRecv, 9: LinkStopRecv}


def kind_of(data: bytes, *, up: bool) -> type[Noun]:
    """Return which service message these bytes are; downwards 24 bytes are a CREATE, which has no type.

    Parameters
    ----------
    data
        One message.
    up
        Whether it is an indication.

    Raises
    ------
    WireError
        If there is no such type.
    """
    if not up and len(data) != 8:
        return LinkCreate
    if not data:
        raise WireError("a service message has at least 4 bytes, here are none")
    table = _UP if up else _DOWN
    cls = table.get(data[0] >> 4)
    if cls is None:
        raise WireError(
            f"no service message {'up' if up else 'down'} has type {data[0] >> 4}; known are {sorted(table)}"
        )
    return cls


def decode_service(data: bytes, *, up: bool) -> Noun:
    """Return the service message that these bytes are.  Parameters as in `kind_of`.

    Raises
    ------
    WireError
        If they are none.
    """
    return decode_as(kind_of(data, up=up), data)
