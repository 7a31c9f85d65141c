"""Why something was refused or ended: every reason exists on the wire.

Codes 1 to 6 are those of the link-layer draft, 7 and 8 fill free codes of its field; network reasons start at 16.
"""

from __future__ import annotations

from enum import IntEnum


class Reason(IntEnum):
    """Reasons of errors, rejections and expiries."""

    NONE = 0
    UNSUPP = 1  # can never be met: fidelity, storage or time
    CREATE = 2  # the request itself is malformed
    REJECTED = 3  # refused, here or by the peer
    OTHER = 4
    EXPIRE = 5  # pairs already announced are no longer valid
    TIMEOUT = 6  # not completed within its maximum time
    NOTIME = 7  # queue agreement timed out
    NORES = 8  # no resources
    CUTOFF = 16  # a half waited longer than the cutoff
    TORN_DOWN = 17  # the circuit was torn down
    NO_ROUTE = 18  # no path, or none at the wanted fidelity
    UNWANTED = 19  # more pairs than were asked for
    LOST_PEER = 20  # a neighbour does not answer
    SWAP_FAILED = 21  # a Bell measurement has announced nothing
    REROUTED = 22  # the circuit gives way to one over another path
