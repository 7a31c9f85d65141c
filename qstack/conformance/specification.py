"""Numbered requirements as data: what ``specs/<layer>/<layer>.toml`` holds, and the prose that stands beside it.

A folder of specifications looks like this::

    <layer>/<layer>.md      prose for people; every requirement stands in it once, as ``- **ID** (LEVEL) text``
    <layer>/<layer>.toml    the same requirements for machines (`Document`)
    lock.toml               SHA-256 of every text: a text that changes asks for its tests to be read again
    exceptions.toml         why a MUST has no test
    coverage.txt            what verifies each requirement
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from qstack.core.errors import ConfigError
from qstack.plugin.offers import Options
from qstack.plugin.spelling import nearest

ID = re.compile(r"\bQS-[A-Z0-9]{2}-\d{3}\b")
LINE = re.compile(r"^- \*\*(QS-[A-Z0-9]{2}-\d{3})\*\*(.*)$", re.MULTILINE)
"""A requirement in the prose."""

Id = Annotated[str, Field(pattern=r"^QS-[A-Z0-9]{2}-\d{3}$")]
Candidate = Annotated[str, Field(pattern=r"^[A-Z]{3}-\d{1,2}$")]
Sentence = Annotated[str, Field(pattern=r"^\S(.*\S)?\.$", min_length=10)]
Level = Literal["MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY"]


class Requirement(Options):
    """One normative sentence.

    Parameters
    ----------
    id
        Never used again, not even when the requirement is gone.
    level
        Of RFC 2119 and RFC 8174.
    feature
        What it belongs to; a judge reports by feature.
    text
        Exactly one sentence that holds the word of the level.
    rationale
        Why it is so.
    source
        Document and section, or that the rule is this project's own.
    since
        Version of the specifications that brought it.
    verify
        ``test``; ``inspection`` of a text or a table; ``construction``, where the types leave no other way.
    candidates
        Names of the drafts that it goes back to.
    """

    id: Id
    level: Level
    feature: Annotated[str, Field(pattern=r"^[a-z][a-z-]*$")]
    text: Sentence
    rationale: Sentence
    source: Annotated[str, Field(min_length=3)]
    since: Annotated[str, Field(pattern=r"^\d+\.\d+$")] = "0.1"
    verify: Literal["test", "inspection", "construction"] = "test"
    candidates: tuple[Candidate, ...] = ()

    @property
    def binding(self) -> bool:
        """Whether somebody who breaks it does not conform."""
        return self.level.startswith("MUST")

    @property
    def digest(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


class Dropped(Options):
    """A candidate that became no requirement; its number stays empty."""

    id: Id
    candidates: Annotated[tuple[Candidate, ...], Field(min_length=1)]
    reason: Sentence


class Document(Options):
    """The requirements of one layer or interface."""

    title: str
    prefix: Annotated[str, Field(pattern=r"^QS-[A-Z0-9]{2}$")]
    requirement: tuple[Requirement, ...]
    dropped: tuple[Dropped, ...] = ()


@dataclass(frozen=True, slots=True)
class Chapter:
    """A document and where it stands: `name` is that of its folder."""

    name: str
    folder: Path
    document: Document
    prose: str

    @property
    def data(self) -> Path:
        """The file of the requirements."""
        return self.folder / f"{self.name}.toml"

    @property
    def page(self) -> Path:
        """The file of the prose."""
        return self.folder / f"{self.name}.md"

    def section(self, number: str) -> str:
        """Return the heading under which a requirement stands, or nothing."""
        before, found, _ = self.prose.partition(f"- **{number}**")
        headings = re.findall(r"^#+ (.+)$", before, re.MULTILINE) if found else []
        return headings[-1] if headings else ""


@dataclass(frozen=True, slots=True)
class Specification:
    """All chapters of one folder."""

    folder: Path
    chapters: tuple[Chapter, ...]
    lock: dict[str, str]
    exceptions: dict[str, str]
    coverage: str

    def __iter__(self) -> Iterator[tuple[Chapter, Requirement]]:
        """Return every requirement with its chapter."""
        return ((chapter, one) for chapter in self.chapters for one in chapter.document.requirement)

    def dropped(self) -> dict[str, Dropped]:
        """Return what became no requirement, by its number."""
        return {one.id: one for chapter in self.chapters for one in chapter.document.dropped}

    def find(self, number: str) -> tuple[Chapter, Requirement]:
        """Return a requirement and its chapter.

        Raises
        ------
        ConfigError
            If there is none of this number.
        """
        for chapter, one in self:
            if one.id == number:
                return chapter, one
        if number in self.dropped():
            raise ConfigError(f"{number} was never taken up: {self.dropped()[number].reason}")
        hint = nearest(number, [one.id for _, one in self])
        raise ConfigError(f"'{number}' is not a requirement; they read like QS-L2-011.{hint}")

    @property
    def digest(self) -> str:
        """SHA-256 over all numbers and texts: which specification a verdict is about."""
        lines = sorted(f"{one.id} {one.level} {one.digest}" for _, one in self)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def load(folder: Path) -> Specification:
    """Read a folder of specifications.

    Raises
    ------
    ConfigError
        If a file cannot be read or does not have the form; the message names file and key.
    """
    chapters = []
    for data in sorted(folder.glob("*/*.toml")):
        name = data.stem
        if data.parent.name != name:
            raise ConfigError(f"{data}: requirements stand in a folder of their own name, '{name}/{name}.toml'.")
        page = data.with_suffix(".md")
        if not page.is_file():
            raise ConfigError(f"{data}: the prose, {page.name}, is missing.")
        try:
            document = Document.model_validate(_toml(data))
        except ValidationError as error:
            raise ConfigError(f"{data}: {_first(error)}") from error
        chapters.append(Chapter(name, data.parent, document, page.read_text(encoding="utf-8")))
    if not chapters:
        raise ConfigError(f"{folder}: there are no requirements; they stand in files like link/link.toml.")
    coverage = folder / "coverage.txt"
    return Specification(
        folder,
        tuple(chapters),
        _table(folder / "lock.toml"),
        _table(folder / "exceptions.toml"),
        coverage.read_text(encoding="utf-8") if coverage.is_file() else "",
    )


def schema() -> str:
    """Return the JSON Schema of a file of requirements, as text."""
    return json.dumps(Document.model_json_schema(), indent=2) + "\n"


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error


def _table(path: Path) -> dict[str, str]:
    """Return a flat table of texts, empty if there is no such file."""
    table = _toml(path) if path.is_file() else {}
    for key, value in table.items():
        if not isinstance(value, str) or not value.strip():
            raise ConfigError(f"{path}: {key}: expected a text.")
    return table


def _first(error: ValidationError) -> str:
    found = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, found['loc']))}: {found['msg']} (given: {found['input']!r})"
