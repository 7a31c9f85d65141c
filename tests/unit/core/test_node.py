"""The pile: one table, first in first out, what nobody handles leaves it."""

from __future__ import annotations

import pytest

from qstack.core.errors import LocalProtocolError
from qstack.core.layer import Context, Layer, on
from qstack.core.node import Node
from qstack.core.nouns import Indication, Message, Request, Timer, noun, timer
from qstack.core.streams import stable_hash


@noun
class Ask(Request):
    number: int


@noun
class Tell(Indication):
    number: int


@noun
class Say(Message):
    number: int


@timer
class Later(Timer):
    number: int


class Upper(Layer):
    name = "upper"

    @on(Tell, Say)
    def tell(self, noun, ctx):
        yield Ask(noun.number + 1)
        yield Ask(noun.number + 2)


class Broken(Layer):
    name = "broken"

    @on(Tell)
    def tell(self, noun, ctx):
        return {}[noun.number]


def pile(*layers: Layer, effects=None) -> tuple[Node, list]:
    log: list = []
    table = {Ask: lambda noun, ctx: log.append((ctx.now, ctx.node, noun)) or ()}
    return Node(5, layers, {**table, **(effects or {})}), log


@pytest.mark.requirement("QS-CV-005")
def test_outputs_are_obeyed_in_their_order():
    node, log = pile(Upper())
    node.feed(Tell(1), 7)
    assert log == [(7, 5, Ask(2)), (7, 5, Ask(3))]


@pytest.mark.requirement("QS-CV-005")
def test_an_answer_of_the_same_instant_comes_after_what_was_asked_before():
    seen: list = []

    def device(noun, ctx):
        seen.append(noun)
        return (Tell(10),) if noun.number == 2 else ()

    node, _ = pile(Upper(), effects={Ask: device})
    node.feed(Tell(1), 0)
    assert [n.number for n in seen] == [2, 3, 11, 12]


def test_a_message_brings_its_sender():
    senders: list[int] = []
    node, _ = pile(Upper(), effects={Ask: lambda noun, ctx: senders.append(ctx.sender) or ()})
    node.receive(Say(1), 9, 0)
    assert senders == [9, 9]


@pytest.mark.requirement("QS-CV-004")
def test_what_nobody_handles_is_named():
    node, _ = pile(Upper())
    with pytest.raises(LocalProtocolError, match="node 5: nobody handles Later"):
        node.feed(Later(1), 0)
    node.feed(Tell(1), 0)  # and the node goes on


def test_a_fault_inside_a_layer_is_not_taken_for_an_unknown_noun():
    node, _ = pile(Broken())
    with pytest.raises(LocalProtocolError, match="broken failed on Tell"):
        node.feed(Tell(1), 0)


@pytest.mark.requirement("QS-CV-006")
def test_two_layers_cannot_claim_one_noun():
    with pytest.raises(LocalProtocolError, match="upper and broken both handle Tell"):
        pile(Broken(), Upper())


def test_nouns_compare_by_kind_and_value_and_only_timers_are_hashable():
    assert Ask(1) == Ask(1) != Ask(2)
    assert Ask(1) != Tell(1)
    assert hash(Later(1)) == hash(Later(1))
    with pytest.raises(TypeError):
        hash(Ask(1))
    assert not hasattr(Ask(1), "__dict__")


def test_a_layer_waits_for_nothing_unless_it_says_so():
    assert list(Upper().waiting()) == []
    assert Context(3).sender == 3


def test_stable_hash_is_the_same_in_every_process():
    assert stable_hash("link a--b") == 0x32D91CA0
    assert stable_hash("link a--c") != stable_hash("link a--b")
