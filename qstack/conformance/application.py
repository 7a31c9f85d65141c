"""The suites for applications, and for the layer that finds them.

A vendor writes one fixture::

    class TestMine(ApplicationSuite):
        @pytest.fixture
        def make(self):
            return lambda end: MyApplication(end)

Both ends are the subject's.  The suite plays the transport layer, whose pairs are perfect, and the two devices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from qstack.conformance.application_talk import ESTIMATE, FLOW, NUMBER, Flow, MakeApplication
from qstack.conformance.marks import Unsupported, extended, requirement
from qstack.conformance.refusals import refuses
from qstack.conformance.stand import Make, expect, site
from qstack.conformance.transcript import Transcript
from qstack.core.layer import Context, Handler, Layer
from qstack.core.nouns import Noun
from qstack.plugin.sites import FlowEnd, Site
from qstack.services.device import DrawBits, Measure, MeasureAlong
from qstack.services.l4_transport import Closed, Delivery, Open, Refused
from qstack.services.l5_application import Consumed, Finished, Sifted, Start
from qstack.services.reasons import Reason


class ApplicationSuite:
    """Everything that an application is held to."""

    profile = "application"

    @requirement("QS-L5-281")
    def test_the_initiator_asks_for_what_its_flow_wants(self, make: MakeApplication) -> None:
        """The other end, the fidelity, and its own number; the other end asks for nothing."""
        flow = Flow(make)
        asked = flow.open
        expect(flow.ends[1], asked is not None, "Open after Start")
        assert asked is not None
        flow.ends[1].never(Open, more_than=1)
        expect(flow.ends[1], (asked.session, asked.peer) == (FLOW, 2), f"session {FLOW} with node 2")
        expect(flow.ends[1], asked.min_fidelity >= 0.8, "the fidelity that the flow wants")
        flow.ends[2].never(Open)

    @requirement("QS-L5-400")
    def test_the_priority_of_a_flow_is_that_of_its_session(self, make: MakeApplication) -> None:
        """None, and others."""
        for priority in (0, 2, 7):
            t = Transcript(
                make(FlowEnd(FLOW, initiator=True, peer=2, min_fidelity=0.8, number=NUMBER, priority=priority)), node=1
            ) >> Start(FLOW)
            expect(t, t.last(Open).priority == priority, f"a session of priority {priority}")

    @requirement("QS-L5-470")
    def test_the_rate_of_a_flow_is_that_of_its_session(self, make: MakeApplication) -> None:
        """None, and others."""
        for rate in (0.0, 0.5, 20.0):
            end = FlowEnd(FLOW, initiator=True, peer=2, min_fidelity=0.8, number=NUMBER, rate=rate)
            t = Transcript(make(end), node=1) >> Start(FLOW)
            expect(t, t.last(Open).rate == rate, f"a session of {rate} pairs/s")

    @requirement("QS-L5-009")
    def test_a_flow_is_finished_once(self, make: MakeApplication) -> None:
        """At both ends when all is done; with the reason where it was refused."""
        flow = Flow(make)
        for end in flow.ends.values():
            expect(end, end.all(Finished) == [Finished(FLOW, 0)], "Finished with reason 0, once")
        refused = Flow(make, fail=Reason.NO_ROUTE)
        expect(
            refused.ends[1],
            refused.ends[1].all(Finished) == [Finished(FLOW, Reason.NO_ROUTE)],
            "Finished with NO_ROUTE, once",
        )

    @requirement("QS-L5-282")
    def test_no_qubit_is_kept(self, make: MakeApplication) -> None:
        """After the end of a flow; each is measured, sent or freed."""
        flow = Flow(make)
        expect(flow.ends[1], flow.given > 0, "pairs or qubits under way")
        expect(flow.ends[1], not flow.misused, f"no request for qubits that are gone: {flow.misused[:3]} (node, qubit)")
        for node, held in flow.qubits.items():
            expect(flow.ends[node], not held, f"qubits {sorted(held)} let go of")

    @requirement("QS-L5-283")
    def test_what_is_consumed_was_delivered(self, make: MakeApplication) -> None:
        """With the number, index and estimate of the delivery, and once."""
        flow = Flow(make)
        for end in flow.ends.values():
            told = end.all(Consumed)
            expect(end, len({one.pair for one in told}) == len(told), "each pair consumed once")
            for one in told:
                expect(end, one.flow == FLOW, f"consumed by flow {FLOW}")
                expect(end, one.estimate == ESTIMATE, f"the estimate {ESTIMATE} of pair {one.pair}")

    @requirement("QS-L5-321")
    def test_a_refused_session_ends_the_flow(self, make: MakeApplication) -> None:
        """At the end that was asked, with the reason."""
        end = Transcript(make(FlowEnd(FLOW, initiator=False, peer=1, min_fidelity=0.8, number=NUMBER)), node=2)
        end >> Refused(FLOW, 1, Reason.NO_ROUTE)
        expect(end, end.all(Finished) == [Finished(FLOW, Reason.NO_ROUTE)], "Finished with NO_ROUTE, once")

    @requirement("QS-L5-013")
    @extended("random-choices")
    def test_without_entropy_nothing_is_chosen(self, make: MakeApplication) -> None:
        """An application that draws bits measures nothing before it has some."""
        if not any(end.all(DrawBits) for end in Flow(make).ends.values()):
            raise Unsupported("random choices")
        dry = Flow(make, entropy=False)
        for end in dry.ends.values():
            if end.all(DrawBits):
                end.never(Measure).never(MeasureAlong)

    @requirement("QS-L5-284")
    def test_the_same_happens_again(self, make: MakeApplication) -> None:
        """With the same devices."""
        first, again = Flow(make, 3), Flow(make, 3)
        for node in (1, 2):
            expect(first.ends[node], first.ends[node].lines == again.ends[node].lines, "the same dialogue again")

    @requirement("QS-L5-006")
    @extended("counts-of-errors")
    def test_perfect_pairs_have_no_errors(self, make: MakeApplication) -> None:
        """Whatever their index."""
        flows = [Flow(make, seed) for seed in (1, 2)]
        sifted = [one for flow in flows for end in flow.ends.values() for one in end.all(Sifted)]
        if not sifted:
            raise Unsupported("counts of errors")
        wrong = [one for one in sifted if one.error]
        expect(flows[0].ends[1], not wrong, f"no errors of perfect pairs, not {wrong[:2]}")


class Listener(Layer):
    """An application of the suite: notes what reaches it."""

    name = "listener"

    def __init__(self, flow: int) -> None:
        self.flow = flow
        self.heard: list[Noun] = []

    def _hear(self, noun: Noun, context: Context) -> tuple[Noun, ...]:
        self.heard.append(noun)
        return ()

    def handlers(self) -> dict[type[Noun], Handler]:
        """Take what every application takes."""
        return dict.fromkeys((Start, Delivery, Closed), self._hear)


def front(make: Make) -> tuple[Transcript, Listener, Listener]:
    """Let a layer have two applications."""
    first, second = Listener(FLOW), Listener(FLOW + 1)
    place: Site = replace(site(1), applications=(first, second))
    made = make(place)
    return Transcript(*(made if isinstance(made, tuple) else (made,)), node=1), first, second


class FrontEndSuite:
    """Everything that the layer of applications is held to."""

    profile = "front-end"

    @requirement("QS-L5-285")
    def test_a_noun_reaches_its_application(self, make: Make) -> None:
        """And no other one."""
        nouns: tuple[Callable[[int], Noun], ...] = (
            Start,
            lambda flow: Delivery(flow, 0, 0, 5, 0.9, -1),
            lambda flow: Closed(flow, 0),
        )
        for noun in nouns:
            t, first, second = front(make)
            t >> noun(FLOW + 1)
            expect(t, second.heard == [noun(FLOW + 1)], f"the application of flow {FLOW + 1} told")
            expect(t, not first.heard, f"the application of flow {FLOW} left alone")

    @requirement("QS-L5-008")
    def test_a_noun_for_nobody_is_refused(self, make: Make) -> None:
        """As the error of whoever sent it."""
        t, _, _ = front(make)
        refuses(t, Delivery(FLOW + 7, 0, 0, 5, 0.9, -1))
