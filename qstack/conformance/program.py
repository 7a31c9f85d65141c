"""A subject that is a program: the judge's end of the pipe.

Every line to the program is an object with ``re``, a number, and ``do``, what is asked; every line back has the same
``re``.  ``specs/conformance/conformance.md`` holds the table of what is asked.  Whatever the program does wrong becomes
a `Trouble`, which is a verdict; the next test speaks to a fresh process.
"""

from __future__ import annotations

import os
import selectors
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping
from time import monotonic
from typing import IO, Any, TypeVar, cast

from qstack.conformance import lines
from qstack.conformance.device_talk import Equipment, Feed
from qstack.conformance.features import NONSENSE
from qstack.conformance.model import PipedPlatform, platform, reading
from qstack.conformance.piped import Strategies
from qstack.conformance.piped_device import PipedDevice
from qstack.conformance.places import end_as_data, site_as_data, view_as_data
from qstack.core.clock import Clock
from qstack.core.errors import ConfigError, LocalProtocolError, PhysicsError, RemoteProtocolError, WireError
from qstack.core.layer import Context, Layer
from qstack.core.nouns import Noun
from qstack.hosts.plain import object_of
from qstack.plugin.sites import FlowEnd, NetworkView, Site
from qstack.plugin.spelling import nearest
from qstack.services.strategies import NoRoute, Route

T = TypeVar("T")

PROTOCOL = 1
"""Version of what is spoken on the pipe."""
LONGEST = 1 << 20
"""Longest line that is read [byte]."""
REFUSALS: Mapping[str, type[Exception]] = {
    "local": LocalProtocolError,
    "physics": PhysicsError,
    "remote": RemoteProtocolError,
}


class Trouble(AssertionError):
    """The program does not keep to the protocol of the pipe."""


class Program(Strategies):
    """A subject on a pipe; its process begins with the first question, and anew after trouble.

    Parameters
    ----------
    command
        What to run, as for a shell; no shell is used.
    profile
        What it is judged as.
    patience
        Longest time for one answer [s].

    Raises
    ------
    ConfigError
        If there is no such command.
    """

    def __init__(self, command: str, profile: str, patience: float) -> None:
        self.command = shlex.split(command)
        if not self.command:
            raise ConfigError("--exec needs a command.")
        if shutil.which(self.command[0]) is None:
            raise ConfigError(f"--exec {self.command[0]}  cannot be run: there is no such program.")
        self.profile = profile
        self.patience = patience
        self.features: tuple[str, ...] = ()
        self._version: str | None = None
        self._claims: list[str] | None = None
        self.asked = 0
        self.made = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._read = b""

    def ask(self, do: str, **content: Any) -> dict[str, Any]:
        """Ask one question and return the answer.

        Raises
        ------
        Trouble
            If there is none in time, or it is not an answer to this question.
        LocalProtocolError, RemoteProtocolError, PhysicsError
            If the program says that the question is an error of its user, of a neighbour, or asks for no physics.
        """
        return self._ask(self._process or self._begin(), do, content)

    def _begin(self) -> subprocess.Popen[bytes]:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the user names the program to judge
                self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, bufsize=0
            )
        except OSError as error:
            self._errors.close()
            raise ConfigError(f"--exec {self.command[0]}  cannot be run: {error.strerror}.") from error
        self._read = b""
        answer = self._ask(
            self._process,
            "hello",
            {"protocol": PROTOCOL, "profile": self.profile, "features": [NONSENSE, *self.features]},
        )
        if answer.get("protocol") != PROTOCOL:
            raise self._trouble(f"it speaks version {answer.get('protocol')!r} of the pipe, the judge {PROTOCOL}")
        claims = answer.get("features")
        if claims is not None and not (isinstance(claims, list) and all(isinstance(name, str) for name in claims)):
            raise self._trouble(f"'features' is {claims!r}; expected a list of names, or nothing where it says nothing")
        for name in claims or ():
            if name not in self.features:
                raise self._trouble(f"it claims the feature '{name}', which nobody has: its claims are not believed")
        self._claims = claims
        self._version = answer["version"] if isinstance(answer.get("version"), str) else None
        return self._process

    def told(self) -> str:
        """Return which version the program says it is."""
        return self._version or "unknown"

    def claims(self, feature: str) -> bool | None:
        """Return whether the program says that it has a feature; None if it says nothing.

        Raises
        ------
        Trouble
            If it cannot be asked.
        """
        if self._process is None:
            self._begin()
        return None if self._claims is None else feature in self._claims

    def _ask(self, process: subprocess.Popen[bytes], do: str, content: Mapping[str, Any]) -> dict[str, Any]:
        self.asked += 1
        if self._read:
            raise self._trouble(f"it answered twice, or unasked: {self._read[:60]!r}")
        try:
            cast("IO[bytes]", process.stdin).write(lines.line({"re": self.asked, "do": do, **content}))
        except OSError:
            raise self._trouble(f"it is gone, and '{do}' was not read{self._end(process)}") from None
        data = self._line(process, do)
        try:
            answer = object_of(data)
        except WireError as error:
            raise self._trouble(f"the answer to '{do}' is {error}") from error
        if answer.pop("re", None) != self.asked:
            raise self._trouble(f"the answer to '{do}', question {self.asked}, is for another one: {data[:60]!r}")
        if answer.get("refused", "local") not in REFUSALS:
            raise self._trouble(f"it refuses '{do}' as {answer['refused']!r}; allowed: {', '.join(REFUSALS)}")
        return self.obeyed(answer)

    @staticmethod
    def obeyed(answer: dict[str, Any]) -> dict[str, Any]:
        """Return an answer that is none of the refusals.

        Raises
        ------
        LocalProtocolError, RemoteProtocolError, PhysicsError
            If it is one.
        """
        if "refused" in answer:
            raise REFUSALS[answer["refused"]](str(answer.get("why", "")))
        return answer

    def _line(self, process: subprocess.Popen[bytes], do: str) -> bytes:
        source, end = cast("IO[bytes]", process.stdout).fileno(), monotonic() + self.patience
        with selectors.DefaultSelector() as ready:
            ready.register(source, selectors.EVENT_READ)
            while b"\n" not in self._read:
                if len(self._read) > LONGEST:
                    raise self._trouble(f"the answer to '{do}' is longer than {LONGEST} bytes")
                if not ready.select(max(0.0, end - monotonic())):
                    half = f", only half a line: {self._read[:60]!r}" if self._read else ""
                    raise self._trouble(f"no answer to '{do}' within {self.patience:g} s{half}")
                data = os.read(source, 1 << 16)
                if not data:
                    half = f" in the middle of a line, {self._read[:60]!r}," if self._read else ""
                    raise self._trouble(f"it ended{half} before it answered '{do}'{self._end(process)}")
                self._read += data
        found, _, self._read = self._read.partition(b"\n")
        return found

    def _end(self, process: subprocess.Popen[bytes]) -> str:
        """Return how the process ended, in words, with the last line of its complaints."""
        try:
            code = process.wait(1.0)
        except subprocess.TimeoutExpired:
            return ""
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip().splitlines()
        return f" (exit code {code}{': ' + said[-1][:200] if said else ''})"

    def _trouble(self, words: str) -> Trouble:
        self.close()
        return Trouble(f" - the program on the pipe: {words}")

    def close(self) -> None:
        """End the process, if there is one."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        self._errors.close()

    # -- what the suites take -----------------------------------------------------------------------------------------

    def number(self) -> int:
        """Return a number for something new."""
        self.made += 1
        return self.made

    def read(self, do: str, reader: Callable[[Mapping[str, Any]], T], **content: Any) -> T:
        """Ask one question and return what the reader makes of the answer."""
        return reading(self.ask, self._trouble)(do, reader, **content)

    def layer(self, site: Site) -> Layer:
        """Make a layer at a place."""
        return self._layer(site=site_as_data(site))

    def application(self, end: FlowEnd) -> Layer:
        """Make one end of an application."""
        return self._layer(end=end_as_data(end))

    def device(self, clock: Clock, feed: Feed, seed: int) -> Equipment:
        """Make two devices with a link."""
        return PipedDevice(self.read, self.number(), clock, feed).begin(seed)

    def _layer(self, **place: Any) -> Layer:
        number = self.number()
        answer = self.ask("layer", layer=number, **place)
        names = answer.get("handles")
        known = lines.kinds()
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise self._trouble(f"'handles' is {names!r}; expected a list of nouns")
        strange = [name for name in names if name not in known]
        if strange:
            raise self._trouble(
                f"it handles '{strange[0]}', which is no noun of the standard.{nearest(strange[0], known)}"
            )
        return PipedLayer(self, number, [known[name] for name in names])

    def router(self, view: NetworkView) -> Callable[[int, int, float], Route | NoRoute]:
        """Make a router for a network."""
        number = self.number()
        self.ask("router", router=number, view=view_as_data(view))

        def route(source: int, target: int, min_fidelity: float) -> Route | NoRoute:
            asked = {"source": source, "target": target, "min_fidelity": min_fidelity}
            answer = self.ask("route", router=number, **asked)
            try:
                if "no_route" in answer:
                    return NoRoute(str(answer["no_route"]), tuple(answer.get("path", ())))
                found = Route(
                    tuple(answer["path"]), tuple(answer["fidelities"]), float(answer["expected"]), *_rate(answer)
                )
            except (KeyError, TypeError, ValueError) as error:
                raise self._trouble(f"'route' was answered by neither a route nor 'no_route': {answer}") from error
            return found

        return route

    @property
    def hardware(self) -> PipedPlatform:
        """The platform; a model has no state, so there is nothing to make."""
        return platform(self.ask, self._trouble)

    def answers(self, layer: int, noun: Noun, ctx: Context) -> list[Noun]:
        """Return what a layer answers to a noun."""
        sent = {"timer": noun.name} if isinstance(noun, lines.Named) else {"noun": lines.plain(noun)}
        answer = self.ask("give", layer=layer, now=str(ctx.now), sender=ctx.sender, **sent)
        out = answer.get("out")
        if not isinstance(out, list):
            raise self._trouble(f"'out' is {out!r}; expected a list of nouns")
        try:
            return [lines.noun_of(one) for one in out]
        except WireError as error:
            raise self._trouble(str(error)) from error


def _rate(answer: Mapping[str, Any]) -> tuple[float, ...]:
    return (float(answer["rate"]),) if "rate" in answer else ()


class PipedLayer(Layer):
    """A layer whose handlers are questions to a program."""

    name = "program"

    def __init__(self, program: Program, number: int, handles: Iterable[type[Noun]]) -> None:
        self._program = program
        self._number = number
        self._handles: tuple[type[Noun], ...] = (*handles, lines.Named, lines.Tidying)

    def handlers(self) -> dict[type[Noun], Callable[[Any, Context], list[Noun]]]:  # type: ignore[override]  # answers are lists
        """Return the same question for everything that the program handles."""
        return dict.fromkeys(self._handles, self._ask)

    def _ask(self, noun: Noun, ctx: Context) -> list[Noun]:
        return self._program.answers(self._number, noun, ctx)
