"""A subject that is a program: the judge's end of the pipe.

Every line to the program is an object with ``re``, a number, and ``do``, what is asked; every line back has the same
``re``.  ``specs/conformance/conformance.md`` holds the table of what is asked.  Whatever the program does wrong becomes
a `Trouble`, which is a verdict; the next test speaks to a fresh process.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from qstack.conformance import lines
from qstack.conformance.answers import real, reals
from qstack.conformance.features import NONSENSE
from qstack.conformance.judge import OutOfTime, plainly
from qstack.conformance.model import PipedPlatform, platform, reading
from qstack.conformance.piped import Strategies
from qstack.conformance.piped_layers import Layers
from qstack.conformance.piped_media import Media
from qstack.conformance.places import view_as_data
from qstack.conformance.process import Fault, Process
from qstack.core.errors import ConfigError, LocalProtocolError, PhysicsError, RemoteProtocolError, WireError
from qstack.hosts.plain import object_of, simple
from qstack.plugin.sites import NetworkView
from qstack.services.strategies import NoRoute, Route

T = TypeVar("T")

PROTOCOL = 1
"""Version of what is spoken on the pipe."""
REFUSALS: Mapping[str, type[Exception]] = {
    "local": LocalProtocolError,
    "physics": PhysicsError,
    "remote": RemoteProtocolError,
}


WORDS = 1000
"""So much of a reason that a program gives is read [characters]."""
LAYERS = ("link", "network", "physical", "transport")
"""Profiles of which the subject is a layer."""


class Trouble(AssertionError):
    """The program does not keep to the protocol of the pipe."""


class Program(Layers, Media, Strategies):
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

    _process: Process | None = None

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

    def _begin(self) -> Process:
        try:
            self._process = Process(self.command)
        except OSError as error:
            raise ConfigError(f"--exec {self.command[0]}  cannot be run: {error.strerror}.") from error
        answer = self._ask(
            self._process,
            "hello",
            {"protocol": PROTOCOL, "profile": self.profile, "features": [NONSENSE, *self.features]},
        )
        if answer.get("protocol") != PROTOCOL:
            raise self.trouble(f"it speaks version {answer.get('protocol')!r} of the pipe, the judge {PROTOCOL}")
        claims = answer.get("features")
        if claims is not None and not (isinstance(claims, list) and all(isinstance(name, str) for name in claims)):
            raise self.trouble(f"'features' is {claims!r}; expected a list of names, or nothing where it says nothing")
        for name in claims or ():
            if name not in self.features:
                raise self.trouble(
                    f"it claims the feature {name[:60]!r}, which nobody has: its claims are not believed"
                )
        self._claims = claims
        self._version = plainly(answer["version"], 60) if isinstance(answer.get("version"), str) else None
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

    def complaints(self) -> str:
        """Return what the program has written to its standard error; nothing if it does not run."""
        return self._process.complaints() if self._process is not None else ""

    def _ask(self, process: Process, do: str, content: Mapping[str, Any]) -> dict[str, Any]:
        self.asked += 1
        try:
            data = process.exchange(do, lines.line({"re": self.asked, "do": do, **content}), self.patience)
        except Fault as fault:
            raise self.trouble(str(fault)) from None
        except BaseException as error:  # out of time, or ^C: nobody will read the answer that may still come
            self.close()
            if isinstance(error, OutOfTime):
                error.args = (f", waiting for the answer to '{do}'",)
            raise
        try:
            answer = object_of(data)
        except WireError as error:
            raise self.trouble(f"the answer to '{do}' is {error}") from error
        number = answer.pop("re", None)
        if type(number) is not int or number != self.asked:
            raise self.trouble(f"the answer to '{do}', question {self.asked}, is for another one: {data[:60]!r}")
        if not isinstance(answer.get("refused", "local"), str) or answer.get("refused", "local") not in REFUSALS:
            raise self.trouble(f"it refuses '{do}' as {answer['refused']!r:.60}; allowed: {', '.join(REFUSALS)}")
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
            raise REFUSALS[answer["refused"]](plainly(str(answer.get("why", "")), WORDS))
        return answer

    def trouble(self, words: str) -> Trouble:
        """Return the error of a program that does not keep to the protocol of the pipe; its process is ended."""
        self.close()
        return Trouble(f" - the program on the pipe: {words}")

    def close(self) -> None:
        """End the process, if there is one, and all that it has started."""
        process, self._process = self._process, None
        if process is not None:
            process.close()

    # -- what the suites take -----------------------------------------------------------------------------------------

    def number(self) -> int:
        """Return a number for something new."""
        self.made += 1
        return self.made

    def read(self, do: str, reader: Callable[[Mapping[str, Any]], T], **content: Any) -> T:
        """Ask one question and return what the reader makes of the answer."""
        return reading(self.ask, self.trouble)(do, reader, **content)

    def router(self, view: NetworkView) -> Callable[[int, int, float], Route | NoRoute]:
        """Make a router for a network."""
        number = self.number()
        self.read("router", dict, router=number, view=view_as_data(view))

        def route(source: int, target: int, min_fidelity: float) -> Route | NoRoute:
            asked = {"source": source, "target": target, "min_fidelity": min_fidelity}
            return self.read("route", _route, router=number, **asked)

        return route

    @property
    def subject(self) -> Any:
        """What the suite of the profile takes."""
        return self.layer if self.profile in LAYERS else getattr(self, self.profile.replace("-", "_"))

    @property
    def hardware(self) -> PipedPlatform:
        """The platform; a model has no state, so there is nothing to make."""
        return platform(self.ask, self.trouble)


def _route(answer: Mapping[str, Any]) -> Route | NoRoute:
    if "no_route" in answer:
        return NoRoute(
            plainly(str(answer["no_route"]), WORDS), simple("path", answer.get("path", []), "tuple[int, ...]")
        )
    rate = (real(answer, "rate"),) if "rate" in answer else ()
    path = simple("path", answer["path"], "tuple[int, ...]")
    return Route(path, reals(answer, "fidelities"), real(answer, "expected"), *rate)
