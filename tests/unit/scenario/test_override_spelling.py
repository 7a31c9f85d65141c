"""A value of ``--set`` is repeated in messages as it was typed."""

import pytest

from qstack.scenario.override import parse


@pytest.mark.parametrize("text", ["1e3", "2.50", "1.e2"])
def test_a_number_is_said_as_it_was_typed(text: str):
    found = parse(f"flows.0.number={text}").value
    assert (str(found), found) == (text, float(text))
