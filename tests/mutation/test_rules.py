"""The table of mutants is in step with the specification, with the code, and with the result that is committed."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from qstack.conformance.specification import load

sys.path.append(str(Path(__file__).parent))  # the judge of mutants is a script, not a package
import others
import rules
import trial

GIVEN = rules.table()
BOUND = rules.bound()
DATE = 2
"""Place of the date in a line of the result."""
MOST_WITHOUT = 0
"""Requirements that may be without a mutant; this number only ever gets smaller."""


def test_every_must_outside_the_suites_has_a_mutant_or_is_listed():
    missing = sorted(set(BOUND) - {*GIVEN.changes, *GIVEN.without})
    assert missing == [], "a new MUST needs a mutant in tests/mutation/rules.toml"
    assert set(GIVEN.without) <= set(BOUND), "a suite tests it by now"
    assert not set(GIVEN.changes) & set(GIVEN.without)
    assert len(GIVEN.without) <= MOST_WITHOUT


@pytest.mark.parametrize("number", GIVEN.changes)
def test_a_mutant_fits_the_code_and_is_another_program(number):
    change = GIVEN.changes[number]
    before = ast.parse((trial.ROOT / change.file).read_text(encoding="utf-8"))
    assert ast.dump(ast.parse(change.source())) != ast.dump(before)
    assert len(change.new) < len(change.old) + 250
    tests = others.area(change.file, GIVEN.areas)
    assert tests
    assert all((trial.ROOT / one).exists() for one in tests)


@pytest.mark.parametrize("number", GIVEN.also)
def test_others_that_fall_with_a_mutant_are_requirements_and_have_a_reason(number):
    mutant = tomllib.loads(rules.TABLE.read_text(encoding="utf-8"))["mutant"][number]
    assert len(mutant["because"].split()) > 4
    specification = load(trial.ROOT / "specs")
    assert number not in GIVEN.also[number]
    assert [specification.find(one)[1].id for one in mutant["also"]] == sorted(GIVEN.also[number])


def test_the_result_is_that_of_this_table_and_every_mutant_was_caught_by_its_own_tests_alone():
    *lines, end = rules.RESULT.read_text(encoding="utf-8").splitlines()
    told = {tuple(word for k, word in enumerate(line.split()) if k != DATE) for line in lines}
    assert told == {
        (n, rules.CAUGHT, change.digest, change.file, ",".join(sorted(GIVEN.also.get(n, ()))) or rules.ALONE)
        for n, change in GIVEN.changes.items()
    }, "run `tox -e rules -- NUMBER ...`"
    assert end == rules.ending(lines, GIVEN)
    reasoned = len(GIVEN.also)
    said = " ".join((trial.ROOT / "docs/validation/mutants.md").read_text(encoding="utf-8").split())
    assert (
        f"Under {len(lines) - reasoned} of {len(lines)} mutants none of them fails. Under the other {reasoned} others"
        in said
    )


SCHEDULERS = "qstack/link/schedulers.py"
STRICT = (SCHEDULERS, "max(item.priority for item", "min(item.priority for item")
SCRIPT = """
import sys
sys.path.insert(0, {folder!r})
import others, rules, trial
trial.preload()
tests = ["tests/transcripts/test_link.py"]
for words in {changes!r}:
    print(rules.child("QS-L2-021", words and trial.Change(*words), tests))
for number in {numbers!r}:
    print(number, others.felled(number, trial.Change(*{strict!r}), tests))
"""


def test_only_a_mutant_that_breaks_the_rule_is_caught_and_others_tell_what_falls_with_it():
    expected = {
        STRICT: rules.CAUGHT,
        (SCHEDULERS, "    return 0  # not reached", "    return 1  # not reached"): rules.SURVIVED,
        (SCHEDULERS, "def strict_priority(", "def strict_priorities("): rules.BROKEN,
        None: rules.SURVIVED,
    }
    folder = str(Path(rules.__file__).parent)
    script = SCRIPT.format(folder=folder, changes=list(expected), numbers=["QS-L2-020", "QS-L2-021"], strict=STRICT)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=trial.ROOT)
    *words, other, own = done.stdout.splitlines()
    assert [word.split()[0] for word in words] == list(expected.values())
    name = "tests/transcripts/test_link.py::test_strict_priority_serves_the_highest_alone"
    assert other == f"QS-L2-020 {{'{name}': {{'QS-L2-021'}}}}"
    assert own == "QS-L2-021 {}"


def test_the_longest_part_that_fits_says_which_tests_are_tried():
    areas = {"qstack/link": ["a"], "qstack/link/room": ["b"]}
    assert others.area("qstack/link/queue.py", areas) == ("a",)
    assert others.area("qstack/link/room.py", areas) == ("b",)
    with pytest.raises(LookupError, match=r"qstack/wire/codec\.py belongs to no part"):
        others.area("qstack/wire/codec.py", areas)
