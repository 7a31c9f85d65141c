"""Every kind of subject on a pipe: the same verdicts as at home, and no message that the chapter does not tell of."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from qstack import api
from qstack.cli import invoke as called
from qstack.conformance import channel, lines, profiles, reconciliation
from qstack.conformance.judge import judge
from qstack.conformance.pipe import Answerer
from qstack.conformance.program import Program
from qstack.conformance.specification import load
from qstack.conformance.stand import site
from qstack.conformance.transport import TransportSuite
from qstack.hosts.plain import object_of
from qstack.keys.reconcile.cascade import Cascade

ROOT = Path(__file__).parents[2]
SPECIFICATION = load(ROOT / "specs")
CHAPTER = (ROOT / "specs/conformance/conformance.md").read_text(encoding="utf-8")
SLOW = {"channel", "device", "reconciliation"}
"""Profiles of so many questions that comparing them is no everyday test."""
NEW = [profile for profile in sorted(profiles.PIPED) if profile not in {"link", "network", "physical", "transport"}]


class Near(Program):
    """A program in the same process; every question and answer goes through its bytes and is written down."""

    def __init__(self, make, said):
        self.answerer, self.said = Answerer(make), said
        self.asked = self.made = 0

    def ask(self, do, **content):
        question = object_of(lines.line({"do": do, **content}))
        answer = object_of(lines.line(self.answerer.answer(question)))
        self.said[do].append((content, answer))
        return self.obeyed(answer)

    def _trouble(self, words):
        return AssertionError(words)


def home_and_abroad(profile, make, said=None):
    """Return the verdicts on an installed subject, and those on the same one behind a pipe."""
    suite = profiles.PROFILES[profile].suite
    near = Near(make, defaultdict(list) if said is None else said)
    both = make, getattr(near, profiles.PIPED[profile])
    return [[(v.id, v.verdict, v.detail) for v in judge(suite, one, SPECIFICATION)] for one in both]


def installed(profile):
    return profiles.PROFILES[profile].subjects(api.manager(ROOT))


@pytest.mark.requirement("QS-CF-264")
@pytest.mark.parametrize(
    "profile", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in NEW if name != "hardware"]
)
def test_verdicts_do_not_depend_on_the_pipe(profile):
    subjects = installed(profile)
    for name in sorted(subjects)[: 2 if profile in SLOW else None]:
        home, abroad = home_and_abroad(profile, subjects[name])
        assert home == abroad, name
        assert "pass" in {word for _, word, _ in home} or name in {"none", "asap"}, name


def late(storage):
    return -1


BROKEN = {
    "scheduler": lambda: lambda ready, turn: len(ready),
    "swap-policy": lambda: lambda waiting: waiting,
    "cutoff": lambda: late,
    "code": lambda: type("Code", (), {"stabilizers": ("XX",), "logical_x": "XI", "logical_z": "ZI", "distance": 2}),
    "channel": lambda delay: type(
        "Fast", (), {"delay": delay, "ideal": False, "arrivals": lambda self, now, size, draw: (now,)}
    )(),
}


@pytest.mark.requirement("QS-CF-264")
@pytest.mark.parametrize("profile", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in BROKEN])
def test_broken_ones_fail_alike(profile):
    home, abroad = home_and_abroad(profile, BROKEN[profile])
    assert home == abroad
    assert "fail" in {word for _, word, _ in abroad}


def documented():
    """Return what the chapter says that a question and its answer hold, and what the objects in them hold."""
    questions, objects = {}, {}
    for row in re.findall(r"(?m)^\| `\w+` \|.*\|$", CHAPTER):
        cells = [set(re.findall(r"`(\w+)`", cell)) for cell in row.strip("|").split("|")]
        (name,) = cells[0]
        if name == "do":
            continue
        if len(cells) == 3:
            questions[name] = tuple(cells[1:])
        elif len(cells) == 2:
            objects[name] = cells[1]
    return questions, objects


def inside(content):
    """Yield the name and the fields of every object in what was said; nouns are another chapter's."""
    for name, value in content.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict) and not isinstance(one.get("noun"), str):
                yield name, one.keys()
                yield from inside(one)


class Admits(Cascade):
    """A scheme that says how often it fails."""

    failure = 0.01


ASKED = {
    "application": (["pairs"], ["QS-L5-281"]),
    "channel": (["ideal"], ["QS-CL-012"]),
    "code": (["steane"], []),
    "cutoff": (["never"], []),
    "device": (["correlators"], ["QS-L1-026", "QS-L1-010"]),
    "distillation": (["dejmps", "none"], ["QS-L2-284", "QS-L2-285"]),
    "hardware": (["textbook"], []),
    "link": (["reference"], ["QS-L2-032"]),
    "network": (["reference"], ["QS-L3-037"]),
    "physical": (["reference"], []),
    "reconciliation": (["admits it"], ["QS-KY-007"]),
    "router": (["shortest", "qcast"], []),
    "scheduler": (["wfq"], []),
    "swap-policy": (["asap", "asap-youngest"], []),
    "transport": (["reference"], ["QS-L4-001"]),
}
"""Of every profile enough to hear every question: subjects, and requirements (all if none)."""


@pytest.mark.requirement("QS-CF-331")
def test_the_chapter_tells_of_every_message_and_of_no_other(monkeypatch):
    said = defaultdict(list)
    ask = Program._ask

    def spy(self, process, do, content):
        answer = ask(self, process, do, content)
        said[do].append((content, answer))
        return answer

    monkeypatch.setattr(Program, "_ask", spy)
    monkeypatch.setattr(reconciliation, "RATES", (0.01,))
    monkeypatch.setattr(reconciliation, "ROUNDS", 1)
    monkeypatch.setattr(channel, "NUMBER", 10)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    command = f"{sys.executable} -c 'from qstack.cli import main; main()' conform pipe reference --profile transport"
    program = Program(command, "transport", 20.0)
    judge(TransportSuite, program.layer, SPECIFICATION, ["QS-L4-001"])
    program.close()
    for profile, (names, only) in ASKED.items():
        subjects = {**installed(profile), "admits it": Admits}
        for name in names:
            near = Near(subjects[name], said)
            judge(profiles.PROFILES[profile].suite, getattr(near, profiles.PIPED[profile]), SPECIFICATION, only)
    view = replace(site(1).view, swap_success=(0.5, 0.5, 0.5))  # linear optics: no suite needs them
    Near(installed("router")["shortest"], said).router(view)
    questions, objects = documented()
    exchanged = {
        do: tuple(
            set().union(*(part.keys() - {"refused", "why"} for part in parts)) for parts in zip(*pairs, strict=True)
        )
        for do, pairs in said.items()
    }
    assert ASKED.keys() == profiles.PIPED.keys()
    assert exchanged == questions
    seen = defaultdict(set)
    for part in (part for pairs in said.values() for pair in pairs for part in pair):
        for name, fields in inside(part):
            seen[name] |= fields
    assert seen == objects


PERL = shutil.which("perl") and subprocess.run(["perl", "-MJSON::PP", "-e", "1"], capture_output=True, check=False)


@pytest.mark.skipif(not PERL or PERL.returncode != 0, reason="needs Perl with JSON::PP")
def test_a_code_in_another_language_passes(capsys):
    code = conform("--exec", f"perl {ROOT}/examples/pipe/code.pl", "--profile", "code")
    assert (code, capsys.readouterr().out.splitlines()[-1]) == (0, "4 passed, 0 failed")


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_a_scheduler_in_another_language_passes(capsys):
    code = conform("--exec", f"node {ROOT}/examples/pipe/scheduler.mjs", "--profile", "scheduler")
    assert (code, capsys.readouterr().out.splitlines()[-1]) == (0, "2 passed, 0 failed, 2 unsupported")


def conform(*arguments):
    try:
        return called(["conform", *arguments])
    except SystemExit as error:
        return error.code


ODD = {
    "scheduler": ("reply(hear()); q = hear(); reply(q, index='0')", "index = '0': expected int"),
    "cutoff": ("reply(hear()); q = hear(); reply(q, cutoff=5)", "cutoff = 5: expected a decimal string of picoseconds"),
    "code": ("reply(hear(), stabilizers='XX')", "stabilizers = 'XX': expected a list of str"),
    "distillation": (
        "reply(hear(), name='x')\nwhile True: reply(hear(), kept=1)",
        "'combine' was answered by {'kept': 1}",
    ),
    "channel": (
        "reply(hear(), delay='1', ideal=False); reply(hear(), arrivals=[1])",
        "arrivals = 1: expected a decimal",
    ),
    "device": ("reply(hear(), handles=['device.Fire'], sheet={})", "'device' was answered by"),
    "application": ("reply(hear(), handles=['l5.Start'])", "it handles 'l5.Start', which is no noun of the standard"),
    "reconciliation": ("reply(hear()); reply(hear())\nwhile True: reply(hear(), word='01')", "KeyError: 'done'"),
}
GREETING = """\
import json, sys
hear = lambda: json.loads(sys.stdin.readline())
def reply(question, **content):
    sys.stdout.write(json.dumps({"re": question["re"], **content}) + "\\n"); sys.stdout.flush()
reply(hear(), protocol=1, features=[])
"""


@pytest.mark.requirement("QS-CF-261")
@pytest.mark.parametrize("profile", ODD)
def test_odd_answers_are_told(profile, tmp_path):
    body, words = ODD[profile]
    (tmp_path / "subject.py").write_text(GREETING + body, encoding="utf-8")
    program = Program(f"{sys.executable} -S {tmp_path / 'subject.py'}", profile, 5.0)
    verdicts = judge(profiles.PROFILES[profile].suite, getattr(program, profiles.PIPED[profile]), SPECIFICATION)
    program.close()
    assert any(words in verdict.detail for verdict in verdicts), [verdict.detail for verdict in verdicts]
