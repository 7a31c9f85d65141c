"""The two ends of a link."""

from __future__ import annotations

import pytest
from link_dialogue import link

from qstack.conformance.transcript import Transcript


@pytest.fixture
def alice() -> Transcript:
    """The master of a queue."""
    return link(1, 2)


@pytest.fixture
def bob() -> Transcript:
    """The slave of a queue."""
    return link(2, 1)
