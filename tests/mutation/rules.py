"""One mutant for each MUST that is tested outside the suites: under it the requirement's own test has to fail.

Usage: ``python tests/mutation/rules.py [QS-L1-016 ...] [--write tests/mutation/RULES.txt]``

``rules.toml`` says what is changed: a file, a text that stands in it once, and another one.  The file is loaded changed, in
a child process and in all of its children, and of the tests only those that cite the requirement are run.  A mutant is
*caught* if one of them fails; a mutant that cannot be imported or has no test is not.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import importlib
import os
import sys
import time
import tomllib
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qstack.conformance.judge import tests_of
from qstack.conformance.profiles import PROFILES
from qstack.conformance.specification import load
from qstack.conformance.tracing import Verified, verified

ROOT = Path(__file__).parents[2]
TABLE = Path(__file__).parent / "rules.toml"
RESULT = Path(__file__).parent / "RULES.txt"
HOOK = Path(__file__).parent / "changed"
"""Holds the `sitecustomize` that loads a changed file."""
LIMIT_S = 60
CAUGHT, SURVIVED, BROKEN, HUNG = "caught", "SURVIVED", "BROKEN", "HUNG"


@dataclass(frozen=True, slots=True)
class Change:
    """What a mutant changes: in `file` it puts `new` in the place of `old`."""

    file: str
    old: str
    new: str

    def source(self) -> str:
        """Return the changed file; raises ValueError if the text does not stand there once."""
        text = (ROOT / self.file).read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(f"{self.file}: {self.old!r} stands there {text.count(self.old)} times, not once")
        return text.replace(self.old, self.new)

    @property
    def digest(self) -> str:
        """Of which mutant a line of the result tells."""
        return hashlib.sha256(f"{self.file}\0{self.old}\0{self.new}".encode()).hexdigest()[:8]


def table() -> tuple[dict[str, Change], tuple[str, ...]]:
    """Return the mutant of each requirement, and which requirements have none yet."""
    content = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return {number: Change(**one) for number, one in content["mutant"].items()}, tuple(content["without"])


def bound() -> dict[str, tuple[str, ...]]:
    """Return every MUST that no suite tests, with the files of its tests."""
    specification = load(ROOT / "specs")
    judged = {number for one in PROFILES.values() for found in tests_of(one.suite).values() for number in found}
    tests = verified(specification)
    return {
        one.id: tests[one.id] for _, one in specification if one.binding and one.id not in judged and one.id in tests
    }


class Only:
    """A pytest plugin: runs the tests that cite a requirement, the quick ones if there are any."""

    def __init__(self, number: str) -> None:
        self.number = number

    def pytest_collection(self) -> None:
        """Have an example that fails told as it is: making it smaller takes long, and nobody reads it."""
        from hypothesis import Phase, settings  # noqa: PLC0415 - in the child only

        settings.register_profile("rules", settings(), phases=[Phase.explicit, Phase.generate])
        settings.load_profile("rules")

    def pytest_collection_modifyitems(self, config: Any, items: list[Any]) -> None:
        """Leave all others out."""
        mine = [item for item in items if any(self.number in mark.args for mark in item.iter_markers("requirement"))]
        items[:] = [item for item in mine if not item.get_closest_marker("slow")] or mine


def child(number: str, change: Change | None, files: Iterable[str]) -> str:
    """Run the tests of a requirement on a mutant, or on what there is, in a child process."""
    pid = os.fork()
    if pid == 0:
        answer = 99
        try:
            answer = _run(number, change, files)
        except BaseException:  # noqa: BLE001 - whatever it is, the mutant was not judged
            traceback.print_exc()
        finally:
            os._exit(answer)
    began = time.monotonic()
    while time.monotonic() - began < LIMIT_S:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            return {0: SURVIVED, 1: CAUGHT}.get(code, f"{BROKEN} ({code})")
        time.sleep(0.02)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    return HUNG


def _run(number: str, change: Change | None, files: Iterable[str]) -> int:
    os.setsid()
    os.chdir(ROOT)
    quiet = os.open(os.devnull, os.O_RDWR)
    if "RULES_LOUD" not in os.environ:
        for stream in (0, 1, 2):
            os.dup2(quiet, stream)
    for name in [name for name in sys.modules if name.split(".")[0] == "qstack"]:
        del sys.modules[name]
    if change is not None:
        # Children of the child have the change too: they load `sitecustomize` from here.
        os.environ["QSTACK_CHANGED"] = "\x1f".join((str(ROOT / change.file), change.old, change.new))
        os.environ["PYTHONPATH"] = os.pathsep.join([str(HOOK), *sys.path[1:]])
        sys.path.insert(0, str(HOOK))
        importlib.import_module("changed_file").install()
    import pytest  # noqa: PLC0415 - in the child only: it keeps what it has loaded

    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "slow or not slow", "--no-header"]
    return int(pytest.main([*options, *files], plugins=[Only(number)]))


def run(chosen: Iterable[str], changes: dict[str, Change], tests: Verified) -> Iterator[tuple[str, str]]:
    """Judge mutants and return each requirement with what became of its mutant."""
    for module in ("numpy", "pydantic", "click", "ruamel.yaml", "rich", "pluggy", "structlog", "rustworkx"):
        importlib.import_module(module)
    for number in chosen:
        files = [file for file in tests[number] if not file.startswith("qstack/")]
        changes[number].source()
        yield number, child(number, changes[number], files)


def lines_of(file: Path, changes: dict[str, Change]) -> dict[str, str]:
    """Return the lines of an earlier result that tell of mutants as they are now, by requirement."""
    told = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    known = {line.split()[0]: line for line in told if line.startswith("QS-")}
    return {n: line for n, line in known.items() if n in changes and line.split()[3] == changes[n].digest}


def ending(lines: Iterable[str], without: int) -> str:
    """Return the last line of a result."""
    words = [line.split()[1] for line in lines]
    return f"{words.count(CAUGHT)} of {len(words)} caught, {without} requirements without a mutant"


def main() -> None:
    """Do it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("numbers", nargs="*")
    parser.add_argument("--write", type=Path, help="write the result here; other lines that still hold stay")
    given = parser.parse_args()
    changes, without = table()
    tests = verified(load(ROOT / "specs"))
    lines = {}
    began = time.monotonic()
    for number, word in run(given.numbers or sorted(changes), changes, tests):
        one = changes[number]
        lines[number] = f"{number}  {word:<10}  {dt.datetime.now(dt.UTC):%Y-%m-%d}  {one.digest}  {one.file}"
        sys.stdout.write(lines[number] + "\n")
        sys.stdout.flush()
    sys.stdout.write(f"{ending(lines.values(), len(without))}, {time.monotonic() - began:.0f} s\n")
    if given.write:
        told = dict(sorted((lines_of(given.write, changes) | lines).items())).values()
        given.write.write_text("\n".join([*told, ending(told, len(without)), ""]), encoding="utf-8")
    raise SystemExit(any(line.split()[1] != CAUGHT for line in lines.values()))


if __name__ == "__main__":
    main()
