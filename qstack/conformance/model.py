"""A hardware model that is a program: its pure functions, asked over the pipe as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar

from qstack.conformance.marks import Unsupported
from qstack.core.errors import WireError
from qstack.hosts.plain import time_of
from qstack.plugin.contracts import Decay
from qstack.plugin.links import Arm, Herald, Outcome
from qstack.services.strategies import Storage

T = TypeVar("T")


class Ask(Protocol):
    """Asks a program, and reads its answer."""

    def __call__(self, do: str, reader: Callable[[Mapping[str, Any]], T], **content: Any) -> T:
        """Return what the reader makes of the answer."""
        ...


class Sheetless:
    """A part of a model whose data sheet is the program's own business."""

    model_fields: ClassVar[Mapping[str, Any]] = {}

    @classmethod
    def model_validate(cls, *_: Any, **__: Any) -> Any:
        """Say that there is no sheet to be read or written.

        Raises
        ------
        Unsupported
            Always.
        """
        raise Unsupported("data sheets of programs")

    model_dump = model_validate


@dataclass(frozen=True)
class PipedMemory(Sheetless):
    """How a stored qubit decays, by a program; `ask` takes a question, what reads the answer, and the question's content."""

    ask: Ask

    def decay(self, age_s: float) -> Decay:
        """Return what is left after an age [s]."""
        return self.ask("decay", lambda a: Decay(float(a["xy"]), float(a["z"]), float(a.get("shift", 0))), age_s=age_s)

    def survival(self) -> Storage:
        """Return the factor that layers are told."""
        return lambda age: self.ask("survival", lambda a: float(a["factor"]), age=str(age))


@dataclass(frozen=True)
class PipedInterface(Sheetless):
    """How entanglement is made and heralded, by a program."""

    ask: Ask

    def herald(self, _other: PipedInterface, arms: tuple[Arm, Arm]) -> tuple[Herald, ...]:
        """Return every setting of a link between two of a kind."""
        return self.ask("herald", lambda a: tuple(herald_of(one) for one in a["heralds"]), arms=_data(arms))

    def period(self, arms: tuple[Arm, Arm]) -> int:
        """Return the time from one attempt to the next [ps]."""
        return self.ask("period", lambda a: time_of("period", a["period"]), arms=_data(arms))

    def emit(self, arms: tuple[Arm, Arm]) -> tuple[int, int]:
        """Return when each end emits [ps]."""
        return self.ask("emit", _times, arms=_data(arms))

    def reply(self, arms: tuple[Arm, Arm]) -> tuple[int, int]:
        """Return when each end hears the answer [ps]."""
        return self.ask("reply", _times, arms=_data(arms))


def _data(arms: tuple[Arm, Arm]) -> list[dict[str, Any]]:
    return [{"transmission": arm.transmission, "delay": str(arm.delay)} for arm in arms]


def _times(answer: Mapping[str, Any]) -> tuple[int, int]:
    first, second = answer["times"]
    return time_of("times", first), time_of("times", second)


def herald_of(content: Mapping[str, Any]) -> Herald:
    """Return one setting of a link.

    Raises
    ------
    KeyError, TypeError, ValueError
        If it is none.
    """
    outcomes = tuple(_outcome(one) for one in content["outcomes"])
    return Herald(float(content["parameter"]), float(content["probability"]), outcomes)


def _outcome(content: Mapping[str, Any]) -> Outcome:
    state = content.get("state")
    rows = None if state is None else tuple(tuple(map(float, row)) for row in state)
    return Outcome(float(content["share"]), content["bell"], three(content["correlators"]), rows)


def three(numbers: Any) -> tuple[float, float, float]:
    """Return three numbers.

    Raises
    ------
    TypeError, ValueError
        If there are not three of them.
    """
    x, y, z = map(float, numbers)
    return x, y, z


@dataclass(frozen=True)
class PipedPlatform:
    """Both parts of a platform."""

    memory: PipedMemory
    interface: PipedInterface


def reading(ask: Callable[..., Mapping[str, Any]], trouble: Callable[[str], Exception]) -> Ask:
    """Return what asks a program and reads its answer.

    Parameters
    ----------
    ask
        Asks the program.
    trouble
        Makes an error of what is wrong with an answer.
    """

    def read(do: str, reader: Callable[[Mapping[str, Any]], T], **content: Any) -> T:
        answer = ask(do, **content)
        try:
            return reader(answer)
        except (KeyError, TypeError, ValueError, AttributeError, WireError) as error:
            raise trouble(f"'{do}' was answered by {str(answer)[:100]}: {type(error).__name__}: {error}") from error

    return read


def platform(ask: Callable[..., Mapping[str, Any]], trouble: Callable[[str], Exception]) -> PipedPlatform:
    """Return the platform that a program is."""
    read = reading(ask, trouble)
    return PipedPlatform(PipedMemory(read), PipedInterface(read))
