"""Trace sinks and their readers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from qstack.core.errors import ConfigError

KEYS = {"id", "cause", "time_ps", "node", "direction", "from", "to", "noun", "fields"}
"""Of a record."""


class JsonLines:
    """One JSON object a line; times are decimal strings of picoseconds, since 2**53 ps is only 2.5 hours.

    Raises
    ------
    ConfigError
        If the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("w", encoding="utf-8", newline="\n")
        except OSError as error:
            raise ConfigError(f"--trace {path}  cannot be written: {error.strerror}.") from error

    def write(self, record: Mapping[str, Any]) -> None:
        """Write one record."""
        self._file.write(json.dumps(record, separators=(",", ":")) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Memory:
    """Keeps the records in a list."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def write(self, record: Mapping[str, Any]) -> None:
        """Keep one record."""
        self.records.append(dict(record))

    def close(self) -> None:
        """Nothing to close."""


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Read a trace of JSON lines.

    Raises
    ------
    ConfigError
        If a line is not a record; the message names the line.
    """
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                yield _record(line, f"{path}:{number}")
    except OSError as error:
        raise ConfigError(f"{path}  cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}  is not UTF-8 text.") from error


def _record(line: str, place: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{place}  broken JSON: {error}.") from error
    if not isinstance(record, dict) or not record.keys() >= KEYS or not isinstance(record["fields"], dict):
        raise ConfigError(f"{place}  is not a record of a trace.")
    return record
