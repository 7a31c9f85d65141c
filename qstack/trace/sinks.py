"""Trace sinks and their readers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from qstack.core.errors import ConfigError


class JsonLines:
    """One JSON object a line; times are decimal strings of picoseconds, since 2**53 ps is only 2.5 hours."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", encoding="utf-8", newline="\n")

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
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                record = json.loads(line)
            except json.JSONDecodeError as error:
                raise ConfigError(f"{path.name}:{number}  broken JSON: {error.msg}") from error
            if not isinstance(record, dict) or not {"id", "cause", "node", "noun", "fields"} <= record.keys():
                raise ConfigError(f"{path.name}:{number}  is not a record of a trace")
            yield record
