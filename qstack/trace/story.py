"""The story of one pair: every record that its delivery goes back to, from the request down to the attempts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Record = Mapping[str, Any]
JOINS: Mapping[str, tuple[str, ...]] = {"Swap": ("left", "right"), "Distil": ("keep", "spare"), "Pair": ("qubit",)}
"""What goes back to the arrival of qubits beside its cause, and the fields that name them."""


def flows_of(records: Iterable[Record]) -> dict[int, set[int]]:
    """Return the numbers of the consumed pairs by flow."""
    found: dict[int, set[int]] = {}
    for record in records:
        if record["noun"] == "Consumed":
            found.setdefault(record["fields"]["flow"], set()).add(record["fields"]["pair"])
    return found


def story(records: Sequence[Record], pair: int, flow: int) -> list[Record]:
    """Return what the consumption of a pair at both ends goes back to, in order of time.

    Parameters
    ----------
    records
        The whole trace.
    pair, flow
        Numbers of the pair and of its flow.
    """
    roots = _Roots(records)
    wanted = [
        record["id"]
        for record in records
        if record["noun"] == "Consumed" and record["fields"]["pair"] == pair and record["fields"]["flow"] == flow
    ]
    told: set[int] = set()
    while wanted:
        identifier = wanted.pop()
        if identifier not in told and identifier in roots.by_id:
            told.add(identifier)
            wanted.extend(roots.of(roots.by_id[identifier]))
    return [record for record in records if record["id"] in told]


class _Roots:
    """What a record goes back to: its cause, the arrival of the qubits it names, and for a TRACK the swap it is about.

    A swap waits for no message and causes none: the TRACK that comes by later finds its outcome.  The two belong
    together by the number of the link pair, which both ends of a link know.
    """

    def __init__(self, records: Sequence[Record]) -> None:
        self.by_id = {record["id"]: record for record in records}
        self.arrivals: dict[object, int] = {}
        self.swaps: dict[object, list[int]] = {}
        self.numbers: dict[str, int] = {}
        self.pairs: dict[object, list[Record]] = {}
        for record in records:
            self._note(record, record["node"], record["fields"])

    def _note(self, record: Record, node: str, fields: Mapping[str, Any]) -> None:
        noun = record["noun"]
        if noun == "Ok":
            self.arrivals[node, fields["qubit"]] = record["id"]
            self.pairs.setdefault((node, fields["peer"], fields["sequence"]), []).append(record)
        elif noun in {"Swap", "Swapped"}:
            for name in ("left", "right"):
                self.swaps.setdefault((node, fields[name]), []).append(record["id"])
        elif record["direction"] == "in" and record["cause"] in self.by_id:
            self.numbers[node] = self.by_id[record["cause"]]["fields"]["peer"]

    def of(self, record: Record) -> list[int]:
        """Return the records that this one goes back to."""
        node, fields = record["node"], record["fields"]
        found = [] if record["cause"] is None else [record["cause"]]
        places = [(node, fields[name]) for name in JOINS.get(record["noun"], ())]
        if record["noun"] == "Track" and record["direction"] == "in":
            places = [(node, self._qubit(record))]
            found += self.swaps.get(places[0], ())
        return found + [self.arrivals[place] for place in places if place in self.arrivals]

    def _qubit(self, track: Record) -> int | None:
        """Return the qubit at this node that held half of the link pair over which a TRACK came."""
        place = (track["node"], self.numbers.get(track["from"]), track["fields"]["link_pair"])
        before = [ok for ok in self.pairs.get(place, ()) if ok["id"] < track["id"]]
        return before[-1]["fields"]["qubit"] if before else None


def line(record: Record) -> str:
    """Write a record as one line: time, node, walls crossed, noun and fields."""
    microseconds = int(record["time_ps"]) / 1e6
    walls = f"{record['from']} > {record['to']}"
    noun = record["noun"]
    fields = record["fields"]
    if noun == "Send":
        message = dict(fields["message"])
        noun, fields = f"Send {message.pop('noun')}", {"peer": fields["peer"], **message}
    inside = ", ".join(f"{name}={_short(value)}" for name, value in fields.items())
    return f"{microseconds:>14.3f} us  {record['node']:<12} {walls:<26} {noun}({inside})"


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
