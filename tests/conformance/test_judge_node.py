"""The judge of whole nodes is judged: the reference passes, and a node that breaks a rule fails that rule."""

from __future__ import annotations

from dataclasses import replace

import pytest
from spoiling import SPECIFICATION, Spoilt, edit, failures, more, twice, without

from qstack import api
from qstack.conformance.judge import judge
from qstack.conformance.node import NodeSuite
from qstack.conformance.offers import nodes
from qstack.network.requests import Uninstall
from qstack.services.device import Free, Swap, Swapped
from qstack.services.l1_physical import Attempt
from qstack.services.l2_link import Ok
from qstack.services.l3_network import Disconnect, Disconnected, Pair
from qstack.services.l4_transport import (
    Close,
    Closed,
    Delivery,
    Open,
)
from qstack.transport.layer import TransportLayer
from qstack.wire.signalling import Teardown

NODES = nodes(api.manager())


def node(site):
    return NODES["reference"](site)


def pile(kinds, spoil):
    """Return whole nodes of which the layer that handles these kinds is spoilt."""

    def make(site):
        return tuple(
            Spoilt([layer], [kind for kind in kinds if kind in layer.handlers()], spoil)
            if any(kind in layer.handlers() for kind in kinds)
            else layer
            for layer in node(site)
        )

    return make


def eager(answers, noun, ctx):
    return [Attempt(1, 0, 3, 0, keep=True, bases=())]


BROKEN = {
    "has two layers for one noun": ("QS-CV-281", lambda: lambda site: (*node(site), TransportLayer())),
    "attempts at once": ("QS-CV-282", lambda: pile((Open,), more(eager))),
    "delivers under the link's index": (
        "QS-CV-283",
        lambda: pile((Pair,), edit(Delivery, lambda d: replace(d, bell=1))),
    ),
    "does not swap": ("QS-CV-284", lambda: pile((Ok,), without(Swap))),
    "tells the user of a swap": (
        "QS-CV-284",
        lambda: pile((Swapped,), more(lambda a, noun, ctx: [Delivery(5, 0, 0, noun.left, 0.9, -1)])),
    ),
    "keeps halves": ("QS-CV-285", lambda: pile((Close, Disconnect, Teardown, Uninstall), without(Free))),
    "says nothing of a lost neighbour": ("QS-CV-286", lambda: pile((Disconnected,), without(Closed))),
    "tells of a lost neighbour twice": ("QS-CV-286", lambda: pile((Disconnected,), twice(Closed))),
}


@pytest.mark.requirement("QS-CF-008")
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_node_fails_what_it_breaks(name):
    number, make = BROKEN[name]
    assert failures(NodeSuite, make()) == {number}


def test_the_reference_is_a_whole_node():
    assert failures(NodeSuite, node) == set()
    assert {verdict.id for verdict in judge(NodeSuite, node, SPECIFICATION)} == {
        number for number, _ in BROKEN.values()
    }
