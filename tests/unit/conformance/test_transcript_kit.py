"""The kit that talks to a layer: what it hears, what it misses, how it tells."""

from __future__ import annotations

import pytest

from qstack.conformance.transcript import ANY, Transcript, TranscriptError
from qstack.core.layer import Layer, on
from qstack.core.nouns import Cancel, Indication, Message, Request, Send, Set, Timer, noun, timer


@noun
class Ask(Request):
    number: int


@noun
class Hear(Indication):
    number: int


@noun
class Say(Message):
    number: int


@timer
class Later(Timer):
    number: int


class Echo(Layer):
    """Answers a request by two messages and a timer, a message of n by n indications."""

    name = "echo"

    @on(Ask)
    def ask(self, req, ctx):
        yield Send(2, Say(req.number))
        yield Send(3, Say(req.number))
        yield Set(Later(req.number), ctx.now + 10 * req.number)

    @on(Say)
    def say(self, msg, ctx):
        yield Hear(ctx.sender)
        yield Cancel(Later(msg.number))

    @on(Later)
    def later(self, due, ctx):
        yield Hear(ctx.now)


class Below(Layer):
    name = "below"

    @on(Hear)
    def hear(self, ind, ctx):
        yield Ask(ind.number + 1)


@pytest.fixture
def t() -> Transcript:
    return Transcript(Echo(), node=1)


def test_answers_are_expected_in_order_and_others_may_be_there(t):
    t >> Ask(1) << Send(2, Say(1)) << Set(Later(1), 10)
    t >> Ask(2) << (Send(2, Say(2)), Send(3, ANY))
    with pytest.raises(TranscriptError):
        t >> Ask(3) << Send(3, Say(3)) << Send(2, Say(3))


def test_answers_of_an_older_input_are_not_heard(t):
    t >> Ask(1) >> Ask(2)
    with pytest.raises(TranscriptError):
        t << Send(2, Say(1))


def test_exactly_and_silent_allow_timers_only(t):
    t >> Ask(1)
    t.exactly(Send(2, Say(1)), Send(3, Say(1)))
    t >> Ask(1)
    with pytest.raises(TranscriptError):
        t.exactly(Send(2, Say(1)))
    with pytest.raises(TranscriptError):
        t.silent()


def test_never_counts_messages_inside_their_send(t):
    t >> Ask(1)
    t.never(Say, more_than=2)
    t.never(Hear)
    with pytest.raises(TranscriptError, match="at most 1 Say"):
        t.never(Say, more_than=1)
    assert t.all(Say) == [Say(1), Say(1)]
    assert t.last(Say) == Say(1)
    with pytest.raises(TranscriptError):
        t.last(Hear)


def test_time_fires_timers_in_order_and_a_cancelled_one_never(t):
    t >> Ask(2) >> Ask(1) >> Ask(3)
    t.from_(4) >> Say(2) << Hear(4)
    t.wait(29) << Hear(10)
    t.wait(1) << Hear(30)
    t.at(100).silent()
    assert t.context.now == 100
    assert not t.timers


def test_an_armed_timer_is_armed_anew(t):
    t >> Ask(1)
    t.at(5) >> Ask(1)
    t.at(14).silent()
    t.at(15).exactly(Hear(15))


def test_layers_that_belong_together_are_one():
    t = Transcript(Echo(), Below(), node=1)
    t.from_(5) >> Say(9)
    t.exactly(Send(2, Say(6)), Send(3, Say(6)))
    t.never(Ask)


def test_an_error_shows_the_dialogue(t):
    with pytest.raises(TranscriptError) as error:
        t.from_(7) >> Say(1) << Hear(8)
    text = str(error.value)
    assert ">> Say(number=1)   from 7" in text
    assert "- << Hear(number=8)" in text
    assert "+ << Hear(number=7)" in text
