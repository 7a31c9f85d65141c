"""What numbers on the wire mean: fidelities, times, Bell indices, reasons.

Rounding never overclaims: a requested minimum is rounded up, an estimate down; a deadline is rounded down, a time
before which nothing is promised is rounded up.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import index

from qstack.wire.layout import Kind

UNIT = 65535
"""A fidelity travels as n/65535 (draft-dahlberg-ll-quantum-03)."""

UNASSIGNED = -1
"""Queue id that the master has not given yet; on the wire queue 15, number 255."""

REASONS = {
    0: "NONE",
    1: "UNSUPP",
    2: "CREATE",
    3: "REJECTED",
    4: "OTHER",
    5: "EXPIRE",
    6: "TIMEOUT",
    7: "NOTIME",
    8: "NORES",
    16: "CUTOFF",
    17: "TORN_DOWN",
    18: "NO_ROUTE",
    19: "UNWANTED",
    20: "LOST_PEER",
    21: "SWAP_FAILED",
    22: "REROUTED",
}
"""Codes of `qstack.services.reasons.Reason`, which this package must not import; a test holds them together."""


def enumeration(what: str, names: Mapping[int, str]) -> Kind:
    """Return the kind of a number that must be one of those named."""

    def known(value: int) -> int:
        if value not in names:
            allowed = ", ".join(f"{number} {name}" for number, name in names.items())
            raise ValueError(f"{value} is no {what}; known are {allowed}")
        return index(value)

    return Kind(what, known, known, lambda raw: f"{raw} {names.get(raw, '(unknown)')}", names)


def fidelity_up(value: float) -> int:
    """Return the smallest n with n/65535 not below a fidelity.

    Raises
    ------
    ValueError
        If the value is no fidelity.
    """
    n = fidelity_down(value)
    return n if n / UNIT >= value else n + 1


def fidelity_down(value: float) -> int:
    """Return the largest n with n/65535 not above a fidelity.

    Raises
    ------
    ValueError
        If the value is no fidelity.
    """
    if not 0 <= value <= 1:  # false for NaN too
        raise ValueError("a fidelity is 0 to 1")
    n = int(value * UNIT)  # the product is rounded, so its integer part may be one too large or too small
    while n / UNIT > value:
        n -= 1
    while n < UNIT and (n + 1) / UNIT <= value:
        n += 1
    return n


def _fraction(raw: int) -> float:
    return raw / UNIT


def _show_fidelity(raw: int) -> str:
    return f"{raw / UNIT:.6f} ({raw}/{UNIT})"


FIDELITY_UP = Kind("n/65535, rounded up", fidelity_up, _fraction, _show_fidelity)
FIDELITY_DOWN = Kind("n/65535, rounded down", fidelity_down, _fraction, _show_fidelity)
ESTIMATE = Kind("n/65535, rounded down by the sender", show=_show_fidelity)

PICOSECONDS = Kind("ps", show=lambda raw: f"{raw} ps")
NANOSECONDS_UP = Kind("ns, rounded up", lambda t: -(-index(t) // 1000), lambda raw: raw * 1000, lambda r: f"{r} ns")
CYCLES = Kind("attempt cycles", show=lambda raw: f"{raw} cycles")
MILLIHERTZ = Kind("mHz", show=lambda raw: f"{raw} mHz")
NODE = Kind("node", show=lambda raw: f"node {raw}")
PAIR = Kind("pair number", show=lambda raw: f"pair {raw}")


def _millihertz(rate: float) -> int:
    if not 0 <= rate <= FASTEST:  # false for NaN too
        raise ValueError(f"a rate is 0 to {FASTEST:.3f} Hz")
    return round(rate * 1000)


FASTEST = ((1 << 32) - 1) / 1000
HERTZ = Kind("mHz", _millihertz, lambda raw: raw / 1000, lambda raw: f"{raw / 1000:g} Hz")


def _positive(raw: int) -> int:
    if raw == 0:
        raise ValueError("must be at least 1")
    return index(raw)


POSITIVE = Kind("at least 1", _positive, _positive)

FLAG = Kind("flag", lambda value: int(bool(value)), bool)
BELL = enumeration("Bell index", {0: "Phi+", 1: "Phi-", 2: "Psi+", 3: "Psi-"})
BASIS = enumeration("basis", {0: "Z", 1: "X", 2: "Y", 3: "Z+pi/4", 4: "Z-pi/4"})
BIT = enumeration("outcome", {0: "0", 1: "1"})
REASON = enumeration("reason", REASONS)


def _aid(value: int) -> int:
    number = index(value)
    if number == UNASSIGNED:
        return 0xFFF
    if not 0 <= number < 0xF00:
        raise ValueError("a queue id is 0 to 3839 (queues 0 to 14), or -1 for unassigned")
    return number


def _from_aid(raw: int) -> int:
    if raw == 0xFFF:
        return UNASSIGNED
    if raw >= 0xF00:
        raise ValueError(f"queue 15 holds nothing but 255, which means unassigned; here is {raw & 0xFF}")
    return raw


AID = Kind("queue 0 to 14 and number in it; 15 and 255: unassigned", _aid, _from_aid)

BASES_MOST = 8


def _bases(value: tuple[int, ...]) -> int:
    if len(value) > BASES_MOST:
        raise ValueError(f"at most {BASES_MOST} bases have room")
    number = len(value)
    for basis in value:
        number = number << 3 | BASIS.encode(basis)
    return number << 3 * (BASES_MOST - len(value))


def _from_bases(raw: int) -> tuple[int, ...]:
    count = raw >> 3 * BASES_MOST
    if count > BASES_MOST:
        raise ValueError(f"{count} bases, but at most {BASES_MOST} have room")
    unused = 3 * (BASES_MOST - count)
    if raw & (1 << unused) - 1:
        raise ValueError(f"places behind the {count} bases must be 0")
    found = tuple(raw >> 3 * (BASES_MOST - 1 - i) & 7 for i in range(count))
    for basis in found:
        if basis not in BASIS.values:
            raise ValueError(f"{basis} is no basis")
    return found


def _show_bases(raw: int) -> str:
    places = [raw >> 3 * (BASES_MOST - 1 - i) & 7 for i in range(min(raw >> 3 * BASES_MOST, BASES_MOST))]
    return f"{len(places)}: " + " ".join(BASIS.values.get(b, "?") for b in places) if places else "none"


BASES = Kind("count 4, then eight places of 3 bits", _bases, _from_bases, _show_bases)

_DRAFT_UNITS = ((0, 10**6, "us"), (1, 10**9, "ms"), (2, 10**12, "s"))
_DRAFT_MOST = (1 << 14) - 1


def _draft_time(value: int) -> int:
    """Choose the coarsest unit that is exact, else the finest that has room, rounded down."""
    time = index(value)
    if time == 0:
        return 0
    for code, unit, _ in reversed(_DRAFT_UNITS):
        if time % unit == 0 and 0 < time // unit <= _DRAFT_MOST:
            return code << 14 | time // unit
    for code, unit, _ in _DRAFT_UNITS:
        if 0 < time // unit <= _DRAFT_MOST:
            return code << 14 | time // unit
    raise ValueError("a maximum time is 0 (for ever), or 1 us to 16383 s")


def _from_draft_time(raw: int) -> int:
    for code, unit, _ in _DRAFT_UNITS:
        if raw >> 14 == code:
            return (raw & _DRAFT_MOST) * unit
    raise ValueError("time unit 3 is unused")


def _show_draft_time(raw: int) -> str:
    names = {code: name for code, _, name in _DRAFT_UNITS}
    return f"{raw & _DRAFT_MOST} {names.get(raw >> 14, '(unknown unit)')}"


DRAFT_TIME = Kind("unit 2 (us, ms, s), count 14, rounded down", _draft_time, _from_draft_time, _show_draft_time)


def _valid_bell(value: int) -> int:
    return 0 if value == -1 else 4 | BELL.encode(value)


def _from_valid_bell(raw: int) -> int:
    return raw & 3 if raw & 4 else -1


MAYBE_BELL = Kind(
    "valid 1, Bell index 2; -1 if not valid",
    _valid_bell,
    _from_valid_bell,
    lambda raw: BELL.show(raw & 3) if raw & 4 else "not told",
)
