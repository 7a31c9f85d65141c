"""Who verifies what: citations in code and tests against the requirements, and everything that has to be in step."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from qstack.conformance.specification import ID, LINE, Chapter, Requirement, Specification, load, schema

SCHEMA = "requirements.schema.json"
TEXTS = (".py", ".md", ".json", ".toml")
CITING = ("qstack", "plugins", "tests", "docs", "examples", "specs", "README.md")
"""Where a number may stand, seen from a checkout."""
TESTS = ("tests", "plugins", "qstack/conformance")
"""Where tests stand: those of the wheel too."""
WORDS = ("MUST NOT", "SHOULD NOT", "MUST", "SHOULD", "MAY")

Verified = Mapping[str, tuple[str, ...]]
"""Files of the tests that cite a requirement, by its number."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not in step: where, and what."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def checkout(specification: Specification) -> Path | None:
    """Return the root of the checkout that a folder of specifications belongs to, or None."""
    root = specification.folder.parent
    whole = all((root / part).is_dir() for part in ("qstack", "tests"))
    return root if whole and specification.folder.name == "specs" else None


def here(folder: Path) -> Specification | None:
    """Return the specifications of the checkout in which a folder stands, or None; raises `ConfigError` as `load` does."""
    for root in (folder, *folder.parents):
        if (root / "specs" / "lock.toml").is_file() and (root / "qstack").is_dir() and (root / "tests").is_dir():
            return load(root / "specs")
    return None


def verified(specification: Specification) -> Verified:
    """Return which files verify each requirement: read from the tests, or where there are none from coverage.txt."""
    root = checkout(specification)
    if root is None:
        lines = (line.split("  ") for line in specification.coverage.splitlines())
        parts = {words[0]: words[-1].strip() for words in lines if words[0].strip()}
        return {number: tuple(files.split(", ")) for number, files in parts.items() if not _excused(files)}
    found: dict[str, list[str]] = {}
    for path in _files(root, TESTS, (".py",)):
        with suppress(SyntaxError, UnicodeError):  # such files are told by `check`
            for number in sorted(cited(path.read_text(encoding="utf-8"))):
                found.setdefault(number, []).append(path.relative_to(root).as_posix())
    return {number: tuple(files) for number, files in found.items()}


def cited(source: str) -> set[str]:
    """Return the numbers that tests cite with ``requirement(...)``, as a decorator or as a mark.

    >>> sorted(cited("pytestmark = requirement('QS-L2-011', 'QS-L2-012')"))
    ['QS-L2-011', 'QS-L2-012']
    """
    numbers: set[str] = set()
    if "requirement(" not in source:
        return numbers
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and "requirement" in {
            getattr(node.func, "id", None),
            getattr(node.func, "attr", None),
        }:
            texts = [part.value for part in node.args if isinstance(part, ast.Constant)]
            numbers.update(text for text in texts if isinstance(text, str))
    return numbers


def coverage(specification: Specification, tests: Verified) -> str:
    """Return the snapshot: number, level, and the files that verify it, the exception, or a dash."""
    lines = []
    for _, one in specification:
        files = ", ".join(tests.get(one.id, ()))
        reason = "exception: " + specification.exceptions.get(one.id, "").split(".")[0]
        how = files or (reason if one.id in specification.exceptions else "-")
        lines.append(f"{one.id}  {one.level:<10}  {how}")
    return "\n".join(sorted(lines)) + "\n"


def _excused(how: str) -> bool:
    return how == "-" or how.startswith("exception: ")


def check(specification: Specification) -> list[Problem]:
    """Return everything that is out of step, in the order of chapters."""
    tests = verified(specification)
    root = checkout(specification)
    problems = [*_numbers(specification), *_locked(specification), *_tested(specification, tests)]
    for chapter in specification.chapters:
        problems += [*_prose(chapter), *_own_lines(chapter)]
    if root is not None:
        problems += [*_unreadable(root), *_citations(specification, root)]
        if specification.coverage != coverage(specification, tests):
            problems.append(
                Problem("coverage.txt", "is not what the tests cite; `qstack spec check --update` writes it")
            )
        path = specification.folder / SCHEMA
        if not path.is_file() or path.read_text(encoding="utf-8") != schema():
            problems.append(Problem(SCHEMA, "is not that of the data; `qstack spec check --update` writes it"))
    return problems


def update(specification: Specification) -> None:
    """Write what can be derived: lock, coverage, schema, and the texts of the requirements in the prose."""
    head = "# SHA-256 of every normative text. A text that changes asks for its tests to be read again.\n"
    lines = sorted(f'{one.id} = "{one.digest}"\n' for _, one in specification)
    folder = specification.folder
    (folder / "lock.toml").write_text(head + "".join(lines), encoding="utf-8")
    if checkout(specification) is not None:
        (folder / SCHEMA).write_text(schema(), encoding="utf-8")
        (folder / "coverage.txt").write_text(coverage(specification, verified(specification)), encoding="utf-8")
    for chapter in specification.chapters:
        prose = _with_texts(chapter)
        if prose != chapter.prose:
            chapter.page.write_text(prose, encoding="utf-8")


def _with_texts(chapter: Chapter) -> str:
    """Return the prose with the texts of the data."""
    texts = {one.id: _line(one) for one in chapter.document.requirement}
    return LINE.sub(lambda found: texts.get(found[1], found[0]), chapter.prose)


def _line(one: Requirement) -> str:
    return f"- **{one.id}** ({one.level}) {one.text}"


def _numbers(specification: Specification) -> Iterator[Problem]:
    """Every number once, with its chapter's prefix; every text one sentence with the word of its level."""
    seen: dict[str, str] = {}
    for chapter in specification.chapters:
        file = chapter.data.name
        taken = [one.id for one in chapter.document.requirement] + [one.id for one in chapter.document.dropped]
        for number in taken:
            if not number.startswith(chapter.document.prefix + "-"):
                yield Problem(file, f"{number} does not begin with {chapter.document.prefix}")
            if number in seen:
                yield Problem(file, f"{number} stands in {seen[number]} already; a number is never used twice")
            seen[number] = file
        for one in chapter.document.requirement:
            yield from (Problem(file, f"{one.id} {what}") for what in _form(one))


def _form(one: Requirement) -> Iterator[str]:
    rest = one.text
    words = []
    for word in WORDS:
        words += [word] * rest.count(word)
        rest = rest.replace(word, "")
    if words != [one.level]:
        yield f"is of level {one.level}, but its text says {', '.join(words) or 'nothing of the kind'}"
    if ". " in one.text:
        yield "has more than one sentence"


def _locked(specification: Specification) -> Iterator[Problem]:
    texts = {one.id: one for _, one in specification}
    for number, one in texts.items():
        if number not in specification.lock:
            yield Problem("lock.toml", f"{number} is missing; `qstack spec check --update` enters it")
        elif specification.lock[number] != one.digest:
            yield Problem(
                "lock.toml", f"{number} has another text: read its tests again, then `qstack spec check --update`"
            )
    for number in sorted(specification.lock.keys() - texts.keys()):
        yield Problem("lock.toml", f"{number} is gone; a requirement that is given up stands under [[dropped]]")


def _tested(specification: Specification, tests: Verified) -> Iterator[Problem]:
    for chapter, one in specification:
        if one.binding and one.id not in tests and one.id not in specification.exceptions:
            yield Problem(chapter.data.name, f"{one.id} ({one.level}) has neither a test nor an exception")
    known = {one.id for _, one in specification}
    for number in sorted(specification.exceptions):
        if number not in known:
            yield Problem("exceptions.toml", f"{number} is not a requirement")
        elif number in tests:
            yield Problem("exceptions.toml", f"{number} is tested by {tests[number][0]} and needs no exception")


def _prose(chapter: Chapter) -> Iterator[Problem]:
    texts = {one.id: _line(one) for one in chapter.document.requirement}
    found = [(match[1], match[0]) for match in LINE.finditer(chapter.prose)]
    numbers = [number for number, _ in found]
    for number, line in found:
        if number not in texts:
            yield Problem(chapter.page.name, f"{number} is not in {chapter.data.name}")
        elif line != texts[number]:
            yield Problem(chapter.page.name, f"{number} has not the text of {chapter.data.name}")
    for number in texts:
        if numbers.count(number) != 1:
            yield Problem(chapter.page.name, f"{number} stands there {numbers.count(number)} times, not once")


def _own_lines(chapter: Chapter) -> Iterator[Problem]:
    """Tell numbers that no line says alone: whoever looks for one with a plain search has to find it."""
    lines = {line.strip() for line in chapter.data.read_text(encoding="utf-8").splitlines()}
    numbers = [one.id for one in chapter.document.requirement] + [one.id for one in chapter.document.dropped]
    for number in numbers:
        if f'id = "{number}"' not in lines:
            yield Problem(chapter.data.name, f'{number} has no line of its own that reads: id = "{number}"')


def _unreadable(root: Path) -> Iterator[Problem]:
    """Tell files that cannot be read, and marks of tests that are no numbers at all."""
    for path in _files(root, CITING, TEXTS):
        where = path.relative_to(root).as_posix()
        try:
            source = path.read_text(encoding="utf-8")
            marks = cited(source) if path.suffix == ".py" and where.startswith(TESTS) else set()
        except UnicodeError:
            yield Problem(where, "is not UTF-8, so nobody can read what it cites")
        except SyntaxError as error:
            yield Problem(f"{where}:{error.lineno}", f"is not Python, so nobody can read what it cites: {error.msg}")
        else:
            for mark in sorted(mark for mark in marks if not ID.fullmatch(mark)):
                yield Problem(where, f"a test cites {mark!r}, which is no number; they read like QS-L2-011")


def _citations(specification: Specification, root: Path) -> Iterator[Problem]:
    known = {one.id for _, one in specification}
    dropped = specification.dropped()
    for path in _files(root, CITING, TEXTS):
        if specification.folder in path.parents and path.name != "README.md":
            continue  # what stands there is checked as data
        for place, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
            for number in ID.findall(line):
                if number not in known:
                    reason = f": {dropped[number].reason}" if number in dropped else ""
                    yield Problem(
                        f"{path.relative_to(root).as_posix()}:{place}", f"{number} is not a requirement{reason}"
                    )


def _files(root: Path, places: Iterable[str], endings: tuple[str, ...]) -> Iterator[Path]:
    for place in places:
        path = root / place
        paths = [path] if path.is_file() else sorted(path.rglob("*")) if path.is_dir() else []
        for one in paths:
            if one.suffix in endings and one.is_file() and not any(part.startswith(".") for part in one.parts):
                yield one
