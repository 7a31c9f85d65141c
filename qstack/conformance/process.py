"""A process on three pipes: a line in, a line out, within a time.  Whatever it does, nothing of it is left behind.

RUNNING --line--> RUNNING
        --silence, flood, end--> Fault (words) --close--> gone, and all that it has started
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from time import monotonic
from typing import IO, cast

from qstack.conformance.judge import plainly

LONGEST = 1 << 20
"""Longest line that is read [byte]."""
KEPT = 1 << 16
"""So much of its complaints is kept, the newest [byte]."""
PARTING = 1.0
"""Time for a process to end that has closed its output [s]."""
MARK = "QSTACK_SUBJECT"
"""Variable of the environment by which all that a process has started is found again."""
_numbers = count(1)


class Fault(Exception):
    """A process did not answer; the message says what it did instead."""


class Process:
    """A program that is running.

    Parameters
    ----------
    command
        The program and its arguments.

    Raises
    ------
    OSError
        If it cannot be run.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._mark = f"{os.getpid()}-{next(_numbers)}"
        self._process = subprocess.Popen(  # noqa: S603 - the user names the program to judge
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env={**os.environ, MARK: self._mark},
            start_new_session=True,
        )
        self._ears, self._mouth, self._moans = (
            cast("IO[bytes]", pipe).fileno()
            for pipe in (self._process.stdin, self._process.stdout, self._process.stderr)
        )
        self._ready = selectors.DefaultSelector()
        for pipe in (self._ears, self._mouth, self._moans):
            os.set_blocking(pipe, False)
        for pipe in (self._mouth, self._moans):
            self._ready.register(pipe, selectors.EVENT_READ)
        self._heard, self._complaints, self._what = b"", b"", ""

    def exchange(self, what: str, question: bytes, patience: float) -> bytes:
        """Say a line and return the line that follows, without its end.

        Parameters
        ----------
        what
            What is asked, in words.
        question
            The line.
        patience
            Longest time for both [s].

        Raises
        ------
        Fault
            If there is none in time, or it does not read, ends, or says too much.
        """
        if self._heard:
            raise Fault(f"it answered twice, or unasked: {self._heard[:60]!r}")
        end, self._what = monotonic() + patience, what
        left = self._say(question)
        while (place := self._heard.find(b"\n")) < 0:
            if len(self._heard) > LONGEST:
                raise Fault(f"the answer to '{what}' is longer than {LONGEST} bytes")
            rest = end - monotonic()  # looked at, because somebody who always says something is never silent
            happened = self._ready.select(rest) if rest > 0 else []
            if not happened:
                raise Fault(f"no answer to '{what}' within {patience:g} s{self._silence(left)}")
            for key, _ in happened:
                left = self._step(key.fd, left)
        if left:
            raise Fault(f"it answered '{what}' before it had read the question")
        answer, self._heard = self._heard[:place], self._heard[place + 1 :]
        return answer

    def _step(self, pipe: int, left: bytes) -> bytes:
        """Do what one pipe is ready for, and return what is still to be said."""
        if pipe == self._ears:
            return self._say(left)
        if pipe == self._moans:
            self._moan()
            return left
        data = os.read(pipe, 1 << 16)
        if not data:
            half, end = f" in the middle of a line, {self._heard[:60]!r}," if self._heard else "", self._end()
            raise Fault(f"it {'ended' if end else 'closed its output'}{half} before it answered '{self._what}'{end}")
        self._heard += data
        return left

    def _say(self, words: bytes) -> bytes:
        """Write what there is room for, and return the rest."""
        try:
            words = words[os.write(self._ears, words) :]
        except BlockingIOError:
            pass
        except OSError:
            raise Fault(f"it is gone, and '{self._what}' was not read{self._end()}") from None
        waiting = self._ears in self._ready.get_map()
        if words and not waiting:
            self._ready.register(self._ears, selectors.EVENT_WRITE)
        elif waiting and not words:
            self._ready.unregister(self._ears)
        return words

    def _moan(self) -> None:
        """Read what it complains of; of a flood the end is kept."""
        with suppress(BlockingIOError):
            data = os.read(self._moans, 1 << 16)
            self._complaints = (self._complaints + data)[-KEPT:]
            if not data and self._moans in self._ready.get_map():
                self._ready.unregister(self._moans)

    def complaints(self) -> str:
        """Return what it has written to its standard error; of much of it the end."""
        self._moan()
        return self._complaints.decode(errors="replace")

    def _silence(self, left: bytes) -> str:
        """Return in words what there is instead of an answer."""
        if self._process.poll() is not None:
            return "; it has ended, and what it has started keeps the pipe open"
        if left:
            return ", and the question was not read"
        return f", only half a line: {self._heard[:60]!r}" if self._heard else ""

    def _end(self) -> str:
        """Return how the process ended, in words, with the last line of its complaints; nothing if it runs on."""
        end = monotonic() + PARTING
        while self._process.poll() is None and monotonic() < end:
            self._moan()  # one that still complains would not end
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.02)
        if self._process.returncode is None:
            return ""
        said = self.complaints().strip().splitlines()
        return f" (exit code {self._process.returncode}{': ' + plainly(said[-1], 200) if said else ''})"

    def close(self) -> None:
        """End the process and all that it has started: its group, and what has left that."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for stray in strays(self._mark):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(stray, signal.SIGKILL)
        self._process.wait()
        self._ready.close()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            cast("IO[bytes]", pipe).close()


def strays(mark: str) -> Iterator[int]:
    """Return the processes that were started with a mark in their environment; none where there is no ``/proc``."""
    wanted = f"{MARK}={mark}".encode()
    for place in Path("/proc").glob("[1-9]*/environ"):
        with suppress(OSError):  # gone by now, or somebody else's
            if wanted in place.read_bytes().split(b"\0"):
                yield int(place.parent.name)
