"""The judge's page: what it says of profiles, verdicts and reports is so."""

from __future__ import annotations

import re
import typing
from pathlib import Path

from qstack.conformance import exam, judge, profiles, reports
from qstack.conformance.program import LAYERS, Program

PAGE = (Path(__file__).parents[2] / "docs" / "conformance.md").read_text(encoding="utf-8")


def test_every_verdict_is_explained():
    assert set(re.findall(r"(?m)^\| (pass|fail|informational|unsupported|not run) \|", PAGE)) == set(
        typing.get_args(judge.Word)
    )


def test_every_report_is_named():
    assert all(f"`{suffix}`" in PAGE for suffix in reports.WRITERS)


def test_programs_and_samples_are_as_told():
    assert "Whatever has a profile can be a program" in PAGE
    assert all(hasattr(Program, name.replace("-", "_")) for name in profiles.PROFILES.keys() - LAYERS)
    assert exam.MORE == 8
    assert judge.PATIENCE == 3


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        assert (Path(__file__).parents[2] / "docs" / target).is_file()
