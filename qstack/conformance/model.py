"""A hardware model that is a program: its pure functions, asked over the pipe as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar

from qstack.conformance.answers import real, time, two_times
from qstack.conformance.judge import plainly
from qstack.conformance.marks import Unsupported
from qstack.conformance.sheets import arms_as_data, herald_of
from qstack.core.errors import WireError
from qstack.plugin.contracts import Decay
from qstack.plugin.links import Arm, Herald
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
        return self.ask("decay", _decay, age_s=age_s)

    def survival(self) -> Storage:
        """Return the factor that layers are told."""
        return lambda age: self.ask("survival", lambda a: real(a, "factor"), age=str(age))


def _decay(answer: Mapping[str, Any]) -> Decay:
    return Decay(real(answer, "xy"), real(answer, "z"), real(answer, "shift") if "shift" in answer else 0.0)


@dataclass(frozen=True)
class PipedInterface(Sheetless):
    """How entanglement is made and heralded, by a program."""

    ask: Ask

    def herald(self, _other: PipedInterface, arms: tuple[Arm, Arm]) -> tuple[Herald, ...]:
        """Return every setting of a link between two of a kind."""
        return self.ask("herald", lambda a: tuple(herald_of(one) for one in a["heralds"]), arms=arms_as_data(arms))

    def period(self, arms: tuple[Arm, Arm]) -> int:
        """Return the time from one attempt to the next [ps]."""
        return self.ask("period", lambda a: time(a, "period"), arms=arms_as_data(arms))

    def emit(self, arms: tuple[Arm, Arm]) -> tuple[int, int]:
        """Return when each end emits [ps]."""
        return self.ask("emit", lambda a: two_times(a, "times"), arms=arms_as_data(arms))

    def reply(self, arms: tuple[Arm, Arm]) -> tuple[int, int]:
        """Return when each end hears the answer [ps]."""
        return self.ask("reply", lambda a: two_times(a, "times"), arms=arms_as_data(arms))


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
        except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, WireError) as error:
            raise trouble(
                f"'{do}' was answered by {plainly(str(answer), 100)}: {type(error).__name__}: {error}"
            ) from error

    return read


def platform(ask: Callable[..., Mapping[str, Any]], trouble: Callable[[str], Exception]) -> PipedPlatform:
    """Return the platform that a program is."""
    read = reading(ask, trouble)
    return PipedPlatform(PipedMemory(read), PipedInterface(read))
