"""The correlator tier as hosts see it: data sheets in, a medium out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf

from qstack.core.clock import Clock
from qstack.core.layer import Handler, Layer
from qstack.core.nouns import Noun
from qstack.hardware.course import courses
from qstack.hardware.cryostat import Cold
from qstack.hardware.device import Device
from qstack.hardware.lanes import Setting
from qstack.hardware.medium import Medium
from qstack.hardware.models import RelaxingMemory
from qstack.hardware.pairs import Exponential, Law
from qstack.hardware.register import Register
from qstack.plugin.contracts import LinkSheet, MemoryModel, Platform
from qstack.plugin.sheet import SharedQubits
from qstack.plugin.units import FOR_EVER
from qstack.quantum.states import bell_from_correlators
from qstack.quantum.swapping import swap_factors


@dataclass(frozen=True, slots=True)
class TotalAge:
    """A decay law of any form: between two ages the factors are ratios of the total decay."""

    model: MemoryModel

    def survival(self, start: int, end: int) -> tuple[float, float]:
        """Return the factors on (x and y, z) between two ages [ps]."""
        before = self.model.decay(start * 1e-12)
        after = self.model.decay(end * 1e-12)
        return (after.xy / before.xy if before.xy else 0.0), (after.z / before.z if before.z else 0.0)


def law_of(memory: MemoryModel) -> Law | None:
    """Return the decay law of a memory; None if nothing ever happens to what it stores."""
    if not isinstance(memory, RelaxingMemory):
        return TotalAge(memory)
    t1, t2 = (inf if t >= FOR_EVER else float(t) for t in (memory.relaxation_time, memory.coherence_time))
    return None if t1 == t2 == memory.dephasing_attempts == inf else Exponential(t1, t2)


def device_of(platform: Platform) -> Device:
    """Return what the medium needs to know of a platform."""
    return Device(
        law=law_of(platform.memory),
        swap_factors=swap_factors(platform.gate_noise, platform.readout_error),
        readout=1 - 2 * platform.readout_error,
        swap_time=platform.swap_time,
        readout_time=platform.readout_time,
        gate=1 - platform.gate_noise,
        lasting=platform.memory.dephasing_attempts,
        cold=_cold(platform),
        register=_register(platform.qubits),
        bell_outcomes=platform.bell_outcomes,
        bell_efficiency=platform.bell_efficiency,
    )


def _cold(platform: Platform) -> Cold | None:
    turns = tuple(turn for span in platform.cold_spans for turn in span if turn < FOR_EVER)
    return None if turns == (0,) else Cold(turns, platform.warm_loses)


def _register(qubits: SharedQubits | None) -> Register | None:
    if qubits is None:
        return None
    return Register(qubits.communication, qubits.storage, qubits.move_time, qubits.move_noise, qubits.reach)


class CorrelatorTier(Medium):
    """All quantum state of a network as pairs of three correlators."""

    def __init__(
        self,
        clock: Clock,
        seed: int,
        shot: int,
        attempts: str,
        midpoint: Callable[[tuple[int, int]], Layer] | None = None,
    ) -> None:
        super().__init__(clock, seed, shot, attempts=attempts, midpoint=midpoint)

    def place(self, number: int, name: str, platform: Platform) -> dict[type[Noun], Handler]:
        """Add a node and return the table that answers its device requests."""
        self.add_node(number, device_of(platform))
        return self.effects(number, name)

    def connect(self, number: int, feed: Callable[[Noun, int], None]) -> None:
        """Say what gives a node an indication."""
        self.feeds[number] = feed

    def join(self, ends: tuple[int, int], name: str, sheet: LinkSheet) -> None:
        """Add a link between two nodes that are known."""
        changing = courses([(phase.until, phase.heralds) for phase in sheet.phases], len(sheet.heralds))
        settings = [
            Setting(sheet.period, herald.probability, herald.outcomes, course)
            for herald, course in zip(sheet.heralds, changing, strict=True)
        ]
        self.add_link(ends, sheet.lanes, settings, sheet.emit, sheet.reply, name)

    def overlap(self, number: int, qubit: int, bell: int, now: int) -> float:
        """Return the overlap of a qubit's pair with a Bell state, and stop this half's ageing: it is consumed."""
        half = self.qubits[number][qubit]
        half.age(now)
        half.law = None
        half.consumed = True
        pair = half.pair
        if pair.bell == bell:
            return (1.0 + pair.x + pair.y + pair.z) / 4.0
        return bell_from_correlators((pair.x, pair.y, pair.z))[pair.bell ^ bell]

    def counts(self, number: int) -> Mapping[str, float]:
        """Return what a node's device did, halves that are still held included."""
        box = self.boxes[number]
        held = sum(self.clock.now - half.born for half in self.qubits[number].values())
        memories = sum(len(link.lanes) for link, _ in self.ports[number].values())
        busy = (box.busy + held) * 1e-12
        found = {"swaps": box.swaps, "discards": box.discards, "memories": memories, "busy_s": busy}
        return found if box.device.certain else {**found, "swaps_failed": box.failed}

    def pairs(self, ends: tuple[int, int]) -> int:
        """Return how many pairs a link has made."""
        return self.links[ends].successes
