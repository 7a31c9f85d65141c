"""The suite for link layers.

A vendor writes one fixture::

    class TestMine(LinkSuite):
        @pytest.fixture
        def make(self):
            return lambda site: MyLinkLayer(site)

and runs pytest, or ``qstack conform NAME --profile link``.  The suite talks to a layer by the services and the messages
of plane 1.  It forbids what the texts forbid: an answer may come with others, a request may wait, numbers are the
subject's own.
"""

from __future__ import annotations

from qstack.conformance.link_admission import AdmissionTests
from qstack.conformance.link_agreement import AgreementTests, RequestTests
from qstack.conformance.link_course import CourseTests, ExpiredTests
from qstack.conformance.link_numbers import NumberTests, TimerTests
from qstack.conformance.link_pairs import DeliveryTests, EndingTests, ExpiryTests
from qstack.conformance.link_queue import QueueTests
from qstack.conformance.link_room import RoomTests


class LinkSuite(
    RequestTests,
    AgreementTests,
    DeliveryTests,
    ExpiryTests,
    EndingTests,
    CourseTests,
    ExpiredTests,
    AdmissionTests,
    RoomTests,
    TimerTests,
    NumberTests,
    QueueTests,
):
    """Everything that a link layer is held to."""

    profile = "link"
