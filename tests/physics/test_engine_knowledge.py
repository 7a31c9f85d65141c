"""What layers can know: heralds and outcomes, and never the state behind them."""

from __future__ import annotations

import pytest

from benchmarks.p1 import PERIOD, PROBABILITY, Flow, Network, chain
from qstack.core.nouns import Noun
from qstack.hardware.lanes import Setting
from qstack.plugin.contracts import Outcome
from qstack.services.device import Bits, DrawBits, Free, Herald, Measure, Measured, Swap, Swapped, Trigger
from qstack.services.l5_application import Consumed

CROSS = [(0, 2), (1, 2), (2, 3), (3, 4), (3, 5)]


class Tape:
    """Writes down all that enters and leaves the layers of every node."""

    def __init__(self, net: Network) -> None:
        self.lines: list[str] = []
        self.said: list[tuple[int, Noun]] = []
        self.heralds: list[tuple[int, int, Herald]] = []
        for number, node in net.simulation.nodes.items():
            for kind, handler in node.table.items():
                node.table[kind] = self._tapped(number, handler)

    def _tapped(self, number, handler):
        def tapped(noun, context):
            self.lines.append(f"{context.now} {number} {noun!r}")
            self.said.append((number, noun))
            if isinstance(noun, Herald):
                self.heralds.append((context.now, number, noun))
            return handler(noun, context)

        return tapped


def settings(correlators: tuple[float, float, float]) -> tuple[Setting, ...]:
    return (Setting(PERIOD, PROBABILITY, (Outcome(0.5, 2, correlators), Outcome(0.5, 3, correlators))),)


@pytest.mark.requirement("QS-CV-012")
def test_layers_cannot_see_the_state():
    """Two media with the same heralds, times and outcomes, but hidden states of F = 1 and F = 0.25."""
    tapes, fidelities = [], []
    for hidden in ((1.0, 1.0, 1.0), (0.0, 0.0, 0.0)):
        net = Network(CROSS, [Flow(0, 4, 200), Flow(5, 2, 200)], seed=3, settings=settings(hidden))
        tape = Tape(net)
        net.start()
        net.run(3)
        tapes.append("\n".join(tape.lines).encode())
        fidelities.append(max(net.tally.fidelities))
    assert tapes[0] == tapes[1]
    assert len(tapes[0]) > 10**6
    assert fidelities[0] > 0.9
    assert fidelities[1] == 0.25


@pytest.mark.requirement("QS-L2-023", "QS-L3-044")
def test_the_estimate_of_the_layers_is_right_on_average():
    net = chain(3, number=4000, seed=6)
    estimates = []
    table = net.simulation.nodes[0].table
    consumed = table[Consumed]
    table[Consumed] = lambda noun, context: (estimates.append(noun.estimate), consumed(noun, context))[1]
    net.start()
    net.run(10)
    true = sum(net.tally.fidelities) / len(net.tally.fidelities)
    assert sum(estimates) / len(estimates) == pytest.approx(true, abs=0.01)


ANSWERED = (Swap, Measure, DrawBits)
TO_DEVICE = (*ANSWERED, Trigger, Free)


@pytest.mark.parametrize("attempts", ["skip", "each"])
def test_equal_heralds_give_equal_transcripts_above_the_physical_layer(attempts):
    """What a run's device said is played to fresh layers by a device that knows nothing: they say the same."""
    edges, flows = [(0, 1), (1, 2)], [Flow(0, 2, 40, key=True)]
    net = Network(edges, flows, seed=8, attempts=attempts)
    tape = Tape(net)
    net.start()
    net.run(2)
    assert net.tally.delivered == [40]
    again = Network(edges, flows, seed=99)
    answers = {node: [n for at, n in tape.said if at == node and isinstance(n, ANSWERS)] for node in (0, 1, 2)}
    for number, node in again.simulation.nodes.items():
        for kind in TO_DEVICE:
            node.table[kind] = puppet(answers[number])
        node.table[Consumed] = puppet([])
    other = Tape(again)
    again.start()
    for now, number, noun in tape.heralds:
        feed = again.simulation.nodes[number].feed
        again.simulation.at(now, lambda noun, feed=feed: feed(noun, again.simulation.now), noun)
    again.run(2)
    assert above(other) == above(tape)
    assert len(above(tape)) > 1000


ANSWERS = (Swapped, Measured, Bits)


def puppet(answers: list[Noun]):
    """Return a handler that gives the next answer of a list to requests that have one."""
    return lambda noun, _: (answers.pop(0),) if isinstance(noun, ANSWERED) else ()


def above(tape: Tape) -> list[str]:
    """Return a tape without the lines of the lowest boundary; lines of one instant in any order."""
    lowest = tuple(f"{kind.__name__}(" for kind in TO_DEVICE)
    return sorted(line for line in tape.lines if not line.split(" ", 2)[2].startswith(lowest))
