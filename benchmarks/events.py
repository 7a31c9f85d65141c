"""Empty events: how fast the heap of the virtual-time host turns."""

from __future__ import annotations

from time import process_time

from qstack.hosts.simulation import Simulation


def events(depth: int, number: int = 400_000) -> float:
    """Return events per CPU-second, each of which asks for its successor, with `depth` of them pending."""
    simulation = Simulation()
    left = number

    def again(step: int) -> None:
        nonlocal left
        left -= 1
        if left > 0:
            simulation.at(simulation.now + step, again, step)

    for i in range(depth):
        simulation.at(i, again, 1000 + i)
    begin = process_time()
    simulation.run(1 << 62)
    return simulation.events / (process_time() - begin)
