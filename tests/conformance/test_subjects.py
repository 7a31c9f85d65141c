"""Subjects that are programs or objects: the good ones pass as they do at home, the bad ones get a verdict that says why."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import pytest

from qstack.cli import invoke as called
from qstack.conformance import lines, profiles
from qstack.conformance.judge import judge
from qstack.conformance.marks import requirement
from qstack.conformance.places import storage_of
from qstack.conformance.program import Program
from qstack.conformance.specification import load
from qstack.core.errors import WireError
from qstack.wire.link import AddAck

ROOT = Path(__file__).parents[2]
SPECIFICATION = load(ROOT / "specs")
WRAPPED = f"{sys.executable} -c 'from qstack.cli import main; main()' conform pipe reference --profile"


def invoke(arguments):
    """Return the exit code of a command."""
    try:
        return called(arguments)
    except SystemExit as error:
        return error.code


START = """\
import json, os, sys, time
def say(text):
    sys.stdout.write(text); sys.stdout.flush()
def hear():
    return json.loads(sys.stdin.readline())
def reply(question, **content):
    say(json.dumps({"re": question["re"], **content}) + "\\n")
def greet():
    reply(hear(), protocol=1, features=[])
"""

BAD = {
    "exits at once": (
        "raise SystemExit('no licence')",
        "it ended before it answered 'hello' (exit code 1: no licence)",
    ),
    "crashes": ("greet(); hear(); raise ValueError('oops')", "(exit code 1: ValueError: oops)"),
    "hangs": ("greet(); hear(); time.sleep(60)", "no answer to 'router' within 2 s"),
    "garbage": ("greet(); hear(); say('Segmentation fault\\n')", "is not a line of JSON: b'Segmentation fault'"),
    "half a line": ("greet(); hear(); say('{\"re\": 2'); time.sleep(60)", "only half a line: b'{\"re\": 2'"),
    "ends in a line": ("greet(); hear(); say('{\"re\"')", "it ended in the middle of a line, b'{\"re\"',"),
    "a list": ("greet(); hear(); say('[1]\\n')", "is not an object: b'[1]'"),
    "answers twice": (
        "greet(); q = hear(); say(2 * (json.dumps({'re': q['re']}) + '\\n')); hear(); time.sleep(60)",
        "it answered twice, or unasked",
    ),
    "another number": ("greet(); q = hear(); say('{\"re\": 99}\\n'); time.sleep(60)", "question 2, is for another one"),
    "claims everything": ("q = hear(); reply(q, protocol=1, features=q['features']); hear()", "'time-travel'"),
    "another version": ("q = hear(); reply(q, protocol=2, features=[]); hear()", "it speaks version 2 of the pipe"),
    "floods": (
        "greet(); hear()\nwhile True: say('x' * 65536)",
        "the answer to 'router' is longer than 1048576 bytes",
    ),
    "closes its ears": (
        "greet(); hear(); os.close(0); say('{\"re\": 2}\\n'); time.sleep(60)",
        "it is gone, and 'route' was not read",
    ),
    "no route": ("greet()\nwhile True: reply(hear())", "'route' was answered by {}: KeyError: 'path'"),
    "refuses oddly": ("greet(); reply(hear(), refused='never'); hear()", "it refuses 'router' as 'never'"),
}


SILENT = (BAD["hangs"][0], BAD["half a line"][0])
"""Of these nothing but time tells; the others are given plenty of it, for the machine may be busy."""


def bad(tmp_path: Path, body: str, profile: str = "router") -> Program:
    (tmp_path / "subject.py").write_text(START + body, encoding="utf-8")
    return Program(f"{sys.executable} -S {tmp_path / 'subject.py'}", profile, 2.0 if body in SILENT else 60.0)


@pytest.mark.requirement("QS-CF-261")
@pytest.mark.requirement("QS-CF-262")
@pytest.mark.requirement("QS-CF-263")
@pytest.mark.parametrize("name", BAD)
def test_every_trouble_is_a_verdict_that_names_it(name, tmp_path):
    body, words = BAD[name]
    program = bad(tmp_path, body)
    verdicts = judge(profiles.PROFILES["router"].suite, program.router, SPECIFICATION)
    program.close()
    words_by_level = {(verdict.level, verdict.verdict) for verdict in verdicts}
    assert words_by_level == {("MUST", "fail"), ("MAY", "informational")}
    assert len(verdicts) == 4
    assert any(words in verdict.detail for verdict in verdicts), [verdict.detail for verdict in verdicts]


@pytest.mark.requirement("QS-CF-261")
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("handles=['link.Ad']", "it handles 'link.Ad', which is no noun of the standard.  Did you mean 'link.Add'"),
        ("handles='link.Add'", "'handles' is 'link.Add'; expected a list of nouns"),
    ],
)
def test_a_layer_that_handles_strange_things_is_told(answer, words, tmp_path):
    program = bad(tmp_path, f"greet(); reply(hear(), {answer}); hear()", "link")
    verdicts = judge(profiles.PROFILES["link"].suite, program.layer, SPECIFICATION, ["QS-L2-001"])
    program.close()
    assert [verdict.verdict for verdict in verdicts] == ["fail"]
    assert words in verdicts[0].detail


@pytest.mark.requirement("QS-CF-264")
@pytest.mark.parametrize("profile", [pytest.param("link", marks=pytest.mark.slow), "physical", "transport", "network"])
def test_the_reference_passes_over_the_pipe_what_it_passes_at_home(profile, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    program = Program(f"{WRAPPED} {profile}", profile, 120.0)
    suite = profiles.PROFILES[profile].suite
    abroad = judge(suite, program.layer, SPECIFICATION)
    program.close()
    from qstack import api  # noqa: PLC0415 - one of these tests only

    home = judge(suite, profiles.find(api.manager(ROOT), "reference", profile).make, SPECIFICATION)
    assert [(v.id, v.verdict, v.detail) for v in abroad] == [(v.id, v.verdict, v.detail) for v in home]


@pytest.mark.requirement("QS-CF-264")
def test_hardware_is_asked_its_functions_as_data(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    program = Program(f"{WRAPPED.replace('reference', 'textbook')} hardware", "hardware", 120.0)
    abroad = {v.id: v.verdict for v in judge(profiles.PROFILES["hardware"].suite, program.hardware, SPECIFICATION)}
    program.close()
    sheets = {"QS-L1-033", "QS-L1-039"}
    assert {number for number, word in abroad.items() if word == "unsupported"} == sheets
    assert {word for number, word in abroad.items() if number not in sheets} == {"pass", "informational"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("reply(q, xy=0.5)", "'decay' was answered by {'xy': 0.5}: KeyError: 'z'"),
        ("reply(q, xy='a', z=1)", "WireError: xy = 'a': expected float"),
        ("reply(q, xy=1, z=0.5)", "is no channel"),
        ("reply(q, refused='physics', why='too cold')", "too cold"),
    ],
)
def test_a_model_that_answers_oddly_is_told(body, words, tmp_path):
    program = bad(tmp_path, f"greet()\nwhile True:\n    q = hear(); {body}", "hardware")
    verdicts = judge(profiles.PROFILES["hardware"].suite, program.hardware, SPECIFICATION, ["QS-L1-031"])
    program.close()
    assert [verdict.verdict for verdict in verdicts] == ["fail"]
    assert words in verdicts[0].detail


def test_an_object_is_judged_by_its_name(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("ours_to_judge.py").write_text(
        "from qstack.services.strategies import NoRoute\nclass Made:\n"
        "    router = lambda view: lambda a, b, fidelity: NoRoute('too lazy')\n",
        encoding="utf-8",
    )
    Path("breaks_when_loaded.py").write_text("1 / 0\n", encoding="utf-8")
    Path("wrong_to_read.py").write_text("def\n", encoding="utf-8")
    assert invoke(["conform", "ours_to_judge:Made.router", "--profile", "router"]) == 1
    assert "the router finds no path in any network" in capsys.readouterr().out
    for name, words in {
        "ours_to_judge:Made.nobody": "has no attribute 'nobody'",
        "nowhere_at_all:make": "No module named 'nowhere_at_all'",
        "./ours_to_judge.py:Made": "Did you mean 'ours_to_judge:Made', from its folder?",
        "breaks_when_loaded:make": "cannot be had: ZeroDivisionError: division by zero.",
        "wrong_to_read:make": "cannot be had: SyntaxError",
    }.items():
        assert invoke(["conform", name, "--profile", "router"]) == 2
        assert words in capsys.readouterr().err
    assert invoke(["conform", "ours_to_judge:Made"]) == 2
    assert "Choose with --profile" in capsys.readouterr().err


@pytest.mark.requirement("QS-CF-265")
def test_a_test_without_end_is_ended():
    class Suite:
        @requirement("QS-L3-020")
        def test_first(self, make):
            time.sleep(60)

        @requirement("QS-L3-050")
        def test_second(self, make):
            """Passes."""

    verdicts = {v.id: v for v in judge(Suite, None, SPECIFICATION, seconds=0.05)}
    assert verdicts["QS-L3-020"].verdict == "fail"
    assert verdicts["QS-L3-020"].detail == " - no end of the test within 0.05 s"
    assert verdicts["QS-L3-050"].verdict == "pass"


def test_after_three_tests_without_end_the_rest_is_left_out():
    def endless(self, make):
        while True:
            pass

    names = ["QS-L3-020", "QS-L3-050", "QS-L3-051", "QS-L2-001"]
    suite = type("Suite", (), {f"test_{number}": requirement(number)(_copy(endless)) for number in names})
    verdicts = {v.id: v.verdict for v in judge(suite, None, SPECIFICATION, seconds=0.02)}
    assert verdicts == {**dict.fromkeys(names[:3], "fail"), "QS-L2-001": "not run"}


def _copy(function):
    def copy(self, make):
        return function(self, make)

    return copy


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--exec", "true"],
            "as what is the program judged? Choose with --profile: adapter, application, channel, code,",
        ),
        (["--exec", "", "--profile", "link"], "--exec needs a command"),
        (["--exec", "/nowhere/subject", "--profile", "link"], "cannot be run: there is no such program"),
        (["--exec", "true", "--all"], "whom?"),
    ],
)
def test_whom_to_judge_has_to_be_said(arguments, words, capsys):
    assert invoke(["conform", *arguments]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"noun": "link.AddAck", "cseq": 1}, "link.AddAck has the fields cseq, aid, ack, not cseq"),
        ({"noun": "link.AddAck", "cseq": "1", "aid": 2}, "link.AddAck.cseq = '1': expected int"),
        ({"noun": "link.AddAk"}, "'link.AddAk' is not a noun of the standard.  Did you mean 'link.AddAck'"),
        ({"noun": "Set", "timer": 3, "at": "5"}, "Set.timer = 3: expected str"),
        ({"noun": "Set", "timer": "due", "at": 5}, "Set.at = 5: expected a decimal string of picoseconds"),
        (["link.AddAck"], "is not an object with 'noun'"),
    ],
)
def test_what_is_no_noun_is_told(content, words):
    with pytest.raises(WireError, match=re.escape(words)):
        lines.noun_of(content)


def test_nouns_survive_the_line():
    assert lines.noun_of(lines.plain(AddAck(cseq=1, aid=2))) == AddAck(cseq=1, aid=2)


def test_storage_between_samples_is_exponential():
    storage = storage_of([["1000", 0.5], ["10000", 0.5**10]])
    assert storage(0) == 1.0
    assert storage(2000) == pytest.approx(0.25)
    assert storage(20000) == pytest.approx(0.5**20)
