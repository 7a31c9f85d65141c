"""The virtual-time host: order, timers, standstill."""

from __future__ import annotations

import pytest

from qstack.core.errors import HostError
from qstack.core.layer import Layer, on
from qstack.core.nouns import Cancel, Indication, Message, Request, Send, Set, Timer, noun, timer
from qstack.hosts.simulation import Simulation


@noun
class Go(Request):
    number: int


@noun
class Done(Indication):
    number: int


@noun
class Ping(Message):
    number: int


@timer
class Due(Timer):
    number: int


class Station(Layer):
    name = "station"

    @on(Go)
    def go(self, req, ctx):
        yield Send(1 - ctx.node, Ping(req.number))
        yield Set(Due(req.number), ctx.now + 100)
        if req.number == 2:
            yield Set(Due(2), ctx.now + 50)
        if req.number == 3:
            yield Cancel(Due(3))

    @on(Ping, Due)
    def done(self, noun, ctx):
        yield Done(noun.number)


def network() -> tuple[Simulation, list]:
    log: list = []
    simulation = Simulation()
    for number in (0, 1):
        user = {Done: lambda noun, ctx: log.append((ctx.now, ctx.node, noun.number)) or ()}
        simulation.add_node(number, [Station()], {}, lambda a, b: 30 if a < b else 40, user)
    return simulation, log


def test_messages_take_their_time_and_timers_come_back():
    simulation, log = network()
    simulation.nodes[0].feed(Go(1), 0)
    simulation.run(1000)
    assert log == [(30, 1, 1), (100, 0, 1)]
    assert simulation.messages == {0: 1, 1: 0}
    assert simulation.idle


@pytest.mark.requirement("QS-CV-007")
def test_a_timer_is_armed_anew_and_a_cancelled_one_never_comes():
    simulation, log = network()
    for number in (2, 3):
        simulation.nodes[0].feed(Go(number), 0)
    simulation.run(1000)
    assert log == [(30, 1, 2), (30, 1, 3), (50, 0, 2)]


@pytest.mark.requirement("QS-CV-013")
def test_events_of_one_instant_come_in_the_order_in_which_they_were_asked_for():
    simulation, log = network()
    for number in range(10):
        simulation.at(5, log.append, number)
    simulation.run(5)
    assert log == list(range(10))
    assert simulation.now == 5
    assert simulation.events == 10


def test_a_run_stops_at_its_time_and_goes_on():
    simulation, log = network()
    simulation.at(5, log.append, "a")
    simulation.at(6, log.append, "b")
    simulation.run(5)
    assert log == ["a"]
    assert not simulation.idle
    simulation.run(6)
    assert log == ["a", "b"]


def test_a_run_stops_when_it_is_told_to():
    simulation, log = network()
    simulation.at(5, lambda _: setattr(simulation, "stopped", True), None)
    simulation.at(6, log.append, "late")
    simulation.run(100)
    assert (simulation.now, log) == (5, [])


@pytest.mark.requirement("QS-CV-008")
def test_an_event_in_the_past_is_an_error():
    simulation, _ = network()
    simulation.at(5, lambda _: simulation.at(4, print, None), None)
    with pytest.raises(HostError, match="4 ps was asked for at 5 ps"):
        simulation.run(10)
