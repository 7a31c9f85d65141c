"""The table of mutants is in step with the specification, with the code, and with the result that is committed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))  # the judge of mutants is a script, not a package
import rules

CHANGES, WITHOUT = rules.table()
BOUND = rules.bound()
MOST_WITHOUT = 0
"""Requirements that may be without a mutant; this number only ever gets smaller."""


def test_every_must_outside_the_suites_has_a_mutant_or_is_listed():
    missing = sorted(set(BOUND) - {*CHANGES, *WITHOUT})
    assert missing == [], "a new MUST needs a mutant in tests/mutation/rules.toml"
    assert set(WITHOUT) <= set(BOUND), "a suite tests it by now"
    assert not set(CHANGES) & set(WITHOUT)
    assert len(WITHOUT) <= MOST_WITHOUT


@pytest.mark.parametrize("number", CHANGES)
def test_a_mutant_fits_the_code_and_is_another_program(number):
    change = CHANGES[number]
    before = ast.parse((rules.ROOT / change.file).read_text(encoding="utf-8"))
    assert ast.dump(ast.parse(change.source())) != ast.dump(before)
    assert len(change.new) < len(change.old) + 250


def test_the_result_is_that_of_this_table_and_every_mutant_was_caught():
    *lines, end = rules.RESULT.read_text(encoding="utf-8").splitlines()
    told = {(line.split()[0], line.split()[1], line.split()[3]) for line in lines}
    assert told == {(n, rules.CAUGHT, change.digest) for n, change in CHANGES.items()}, (
        "run `tox -e rules -- NUMBER ...`"
    )
    assert end == rules.ending(lines, len(WITHOUT))


SCHEDULERS = "qstack/link/schedulers.py"
SCRIPT = """
import sys
sys.path.insert(0, {folder!r})
import rules
for words in {changes!r}:
    print(rules.child("QS-L2-021", words and rules.Change(*words), ["tests/transcripts/test_link.py"]))
"""


def test_only_a_mutant_that_breaks_the_rule_is_caught():
    expected = {
        (SCHEDULERS, "max(item.priority for item", "min(item.priority for item"): rules.CAUGHT,
        (SCHEDULERS, "    return 0  # not reached", "    return 1  # not reached"): rules.SURVIVED,
        (SCHEDULERS, "def strict_priority(", "def strict_priorities("): rules.BROKEN,
        None: rules.SURVIVED,
    }
    script = SCRIPT.format(folder=str(Path(rules.__file__).parent), changes=list(expected))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=rules.ROOT)
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(expected.values())
