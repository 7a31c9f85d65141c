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
from qstack.application.layer import ApplicationLayer
from qstack.cli import invoke as called
from qstack.conformance import channel, lines, profiles, program, reconciliation
from qstack.conformance.adapter import AdapterSuite
from qstack.conformance.device_talk import VirtualTime, platform
from qstack.conformance.judge import judge
from qstack.conformance.link_medium import FIBRES, node
from qstack.conformance.pipe import Answerer
from qstack.conformance.program import Program
from qstack.conformance.specification import load
from qstack.conformance.stand import site
from qstack.conformance.transport import TransportSuite
from qstack.core.errors import ConfigError
from qstack.hardware.midpoint import midpoint
from qstack.hardware.tier import CorrelatorTier
from qstack.hosts.plain import object_of
from qstack.keys.reconcile.cascade import Cascade
from qstack.physical.midpoint import Midpoint
from qstack.plugin.links import Phase
from qstack.services.device import Swapped

ROOT = Path(__file__).parents[2]
SPECIFICATION = load(ROOT / "specs")
CHAPTER = (ROOT / "specs/conformance/conformance.md").read_text(encoding="utf-8")
SLOW = {"channel", "device", "medium", "reconciliation"}
"""Profiles of so many questions that comparing them is no everyday test."""
LONG = {"satellite-link", "satellite-pass"}
"""Links of thousands of phases."""
NEW = [profile for profile in profiles.PROFILES if profile not in program.LAYERS]


class Near(Program):
    """A program in the same process; every question and answer goes through its bytes and is written down."""

    def __init__(self, make, profile, said=None):
        self.answerer, self.said, self.profile = Answerer(make), defaultdict(list) if said is None else said, profile
        self.asked = self.made = 0

    def ask(self, do, **content):
        question = object_of(lines.line({"do": do, **content}))
        answer = object_of(lines.line(self.answerer.answer(question)))
        self.said[do].append((content, answer))
        return self.obeyed(answer)

    def trouble(self, words):
        return AssertionError(words)


def home_and_abroad(profile, make, only=()):
    """Return the verdicts on an installed subject, and those on the same one behind a pipe."""
    suite = profiles.PROFILES[profile].suite
    both = make, Near(make, profile).subject
    return [[(v.id, v.verdict, v.detail) for v in judge(suite, one, SPECIFICATION, only)] for one in both]


def installed(profile):
    return profiles.PROFILES[profile].subjects(api.manager(ROOT))


@pytest.mark.requirement("QS-CF-264")
@pytest.mark.parametrize(
    "profile", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in NEW if name != "hardware"]
)
def test_verdicts_do_not_depend_on_the_pipe(profile):
    subjects = installed(profile)
    for name in sorted(subjects.keys() - LONG)[: 2 if profile in SLOW else None]:
        home, abroad = home_and_abroad(profile, subjects[name])
        assert home == abroad, name
        assert "pass" in {word for _, word, _ in home} or name in {"none", "asap"}, name


def late(storage):
    return -1


class Careless:
    """An adapter that takes keys which were wiped."""

    least = 32

    def deliver(self, identity, key):
        if not identity.isprintable() or not identity or len(key) < self.least:
            raise ConfigError("no such key")
        try:
            return key.reveal()
        except ConfigError:
            return bytes(len(key))


class Everybody(ApplicationLayer):
    """A front end that tells the first of its applications of everything too."""

    def handlers(self):
        first = self.applications[0].handlers()

        def told(kind, inner):
            return lambda noun, ctx: [*inner(noun, ctx), *first[kind](noun, ctx)]

        return {kind: told(kind, inner) if kind in first else inner for kind, inner in super().handlers().items()}


class Forgetful(CorrelatorTier):
    """A medium in which no swap has another outcome than Phi+."""

    def connect(self, number, feed):
        def tell(noun, now):
            feed(replace(noun, outcome=0) if isinstance(noun, Swapped) else noun, now)

        super().connect(number, tell)

    def place(self, number, name, platform):
        def zero(inner):
            return lambda req, ctx: [
                replace(noun, outcome=0) if isinstance(noun, Swapped) else noun for noun in inner(req, ctx)
            ]

        return {kind: zero(inner) for kind, inner in super().place(number, name, platform).items()}


def twice(site):
    """Return a whole node in which two layers take the same."""
    made = installed("node")["reference"](site)
    return (*made, made[-1])


def crowded(a, b, fibre):
    """Return a link that has more lanes than memories."""
    return replace(midpoint(a, b, fibre), lanes=5)


BROKEN_ONCE = {
    "adapter": (Careless, "QS-CL-346"),
    "front-end": (lambda site: Everybody(site.applications), "QS-L5-285"),
    "link-medium": (crowded, "QS-L1-347"),
    "medium": (
        lambda clock, seed, attempts: Forgetful(clock, seed, 0, attempts, lambda ends: Midpoint(ends, window=1)),
        "QS-L1-283",
    ),
    "node": (twice, "QS-CV-281"),
}
"""Of every profile whose subjects need more than one sentence: one that breaks one rule, and which."""


@pytest.mark.requirement("QS-CF-264", "QS-CF-008")
@pytest.mark.parametrize(
    "profile", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in BROKEN_ONCE]
)
def test_one_that_breaks_one_rule_fails_it_over_the_pipe_too(profile):
    make, broken = BROKEN_ONCE[profile]
    home, abroad = home_and_abroad(profile, make)
    assert home == abroad
    assert {number for number, word, _ in abroad if word == "fail"} == {broken}


def test_what_an_adapter_complains_of_is_what_it_shows(tmp_path):
    (tmp_path / "subject.py").write_text(
        GREETING + "while True:\n    q = hear()\n"
        "    if q['do'] == 'deliver' and q['key']: print('key', q['key'], file=sys.stderr)\n"
        "    reply(q, least=32, delivery='00', text='')",
        encoding="utf-8",
    )
    near = Program(f"{sys.executable} -S {tmp_path / 'subject.py'}", "adapter", 20.0)
    (verdict,) = judge(AdapterSuite, near.subject, SPECIFICATION, ["QS-CL-342"])
    near.close()
    assert (verdict.verdict, verdict.detail) == ("fail", "the adapter's representation shows the key")


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


def passing(sheet):
    """Return a link that is there for a while only."""
    return replace(sheet, phases=(Phase(10**12, sheet.heralds), Phase(2 * 10**12)))


class Admits(Cascade):
    """A scheme that says how often it fails."""

    failure = 0.01


ASKED = {
    "adapter": (["tls-psk"], []),
    "application": (["pairs"], ["QS-L5-281"]),
    "channel": (["ideal"], ["QS-CL-012"]),
    "code": (["steane"], []),
    "cutoff": (["never"], []),
    "device": (["correlators"], ["QS-L1-026", "QS-L1-010"]),
    "distillation": (["dejmps", "none"], ["QS-L2-284", "QS-L2-285"]),
    "front-end": (["reference"], []),
    "hardware": (["textbook"], []),
    "link-medium": (["midpoint"], ["QS-L1-344"]),
    "medium": (["correlators"], ["QS-L1-283"]),
    "node": (["reference"], ["QS-CV-283"]),
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
    near = Program(command, "transport", 20.0)
    judge(TransportSuite, near.subject, SPECIFICATION, ["QS-L4-001"])
    near.close()
    for profile, (names, only) in ASKED.items():
        subjects = {**installed(profile), "admits it": Admits}
        for name in names:
            judge(profiles.PROFILES[profile].suite, Near(subjects[name], profile, said).subject, SPECIFICATION, only)
    view = replace(site(1).view, swap_success=(0.5, 0.5, 0.5))  # linear optics: no suite needs them
    Near(installed("router")["shortest"], "router", said).router(view)
    medium = Near(installed("medium")["correlators"], "medium", said).medium(VirtualTime(), 1, "each")
    medium.place(1, "n1", platform(coherence_s=70e-6, lasting=40.0, warm_up=1000))
    Near(lambda a, b, fibre: passing(midpoint(a, b, fibre)), "link-medium", said).link_medium(
        node(1), node(1), FIBRES[0]
    )
    questions, objects = documented()
    exchanged = {
        do: tuple(
            set().union(*(part.keys() - {"refused", "why"} for part in parts)) for parts in zip(*pairs, strict=True)
        )
        for do, pairs in said.items()
    }
    assert ASKED.keys() == profiles.PROFILES.keys()
    assert exchanged == questions
    seen = defaultdict(set)
    for part in (part for pairs in said.values() for pair in pairs for part in pair):
        for name, fields in inside(part):
            seen[name] |= fields
    assert seen == objects


PERL = shutil.which("perl") and subprocess.run(["perl", "-MJSON::PP", "-e", "1"], capture_output=True, check=False)


NODE = shutil.which("node")
PASS = {
    "code.pl": ("code", "4 passed, 0 failed"),
    "front.mjs": ("front-end", "2 passed, 0 failed"),
    "link.pl": ("link-medium", "8 passed, 0 failed"),
    "medium.mjs": ("medium", "16 passed, 0 failed, 3 unsupported"),
    "memory.pl": ("hardware", "14 passed, 0 failed, 1 informational, 2 unsupported"),
    "router.mjs": ("router", "3 passed, 0 failed, 1 informational"),
    "scheduler.mjs": ("scheduler", "2 passed, 0 failed, 2 unsupported"),
    "wireguard.pl": ("adapter", "7 passed, 0 failed, 1 informational"),
}


@pytest.mark.requirement("QS-CF-264")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (PASS[name][0] in SLOW)) for name in PASS]
)
def test_a_subject_in_another_language_passes(name, capsys):
    if not (NODE if name.endswith(".mjs") else PERL and PERL.returncode == 0):
        pytest.skip("needs Node.js, or Perl with JSON::PP")
    profile, words = PASS[name]
    command = f"{'node' if name.endswith('.mjs') else 'perl'} {ROOT}/examples/pipe/{name}"
    code = conform("--exec", command, "--profile", profile, "--timeout", "100")
    assert (code, capsys.readouterr().out.splitlines()[-1]) == (0, words)


def test_every_example_is_tried():
    assert {path.name for path in (ROOT / "examples" / "pipe").iterdir()} == PASS.keys()


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
    "adapter": ("reply(hear(), least='32')", "least = '32': expected int"),
    "front-end": (
        "reply(hear(), handles=['l5_application.Start'])\nq = hear(); reply(q, out=[], passed=[{'flow': 9, **q}])",
        "it hands Start to flow 9, which does not take it",
    ),
    "link-medium": ("reply(hear(), sheet={'heralds': []})", "'link' was answered by"),
    "medium": ("reply(hear()); reply(hear(), handles=['device.Fire'])", "it handles 'device.Fire', which is no noun"),
    "node": ("reply(hear(), layers=[])", "'layers' is []; expected a list of 'name' and 'handles'"),
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
    subject = Program(f"{sys.executable} -S {tmp_path / 'subject.py'}", profile, 5.0)
    verdicts = judge(profiles.PROFILES[profile].suite, subject.subject, SPECIFICATION)
    subject.close()
    assert any(words in verdict.detail for verdict in verdicts), [verdict.detail for verdict in verdicts]
