"""Tests of devices about the memories that are free: counted when asked for, and told of when there is one again."""

from __future__ import annotations

from typing import Any

from qstack.conformance.device_talk import Bench
from qstack.conformance.marks import Unsupported, course, requirement
from qstack.services.device import AskRoom, Free, Room


class RoomTests:
    """Memories of a link, by number."""

    def _full(self, make: Any) -> Bench:
        """Return two devices whose memories are full; suites say how they come to a bench."""
        bench: Bench = self.bench(make)  # type: ignore[attr-defined]  # of the suite
        if AskRoom not in bench.tables[1]:
            raise Unsupported("counting free memories")
        bench.ask(1, AskRoom(2))
        for lane in range(bench.sheet.lanes):
            bench.attempt(lane=lane)
        bench.rounds(60)
        assert len(bench.heralds(1)) == bench.sheet.lanes, "not every lane has had its success"
        bench.attempt(-1)
        for lane in range(bench.sheet.lanes):
            bench.attempt(-1, lane=lane)
        bench.ask(1, AskRoom(2))
        return bench

    @course
    @requirement("QS-L1-310")
    def test_free_memories_are_counted(self, make: Any) -> None:
        """When all are free, when none is, and in between; only those of the own end."""
        bench = self._full(make)
        lanes = bench.sheet.lanes
        assert bench.all(Room, 1) == [Room(2, lanes), Room(2, 0)], (
            f"{bench.all(Room, 1)}: first {lanes} are free, then 0"
        )
        bench.ask(2, Free(bench.heralds(2)[0][1].qubit))
        bench.wait(10**9)
        bench.ask(2, AskRoom(1))
        bench.ask(1, AskRoom(2))
        told = (bench.all(Room, 1)[-1], bench.all(Room, 2)[-1])
        assert told == (Room(2, 0), Room(1, 1)), f"{told}: one memory is free at the other end, and none at this"

    @course
    @requirement("QS-L1-311")
    def test_the_first_memory_that_is_freed_is_told_of(self, make: Any) -> None:
        """Once, and only where it was asked for."""
        bench = self._full(make)
        before = len(bench.all(Room, 1))
        for count, (_, herald) in enumerate(bench.heralds(1)):
            bench.ask(1, Free(herald.qubit))
            bench.wait(10**9)
            told = bench.all(Room, 1)[before:]
            assert told == [Room(2, 1)], (
                f"{told} after {count + 1} of the memories were freed: the first one is told of"
            )
        assert not bench.all(Room, 2), "nobody has asked at the other end"
