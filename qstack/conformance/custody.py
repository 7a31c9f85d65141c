"""A Python subject in a process of its own: it may crash or hang, and the judge goes on to the next test.

    FREE --first test: fork--> HELD --test--> HELD
                                |
                                +--it ends, or is silent too long (killed)--> FREE

The process is a copy of the judge's, so a subject needs no name by which it could be found again.  Where processes
cannot be copied (Windows) tests run in the judge's own: judge what you do not trust there as a program.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from qstack.conformance.judge import HUNG, Result, run_test

KILLED = 2.0
"""Time for a killed process to be gone [s]."""


IDLE = 0.1
"""Share of the clock's time; a process that worked or queued for a processor for less of it waits, and its time is up."""


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used [s]; 0 where the system does not tell, so that the clock alone counts."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def queued_seconds(pid: int) -> float:
    """Return how long a process has been ready and waited for a processor [s]; 0 where the system does not tell.

    Source: Linux, Documentation/scheduler/sched-stats.rst, ``/proc/<pid>/schedstat``.
    """
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[1]) * 1e-9
    except (OSError, IndexError):
        return 0.0


@contextmanager
def orderly() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end a judgement as ^C does, so that what subjects have started ends with it."""
    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {name: signal.signal(getattr(signal, name), signal.default_int_handler) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(getattr(signal, name), handler)


@contextmanager
def held(suite: type, make: Any, timeout: float, *, alone: bool) -> Iterator[Callable[[str], Result]]:
    """Give what runs the tests of a suite on a subject, in custody unless it has a process of its own already."""
    if alone or "fork" not in multiprocessing.get_all_start_methods():
        yield lambda name: run_test(getattr(suite(), name), make, timeout)
        return
    custody = Custody(suite, make, timeout)
    try:
        yield custody.run
    finally:
        custody.close()


class Custody:
    """Where a subject is held while it is judged.

    Parameters
    ----------
    suite
        Class of tests.
    make
        The subject.
    timeout
        Time for one test [s]: of the processor while the subject works, of the clock while it waits.
    """

    def __init__(self, suite: type, make: Any, timeout: float) -> None:
        self.suite = suite
        self.make = make
        self.timeout = timeout
        self._process: Any = None  # the type of the context's own class of processes
        self._talk: Connection | None = None

    def run(self, name: str) -> Result:
        """Run a test there and return what it came to."""
        if self._talk is None:
            self._talk = self._start()
        try:
            self._talk.send(name)
            if self._answers():
                result: Result = self._talk.recv()
                return result
        except (EOFError, OSError):
            return "fail", f" - no end of the process, but it has ended with {self._ended()}"
        self.close()
        return "fail", f"{HUNG} {self.timeout:g} s"

    def _answers(self) -> bool:
        """Wait for a result; a process that works gets its time in full, however busy the machine is."""
        assert self._talk is not None
        pid, left = self._process.pid, self.timeout
        used, queued = cpu_seconds(pid), queued_seconds(pid)
        while not self._talk.poll(left):
            worked, stood = cpu_seconds(pid) - used, queued_seconds(pid) - queued
            used, queued = used + worked, queued + stood
            if worked + stood < left * IDLE or (left := left - worked) <= 0.0:
                return False
        return True

    def _start(self) -> Connection:
        context = multiprocessing.get_context("fork")
        here, there = context.Pipe()
        self._process = context.Process(target=_held, args=(self.suite, self.make, here, there))
        with warnings.catch_warnings():
            # The copy has the judge's thread only; nothing of the subject ran before it was made, so none is missed.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process.start()
        there.close()
        return here

    def _ended(self) -> str:
        process = self._process
        process.join(KILLED)
        code = process.exitcode
        self.close()
        return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        talk, self._talk = self._talk, None
        if talk is not None:
            talk.close()
        if process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # and all that the subject has started
            process.kill()
            process.join(KILLED)


def _held(suite: type, make: Any, judge: Connection, talk: Connection) -> None:
    """Run tests until nobody asks any more; what the subject prints is no part of the report."""
    os.setsid()
    judge.close()
    with suppress(OSError):
        os.dup2(2, 1)
    sys.stdout = sys.stderr
    with suppress(EOFError, OSError):
        while True:
            talk.send(run_test(getattr(suite(), talk.recv()), make, 0.0))
    os._exit(0)
