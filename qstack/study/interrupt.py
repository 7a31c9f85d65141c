"""A user who has had enough: the run stops between two events, so that what was finished is whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from qstack.hosts.simulation import Simulation


@dataclass(slots=True)
class Interrupt:
    """Whether a user has asked to stop."""

    received: bool = False


@contextmanager
def stop_on_interrupt(simulation: Simulation) -> Iterator[Interrupt]:
    """Let the first ^C stop a simulation after its present event; a second one is not held back.

    Only the main thread can take signals: in others a ^C is not seen here.
    """
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    before = signal.getsignal(signal.SIGINT)

    def stop(number: int, frame: FrameType | None) -> None:
        interrupt.received = simulation.stopped = True
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, stop)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, before)
