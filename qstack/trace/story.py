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
    by_id = {record["id"]: record for record in records}
    arrivals = {(r["node"], r["fields"]["qubit"]): r["id"] for r in records if r["noun"] == "Ok"}
    wanted: list[int | None] = [
        record["id"]
        for record in records
        if record["noun"] == "Consumed" and record["fields"]["pair"] == pair and record["fields"]["flow"] == flow
    ]
    told: set[int] = set()
    while wanted:
        identifier = wanted.pop()
        if identifier is None or identifier in told or identifier not in by_id:
            continue
        told.add(identifier)
        record = by_id[identifier]
        wanted.append(record["cause"])
        qubits = (record["fields"][name] for name in JOINS.get(record["noun"], ()))
        wanted.extend(arrivals.get((record["node"], qubit)) for qubit in qubits)
    return [record for record in records if record["id"] in told]


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
