"""Strategies that are programs: schedulers, policies, schemes, codes, channels and adapters, asked over the pipe as data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from qstack.conformance.answers import Answer, octets, real, text, three, time, truth, whole
from qstack.conformance.judge import plainly
from qstack.conformance.model import Ask
from qstack.conformance.places import samples_of
from qstack.core.errors import ConfigError, WireError
from qstack.hosts.plain import time_of
from qstack.quantum.states import Correlators
from qstack.services.secret import Secret
from qstack.services.strategies import CutoffPolicy, QueueItem, Scheduler, Storage, SwapPolicy

T = TypeVar("T")
Bits = NDArray[np.uint8]


def word_of(answer: Answer, name: str) -> Any:
    """Return what an end says: bits, None for nothing, and as it is what is neither."""
    word = answer[name]
    if isinstance(word, str) and not word.strip("01"):
        return np.frombuffer(word.encode(), np.uint8) - ord("0")
    return word


def text_of(word: Any) -> Any:
    """Return what an end says as JSON has it: a text of 0 and 1 for bits, and as it is what is none."""
    if isinstance(word, np.ndarray) and word.ndim == 1 and not set(np.unique(word).tolist()) - {0, 1}:
        return "".join(map(str, word.astype(int).tolist()))
    return word.tolist() if isinstance(word, np.ndarray) else word


def _code(answer: Answer) -> tuple[SimpleNamespace, bool]:
    """Return what a code says of itself, and whether it has recoveries."""
    rows = answer["stabilizers"]
    if not isinstance(rows, list) or not all(isinstance(row, str) for row in rows):
        raise WireError(f"stabilizers = {rows!r:.60}: expected a list of str")
    found = SimpleNamespace(stabilizers=tuple(rows))
    found.logical_x, found.logical_z = text(answer, "logical_x"), text(answer, "logical_z")
    if "distance" in answer:
        found.distance = whole(answer, "distance")
    return found, "decodes" in answer and truth(answer, "decodes")


def _none(answer: Answer) -> bool:
    return "none" in answer and truth(answer, "none")


class Strategies(Protocol):
    """What the suites for strategies take, made of questions."""

    def number(self) -> int:
        """Return a number for something new."""
        ...

    def read(self, do: str, reader: Callable[[Answer], T], **content: Any) -> T:
        """Ask one question and return what the reader makes of the answer."""
        ...

    def scheduler(self) -> Scheduler:
        """Make a scheduler."""
        number = self.number()
        self.read("scheduler", dict, scheduler=number)

        def choose(ready: Sequence[QueueItem], turn: int) -> int:
            queue = [{"purpose": item.purpose, "priority": item.priority} for item in ready]
            return self.read("choose", lambda a: whole(a, "index"), scheduler=number, queue=queue, turn=turn)

        return choose

    def swap_policy(self) -> SwapPolicy | None:
        """Make a swap policy; None for the network layer's own."""
        number = self.number()
        if self.read("policy", _none, policy=number):
            return None
        return lambda waiting: self.read("partner", lambda a: whole(a, "index"), policy=number, waiting=waiting)

    def cutoff(self) -> CutoffPolicy:
        """Make a discard policy."""
        number = self.number()
        self.read("discard", dict, discard=number)

        def cutoff(storage: Sequence[Storage]) -> int:
            sampled = [samples_of(one) for one in storage]
            return self.read("cutoff", lambda a: time(a, "cutoff"), discard=number, storage=sampled)

        return cutoff

    def distillation(self, gate_noise: float, readout_error: float) -> PipedScheme | None:
        """Make a distillation scheme for two ends with this noise; None where every pair is delivered as it is."""
        number = self.number()
        noise = {"gate_noise": gate_noise, "readout_error": readout_error}
        name = self.read("scheme", lambda a: None if _none(a) else plainly(text(a, "name"), 60), scheme=number, **noise)
        return None if name is None else PipedScheme(self.read, number, name)

    def code(self) -> SimpleNamespace:
        """Make a code; it has a distance and recoveries if the program says so."""
        number = self.number()
        found, decodes = self.read("code", _code, code=number)
        if decodes:
            found.decode = lambda syndrome: self.read(
                "recovery", lambda a: text(a, "recovery"), code=number, syndrome=syndrome
            )
        return found

    def reconciliation(self) -> PipedReconciler:
        """Make a reconciliation scheme."""
        number = self.number()
        failure = self.read("reconciler", lambda a: real(a, "failure") if "failure" in a else None, reconciler=number)
        return PipedReconciler(self, number, failure)

    def channel(self, delay: int) -> PipedChannel:
        """Make one direction of a channel on which light needs so long [ps]."""
        number = self.number()
        told = self.read("channel", lambda a: (time(a, "delay"), truth(a, "ideal")), channel=number, delay=str(delay))
        return PipedChannel(self.read, number, *told)

    def complaints(self) -> str:
        """Return what the program has written to its standard error."""
        ...

    def adapter(self) -> PipedAdapter:
        """Make an adapter."""
        number = self.number()
        return PipedAdapter(self, number, self.read("adapter", lambda a: whole(a, "least"), adapter=number))


@dataclass(frozen=True)
class PipedScheme:
    """A distillation scheme that is a program."""

    ask: Ask
    number: int
    name: str

    def combine(self, first: Correlators, second: Correlators) -> tuple[float, Correlators]:
        """Return the probability that the bits agree, and the kept pair."""
        return self.ask(
            "combine",
            lambda a: (real(a, "kept"), three(a, "pair")),
            scheme=self.number,
            first=list(first),
            second=list(second),
        )

    def output_fidelity(self, first: float, second: float) -> float:
        """Return the fidelity expected of the kept pair."""
        asked = {"first": first, "second": second}
        return self.ask("output", lambda a: real(a, "fidelity"), scheme=self.number, **asked)

    def input_fidelity(self, wanted: float) -> float:
        """Return the least fidelity of two equal pairs that gives `wanted`."""
        return self.ask("input", lambda a: real(a, "fidelity"), scheme=self.number, wanted=wanted)


class PipedReconciler:
    """A reconciliation scheme that is a program; it has `failure` if the program says it."""

    def __init__(self, program: Strategies, number: int, failure: float | None) -> None:
        self.program, self.number = program, number
        if failure is not None:
            self.failure = failure

    def alice(self, key: Bits, error_rate: float) -> PipedEnd:
        """Return the end whose key stands."""
        return self._end("alice", key, error_rate)

    def bob(self, key: Bits, error_rate: float) -> PipedEnd:
        """Return the end whose key is corrected."""
        return self._end("bob", key, error_rate)

    def _end(self, role: str, key: Bits, rate: float) -> PipedEnd:
        number = self.program.number()
        self.program.read("end", dict, end=number, reconciler=self.number, role=role, key=text_of(key), error_rate=rate)
        return PipedEnd(self.program.read, number)


class PipedEnd:
    """One end of a reconciliation."""

    def __init__(self, ask: Ask, number: int) -> None:
        self.ask, self.number = ask, number
        self.done = False

    def open(self) -> Any:
        """Return the first word, bits."""
        return self._said(self.ask("open", _word, end=self.number))

    def answer(self, word: Any) -> Any:
        """Return the answer to a word, None for no answer."""
        return self._said(self.ask("hear", _word, end=self.number, word=text_of(word)))

    @property
    def key(self) -> Any:
        """The key as it is now."""
        return self.ask("key", lambda a: word_of(a, "key"), end=self.number)

    def _said(self, answer: tuple[Any, bool]) -> Any:
        word, self.done = answer
        return word


def _word(answer: Answer) -> tuple[Any, bool]:
    return word_of(answer, "word"), truth(answer, "done")


@dataclass(frozen=True)
class PipedChannel:
    """One direction of a channel that is a program."""

    ask: Ask
    number: int
    delay: int
    ideal: bool

    def arrivals(self, now: int, size: int, draw: np.random.Generator) -> tuple[int, ...]:
        """Return when a datagram arrives [ps]; the chance of it comes from the judge's stream."""
        entropy = str(int(draw.integers(0, 1 << 63)))
        asked = {"channel": self.number, "now": str(now), "size": size, "entropy": entropy}
        return self.ask("arrivals", lambda a: tuple(time_of("arrivals", at) for at in a["arrivals"]), **asked)


@dataclass(frozen=True, repr=False)
class PipedAdapter:
    """An adapter that is a program."""

    program: Strategies
    number: int
    least: int

    def deliver(self, identity: str, key: Secret) -> bytes:
        """Return what the consumer is handed; of a key that was wiped the program is told that there is none."""
        try:
            digits: str | None = key.reveal().hex()
        except ConfigError:
            digits = None
        asked = {"adapter": self.number, "identity": identity, "key": digits}
        return self.program.read("deliver", lambda a: octets(a, "delivery"), **asked)

    def __repr__(self) -> str:
        """Return what the program writes of the adapter, and whatever it has written to its standard error until then."""
        shown = self.program.read("show", lambda a: text(a, "text"), adapter=self.number)
        return f"{shown} {self.program.complaints()}"
