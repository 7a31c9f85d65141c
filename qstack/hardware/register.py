"""Communication and storage qubits: nodes whose links share the few qubits that can send photons.

A lane of such a node attempts only while it has a communication qubit there.  Which lane has one is settled between the
two ends without delay, first come, first served: a lane that both ends want, with room for its pair at both, waits in
line until each end has a communication qubit for it.  A pair that is kept holds its communication qubit until it is
used, or until another lane waits for one and a storage qubit is free: then it is moved there, which takes a gate with
its time and its noise, and only then the communication qubit attempts again.  A lane whose pairs are measured at once
goes back to the end of the line after a success for which others wait.

    lane   CLOSED --wanted, room at both ends--> WAITING --communication qubits at both ends--> OPEN --success--> FULL
              ^-------------------------- no longer wanted ------------------------------------'
    half   COMMUNICATION --another lane waits--> MOVING --the gate has ended--> STORAGE
              '------------ used (swapped, measured, freed): where it is, it gives back its place
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qstack.core.clock import Clock

if TYPE_CHECKING:
    from qstack.hardware.lanes import Lane
    from qstack.hardware.pairs import Half


class Register:
    """The qubits of one node that are free, and who waits for them.

    Parameters
    ----------
    communication, storage
        How many.
    move_time
        From a communication into a storage qubit [ps].
    move_noise
        Probability that the move leaves the fully mixed state.
    reach
        Storage qubits that each communication qubit reaches, counted from 0; empty: every one reaches all.

    Attributes
    ----------
    emitters, stores
        Free communication and storage qubits, by number.
    queue
        Lanes that wait for a communication qubit, here or at their other end.
    places
        What is taken.
    """

    def __init__(
        self,
        communication: int,
        storage: int = 0,
        move_time: int = 0,
        move_noise: float = 0.0,
        reach: Sequence[Sequence[int]] = (),
    ) -> None:
        self._given = communication, storage, move_time, move_noise, reach
        self.emitters = list(range(communication))
        self.stores = list(range(storage))
        self.move_time = move_time
        self.move_noise = move_noise
        self.reach = reach
        self.queue: list[Lane] = []
        self.places: list[Place] = []

    @property
    def communication(self) -> int:
        """How many communication qubits are free."""
        return len(self.emitters)

    @property
    def storage(self) -> int:
        """How many storage qubits are free."""
        return len(self.stores)

    def unused(self) -> Register:
        """Return a register like this one for another node."""
        return Register(*self._given)

    def store_for(self, emitter: int) -> int:
        """Return a free storage qubit that a communication qubit reaches, -1 if there is none."""
        return next((store for store in self.stores if not self.reach or store in self.reach[emitter]), -1)


@dataclass(slots=True, eq=False)
class Place:
    """The qubit of a register that a lane has at one end.

    Parameters
    ----------
    lane, side
        Whose it is.
    register
        Of the node.
    emitter, store
        Number of its communication qubit, and of the storage qubit that is taken for it; -1 while none is.
    half
        What is in it, from when its end knows of it on [ps]; None while attempts are made.
    moving, stored
        Whether the half is on its way into a storage qubit, which is taken already, or has come there.
    """

    lane: Lane
    side: int
    register: Register
    emitter: int
    store: int = -1
    half: Half | None = None
    since: int = 0
    moving: bool = False
    stored: bool = False


class Exchange:
    """Who may attempt, in a network of which some nodes have registers.

    Parameters
    ----------
    clock
        The host.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.registers: dict[int, Register] = {}
        self.places: dict[tuple[Lane, int], Place] = {}

    def admit(self, lane: Lane, now: int) -> bool:
        """Tell whether a lane may attempt; one that may not waits in line, and is told when it may."""
        if lane.open:
            return True
        if _ready(lane) and self._line_up(lane):
            for _, register in list(self._sides(lane)):
                self.serve(register, now)
        return False

    def serve(self, register: Register, now: int) -> None:
        """Give free communication qubits to the lanes that have waited longest, and make room for the others."""
        for lane in list(register.queue):
            sides = list(self._sides(lane))
            if lane.open or not _ready(lane):
                _leave(lane, sides)
            elif all(own.communication for _, own in sides):
                _leave(lane, sides)
                for side, own in sides:
                    place = self.places[lane, side] = Place(lane, side, own, own.emitters.pop(0))
                    own.places.append(place)
                lane.open = True
                lane.link.settle(lane, now)
                lane.link.resume(lane, now)
            else:
                for _, own in sides:
                    if not own.communication:
                        self._make_room(own, now)

    def close(self, lane: Lane, cycle: int, now: int) -> None:
        """Take a lane's communication qubits when it is no longer wanted: its last attempt fails at the end of its cycle."""
        lane.open = False
        for side, _ in self._sides(lane):
            self.clock.at(-(-now // cycle) * cycle, self._end, self.places.pop((lane, side)))

    def contested(self, lane: Lane) -> bool:
        """Tell whether an open lane has what others wait for: one that measures at once fills nothing, and goes on."""
        if not lane.open:
            return False
        return any(register.queue for _, register in self._sides(lane) if not register.communication)

    def take_turns(self, lane: Lane, cycle: int, now: int) -> None:
        """Send an open lane to the end of the line."""
        self.close(lane, cycle, now)
        lane.link.settle(lane, now)
        self._line_up(lane)

    def fill(self, lane: Lane, side: int, half: Half | None, since: int) -> None:
        """Put a half into the communication qubit that it was made with, or give that back if nothing is kept."""
        lane.open = False
        place = self.places.get((lane, side))
        if place is None:
            return
        if half is None:
            self._end(self.places.pop((lane, side)))
            return
        place.half, place.since = half, since
        self.clock.at(since, self._look, place.register)

    def release(self, lane: Lane, side: int) -> None:
        """Have the qubit back in which a lane's half was."""
        place = self.places.pop((lane, side), None)
        if place is not None:
            self._end(place)

    def _line_up(self, lane: Lane) -> bool:
        """Have a lane wait at each end, and tell whether it has not waited already."""
        queues = [register.queue for _, register in self._sides(lane)]
        if any(lane in queue for queue in queues):
            return False
        for queue in queues:
            queue.append(lane)
        return True

    def _sides(self, lane: Lane) -> Iterator[tuple[int, Register]]:
        for side, end in enumerate(lane.link.ends):
            register = self.registers.get(end.node)
            if register is not None:
                yield side, register

    def _end(self, place: Place) -> None:
        register = place.register
        if place.store >= 0:
            insort(register.stores, place.store)
        if not place.stored:
            insort(register.emitters, place.emitter)
        register.places.remove(place)
        place.half = None
        self.serve(register, self.clock.now)

    def _look(self, register: Register) -> None:
        self.serve(register, self.clock.now)

    def _make_room(self, register: Register, now: int) -> None:
        """Begin to move the half that has been longest in a communication qubit, unless enough are moving."""
        if not register.stores or sum(place.moving for place in register.places) >= len(register.queue):
            return
        kept = [place for place in register.places if place.half is not None and not (place.moving or place.stored)]
        ready = [place for place in kept if place.since <= now and _held(place)]
        ready = [place for place in ready if register.store_for(place.emitter) >= 0]
        if ready:
            place = min(ready, key=lambda one: one.since)
            place.store = register.store_for(place.emitter)
            register.stores.remove(place.store)
            place.moving = True
            self.clock.at(now + register.move_time, self._moved, place)

    def _moved(self, place: Place) -> None:
        half, register = place.half, place.register
        if half is None or not place.moving:
            return  # used before the gate had ended
        place.moving = False
        if not _held(place):
            insort(register.stores, place.store)  # being used where it was
            place.store = -1
            return
        half.age(self.clock.now)
        half.depolarise(1 - register.move_noise)
        place.stored = True
        insort(register.emitters, place.emitter)
        self.serve(register, self.clock.now)


def _leave(lane: Lane, sides: list[tuple[int, Register]]) -> None:
    for _, register in sides:
        register.queue.remove(lane)


def _ready(lane: Lane) -> bool:
    """Tell whether both ends want the same of a lane and have room for its pair."""
    return lane.agreed and lane.free[0] and lane.free[1] and lane.next is None


def _held(place: Place) -> bool:
    """Tell whether a half is still in its memory, and not taken by an operation that goes on."""
    return place.half in place.lane.link.ends[place.side].qubits.values()
