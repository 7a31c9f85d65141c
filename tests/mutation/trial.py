"""Tests on a changed program: the change, the child process that has it, and what became of each test there."""

from __future__ import annotations

import hashlib
import importlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
HOOK = Path(__file__).parent / "changed"
"""Holds the `sitecustomize` that loads a changed file."""
HUNG = -1
HANGS_S = 150
"""After so long a test counts as one that never ends."""
LOADED = "pytest hypothesis numpy pydantic click ruamel.yaml rich pluggy structlog rustworkx"
"""What every child would load, and nothing of the project."""
OPTIONS = (
    *("-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "slow or not slow"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # it is loaded before
)


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


def requirements(item: Any) -> set[str]:
    """Return the requirements that a test verifies: those of its marks, and of the suite that it is a test of."""
    marked = {number for mark in item.iter_markers("requirement") for number in mark.args}
    return marked | set(getattr(getattr(item, "function", None), "requirements", ()))


class Chosen:
    """A pytest plugin: runs some of the tests that it finds, and writes how each of them ended.

    Parameters
    ----------
    choose
        Returns which tests are run.
    out
        Where a line tells that a test has begun (``?``), passed (``.``) or failed (``F``), with its requirements.
    examples
        How many examples a property is tried on.
    """

    def __init__(
        self, choose: Callable[[list[Any]], list[Any]], out: Path = Path(os.devnull), examples: int = 100
    ) -> None:
        self.choose, self.out, self.examples = choose, out, examples
        self.numbers: dict[str, str] = {}
        self.failed: set[str] = set()

    def pytest_collection(self) -> None:
        """Have an example that fails told as it is: making it smaller takes long, and nobody reads it."""
        from hypothesis import Phase, settings  # noqa: PLC0415 - in the child only

        phases = [Phase.explicit, Phase.generate]
        settings.register_profile("rules", settings(), phases=phases, deadline=None, max_examples=self.examples)
        settings.load_profile("rules")

    def pytest_collection_modifyitems(self, config: Any, items: list[Any]) -> None:
        """Leave all others out."""
        items[:] = self.choose(items)
        self.numbers = {item.nodeid: ",".join(sorted(requirements(item))) for item in items}

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Tell which test is the one that hangs, if it does; that ends the process."""
        signal.alarm(HANGS_S)
        self._tell("?", nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Take setting up and tearing down for parts of a test."""
        if report.failed:
            self.failed.add(report.nodeid)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Tell how a test has ended."""
        signal.alarm(0)
        self._tell("F" if nodeid in self.failed else ".", nodeid)

    def pytest_collectreport(self, report: Any) -> None:
        """Count a file that cannot be loaded as a test that fails."""
        if report.failed:
            self._tell("F", report.nodeid)

    def _tell(self, word: str, nodeid: str) -> None:
        with self.out.open("a", encoding="utf-8") as file:
            file.write(f"{nodeid}\t{word}\t{self.numbers.get(nodeid, '')}\n")


def forked(act: Callable[[], int], limit: float) -> int:
    """Do something in a child process that has loaded nothing of the project, for so long [s]; return how it ends."""
    pid = os.fork()
    if pid == 0:
        answer = 99
        try:
            os.setsid()
            os.chdir(ROOT)
            _silence()
            for name in [name for name in sys.modules if name.split(".")[0].startswith("qstack")]:
                del sys.modules[name]
            answer = act()
        except BaseException:  # noqa: BLE001 - whatever it is, nothing was judged
            traceback.print_exc()
        finally:
            os._exit(answer)
    began = time.monotonic()
    while time.monotonic() - began < limit:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.killpg(pid, 9)
    os.waitpid(pid, 0)
    return HUNG


def _silence() -> None:
    if "RULES_LOUD" not in os.environ:
        quiet = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(quiet, stream)


def hook(change: Change | None) -> None:
    """Change the program of this process and of its children: they load `sitecustomize` from there."""
    if change is not None:
        os.environ["QSTACK_CHANGED"] = "\x1f".join((str(ROOT / change.file), change.old, change.new))
        os.environ["PYTHONPATH"] = os.pathsep.join([str(HOOK), *sys.path[1:]])
        sys.path.insert(0, str(HOOK))
        importlib.import_module("changed_file").install()


def run(tests: Iterable[str], plugin: Chosen, *options: str) -> int:
    """Run tests in this process; return pytest's exit code."""
    import pytest  # noqa: PLC0415 - in the child only: it keeps what it has loaded

    return int(pytest.main([*OPTIONS, *options, *tests], plugins=[plugin]))


def preload() -> None:
    """Load once what every child would load."""
    for module in LOADED.split():
        importlib.import_module(module)
