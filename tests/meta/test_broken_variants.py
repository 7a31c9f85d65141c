"""Every MUST that a suite tests is broken by a variant in tests/conformance, or stands here with a reason."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from qstack.conformance.judge import tests_of as suite_tests
from qstack.conformance.peer import PeerSuite
from qstack.conformance.profiles import PROFILES
from qstack.conformance.specification import load

ROOT = Path(__file__).parents[2]
SPECIFICATION = load(ROOT / "specs")
UNBROKEN: dict[str, str] = {}
"""Numbers of MUSTs without a broken variant, each with the reason; this list only ever gets shorter."""
NUMBER = re.compile(r"QS-[A-Z0-9]{2}-\d{3}")
LEAST = 40
"""Broken variants that there have to be at least, over all profiles."""


def variants() -> list[str]:
    """Return the number of the requirement that each variant breaks, from the tables named after them."""
    found = []
    for path in sorted((ROOT / "tests/conformance").glob("test_judge_*.py")):
        for statement in ast.parse(path.read_text()).body:
            if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Dict):
                for row in statement.value.values:
                    found += sorted(set(NUMBER.findall(ast.unparse(row))))
            elif isinstance(statement, ast.FunctionDef):
                body = "\n".join(map(ast.unparse, statement.body))
                found += sorted(set(NUMBER.findall(body))) if "failures(" in body or "failed(" in body else []
    return found


def judged() -> set[str]:
    """Return every MUST that a test of a suite cites."""
    suites = [PeerSuite, *(profile.suite for profile in PROFILES.values())]
    cited = {number for suite in suites for numbers in suite_tests(suite).values() for number in numbers}
    return {number for number in cited if SPECIFICATION.find(number)[1].level.startswith("MUST")}


def verdicts_of_variants() -> Iterator[tuple[str, ast.Assert]]:
    """Return what the tests of broken variants say of failures: where, and the assertion."""
    for path in sorted((ROOT / "tests/conformance").glob("test_judge_*.py")):
        for statement in ast.parse(path.read_text()).body:
            marks = " ".join(map(ast.unparse, getattr(statement, "decorator_list", [])))
            if isinstance(statement, ast.FunctionDef) and "QS-CF-008" in marks:
                for node in ast.walk(statement):
                    if isinstance(node, ast.Assert) and re.search(r"failures|failed\(", ast.unparse(node.test)):
                        yield f"{path.name}:{node.lineno}", node


def test_a_variant_fails_its_requirement_and_nothing_else():
    """Each of these tests compares all failures, those of a SHOULD too, with what the variant breaks."""
    found = list(verdicts_of_variants())
    assert len(found) >= len(PROFILES) // 2
    for where, node in found:
        assert isinstance(node.test, ast.Compare), where
        assert [type(op) for op in node.test.ops] == [ast.Eq], f"{where}: not all failures are compared"
    for path in sorted((ROOT / "tests/conformance").glob("test_judge_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name == "failures":
                assert "strict=True" in ast.unparse(node), f"{path.name}: failures of a SHOULD are not counted"


@pytest.mark.requirement("QS-CF-008")
def test_every_must_of_a_suite_is_broken_by_a_variant():
    assert sorted(judged() - set(variants())) == sorted(UNBROKEN)


def test_there_are_variants_of_every_profile():
    assert len(variants()) >= LEAST
    broken = set(variants())
    for profile in PROFILES.values():
        cited = {number for numbers in suite_tests(profile.suite).values() for number in numbers}
        assert cited & broken, f"no broken variant of the profile {profile.name}"
