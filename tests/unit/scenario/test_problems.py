"""What is printed of what is wrong."""

import pytest

from qstack.scenario.problems import WIDEST, folded

ASKED = "Did you mean 'altitude'?"


@pytest.mark.parametrize("filler", range(60, 260))
def test_a_long_hint_is_folded_and_the_proposal_stays_whole(filler):
    keys = ", ".join(["abcd"] * (filler // 6)) + "x" * (filler % 6)
    hint = f"Allowed: {keys}.  {ASKED}"
    lines = folded(hint)
    assert max(map(len, lines)) <= WIDEST
    assert sum(ASKED in line for line in lines) == 1
    assert " ".join(lines).split() == hint.split()
