"""What subjects claim: features are asked by name, liars are found out, and what is only permitted is only reported."""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

import pytest

from qstack import api
from qstack.conformance import features, profiles
from qstack.conformance.chance import moved, seeded
from qstack.conformance.channel import ChannelSuite
from qstack.conformance.judge import failed, judge
from qstack.conformance.link import LinkSuite
from qstack.conformance.marks import Informational, Unsupported, extended, requirement
from qstack.conformance.profiles import PROFILES
from qstack.conformance.specification import load

ROOT = Path(__file__).parents[2]
SPECIFICATION = load(ROOT / "specs")
LINK = (
    "accepted-purposes",
    "atomic-requests",
    "collected-pairs",
    "deadlines",
    "lost-neighbours",
    "measured-pairs",
    "proportional-shares",
)


class Toy:
    """A suite of one rule at the core, and one of a feature."""

    @requirement("QS-L3-020")
    def test_core(self, make):
        """Always."""

    @requirement("QS-L3-050")
    @extended("deadlines")
    def test_feature(self, make):
        if make == "refuses":
            raise Unsupported("deadlines")
        if make != "has it":
            raise AssertionError("it breaks it")


class Yes:
    """Has everything."""

    def __contains__(self, name):
        return True


class Crash:
    def __contains__(self, name):
        raise RuntimeError("no idea")


def verdicts(make, claims):
    suite, found = features.believed(Toy, claims, {"deadlines", "recoveries"}, SPECIFICATION)
    return {v.id: (v.verdict, v.detail) for v in found + judge(suite, make, SPECIFICATION)}


# -- claims -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("make", "word"), [("has it", "pass"), ("refuses", "unsupported"), ("breaks it", "fail")])
def test_who_says_nothing_is_judged_by_what_it_does(make, word):
    found = verdicts(make, None)
    assert features.HONEST not in found
    assert found["QS-L3-050"][0] == word


@pytest.mark.requirement("QS-CF-014")
@pytest.mark.parametrize("make", ["has it", "refuses", "breaks it"])
@pytest.mark.parametrize("claims", [(), {"recoveries"}, lambda name: False])
def test_what_is_not_claimed_is_unsupported_whatever_it_does(make, claims):
    found = verdicts(make, claims)
    assert found[features.HONEST] == ("pass", "")
    assert found["QS-L3-050"] == ("unsupported", "deadlines")
    assert found["QS-L3-020"] == ("pass", "")


@pytest.mark.requirement("QS-CF-341")
@pytest.mark.parametrize("claims", [("deadlines",), lambda name: name == "deadlines"])
def test_what_is_claimed_is_tested_and_a_refusal_fails(claims):
    assert verdicts("has it", claims)["QS-L3-050"] == ("pass", "")
    assert verdicts("breaks it", claims)["QS-L3-050"] == ("fail", "it breaks it")
    word, detail = verdicts("refuses", claims)["QS-L3-050"]
    assert (word, detail) == ("fail", " - deadlines are claimed, and refused: deadlines")


@pytest.mark.requirement("QS-CF-340", "QS-CF-263")
@pytest.mark.parametrize(
    ("claims", "words"),
    [
        (Yes(), "it says that it has 'time-travel', which nobody has"),
        (lambda name: True, "it says that it has 'time-travel', which nobody has"),
        (["deadlines", "time-travel"], "it says that it has 'time-travel', which nobody has"),
        (["deadline"], "it says that it has 'deadline', which no profile knows.  Did you mean 'deadlines'?"),
        ([3], "it says that it has 3, which no profile knows"),
        (Crash(), "no answer to whether it has 'time-travel', but RuntimeError: no idea"),
        (3, "no answer to whether it has 'time-travel', but TypeError"),
    ],
)
def test_who_claims_nonsense_is_not_believed(claims, words):
    found = verdicts("has it", claims)
    assert found[features.HONEST][0] == "fail"
    assert words in found[features.HONEST][1]
    assert found["QS-L3-050"][0] == "not run"
    assert found["QS-L3-020"] == ("pass", "")


def test_every_feature_is_a_plural_that_reads_well():
    known = profiles.all_features()
    assert len(known) >= 8
    assert features.NONSENSE not in known
    for name in known:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name), name
        assert name.endswith("s") or "-of-" in name, name


def test_the_features_of_the_page_are_those_of_the_suites():
    page = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
    rows = dict(
        re.findall(r"(?m)^\| (link|transport|code|channel|application|scheduler|device, medium) \| (`.*) \|$", page)
    )
    told = {
        profile: re.findall(r"`([a-z-]+)`", cells) for names, cells in rows.items() for profile in names.split(", ")
    }
    assert told == {p.name: list(found) for p in PROFILES.values() if (found := features.features(p.suite))}


@pytest.mark.parametrize(
    ("profile", "claims"),
    [pytest.param("link", LINK, marks=pytest.mark.slow), ("transport", ("teleported-qubits",))],
)
def test_the_reference_keeps_what_it_claims(profile, claims):
    one = profiles.find(api.manager(ROOT), "reference", profile)
    assert tuple(one.features) == claims == tuple(features.features(one.profile.suite))
    suite, told, found = profiles.claiming(one, one.profile.suite, None, SPECIFICATION)
    assert (told, [v.verdict for v in found]) == (claims, ["pass"])
    assert Counter(v.verdict for v in judge(suite, one.make, SPECIFICATION)).keys() == {"pass"}


def test_a_vendor_claims_by_an_attribute_of_the_suite():
    class Mine(LinkSuite):
        features = ("deadlines",)

    make = profiles.find(api.manager(ROOT), "reference", "link").make
    words = {v.id: v.verdict for v in judge(Mine, make, SPECIFICATION, ["QS-L2-029", "QS-L2-017", "QS-L2-024"])}
    assert words["QS-L2-029"] == "pass"
    assert words["QS-L2-017"] == words["QS-L2-024"] == "unsupported"


OFFERS = """\
import qstack
from qstack.correction.codes import STEANE

QSTACK_API = (1, 0)


class Everything:
    def __contains__(self, name):
        return True


@qstack.hookimpl
def qstack_codes():
    plain = qstack.Offer("plain", lambda options: STEANE, features=("distances",))
    return [plain, qstack.Offer("boastful", lambda options: STEANE, features=Everything())]
"""


@pytest.mark.requirement("QS-CF-340")
def test_offers_claim_and_liars_are_told_on_the_command_line(run):
    Path("qstackfile.py").write_text(OFFERS, encoding="utf-8")
    code, said = run("conform", "plain", "--whole")
    assert code == 0
    assert "QS-CF-340 (MUST NOT)  pass         asked for nonsense" in said
    assert "recoveries are not claimed" in said
    code, said = run("conform", "boastful")
    assert code == 1
    assert "QS-CF-340 (MUST NOT)  fail         asked for nonsense" in said
    assert "A subject MUST NOT claim a feature that nobody has." in said
    assert said.splitlines()[-1] == "2 passed, 1 failed, 2 not run"
    code, said = run("conform", "boastful", "-k", "QS-L4-291")
    assert (code, said.splitlines()[-1]) == (1, "1 passed, 1 failed")


def test_a_user_claims_for_a_subject(run):
    link = ("conform", "reference", "--profile", "link", "-k", "QS-L2-004", "-k", "QS-L2-017")
    code, said = run(*link, "--features", "deadlines, measured-pairs", "--report", "r.yaml")
    assert (code, said.splitlines()[-1]) == (0, "1 passed, 0 failed, 1 unsupported")
    assert "atomic requests are not claimed" in said
    report = Path("r.yaml").read_text(encoding="utf-8")
    assert "reproduce: qstack conform reference --profile link --features 'deadlines,measured-pairs'\n" in report
    code, said = run(*link, "--features", "")
    assert (code, said.splitlines()[-1]) == (0, "0 passed, 0 failed, 2 unsupported")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("reference", "--profile", "link", "--features", "deadlins"), "Did you mean 'deadlines'?"),
        (("reference", "--profile", "link", "--features", "time-travel"), "--features time-travel  is no feature of link; allowed: accepted-"),
        (("shortest", "--features", "deadlines"), "--features deadlines  is no feature of router; it has none."),
        (("--all", "--features", "deadlines"), "--features are those of one subject"),
        (("shortest", "--seed", "-1"), "--seed"),
        (("shortest", "--seed", "x"), "--seed"),
    ],
)  # fmt: skip
def test_claims_that_cannot_be_are_refused(arguments, words, run):
    code, said = run("conform", *arguments)
    assert code == 2
    assert words in said


# -- on the pipe ------------------------------------------------------------------------------------------------------

PROGRAM = """\
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    answer = {{"re": asked["re"]}}
    if asked["do"] == "hello":
        answer |= {hello}
    else:
        answer |= {{"refused": "local", "why": "nothing is known here"}}
    print(json.dumps(answer), flush=True)
"""


@pytest.mark.requirement("QS-CF-263", "QS-CF-014")
@pytest.mark.parametrize(
    ("hello", "word", "words"),
    [
        ('{"protocol": 1, "features": []}', "unsupported", "deadlines are not claimed"),
        ('{"protocol": 1, "features": ["deadlines"]}', "fail", "nothing is known here"),
        ('{"protocol": 1}', "fail", "nothing is known here"),
        ('{"protocol": 1, "features": asked["features"]}', "fail", "claims the feature 'time-travel'"),
        ('{"protocol": 1, "features": ["deadline"]}', "fail", "claims the feature 'deadline', which nobody has"),
        ('{"protocol": 1, "features": "deadlines"}', "fail", "'features' is 'deadlines'; expected a list"),
        ('{"protocol": 1, "features": {"deadlines": True}}', "fail", "'features' is {'deadlines': True}; expected"),
    ],
)
def test_a_program_is_asked_for_nonsense_and_for_features(hello, word, words, run):
    Path("mine.py").write_text(PROGRAM.format(hello=hello), encoding="utf-8")
    program = f"{sys.executable} -S mine.py"
    code, said = run("conform", "--exec", program, "--profile", "link", "-k", "QS-L2-004")
    assert code == (word == "fail")
    assert f"QS-L2-004 (MUST NOT)  {word}" in said
    assert words in said


@pytest.mark.requirement("QS-CF-344")
@pytest.mark.parametrize(("hello", "version"), [('"version": "2.7"', "'2.7'"), ('"version": 3', "unknown")])
def test_a_program_says_its_version(hello, version, run):
    Path("mine.py").write_text(PROGRAM.format(hello='{"protocol": 1, ' + hello + "}"), encoding="utf-8")
    run("conform", "--exec", f"{sys.executable} -S mine.py", "--profile", "router", "--report", "r.yaml")
    assert f"  version: {version}\n" in Path("r.yaml").read_text(encoding="utf-8")


def test_the_pipe_of_an_installed_subject_says_its_claims_and_version(run, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    program = f"{sys.executable} -c 'from qstack.cli import main; main()' conform pipe reference --profile link"
    code, said = run("conform", "--exec", program, "--profile", "link", "-k", "QS-L2-029", "--report", "r.yaml")
    assert (code, said.splitlines()[-1]) == (0, "1 passed, 0 failed")
    (version,) = re.findall(r"  version: (.+)\n", Path("r.yaml").read_text(encoding="utf-8"))
    assert version.strip("'") == api.manager().found["layers"]["link", "reference"].plugin.version


# -- what is only reported --------------------------------------------------------------------------------------------


@pytest.mark.requirement("QS-CF-342")
def test_what_is_only_permitted_is_reported_and_never_fails():
    class Permits:
        @requirement("QS-L3-340")
        def test_it(self, make):
            if make == "tells":
                raise Informational("a rate for all")
            if make != "passes":
                raise AssertionError("no rate")

    for make, detail in {"tells": "a rate for all", "passes": "it does", "lacks": "no rate"}.items():
        found = judge(Permits, make, SPECIFICATION)
        assert [(v.level, v.verdict, v.detail) for v in found] == [("MAY", "informational", detail)]
        assert failed(found, strict=True) == []


@pytest.mark.requirement("QS-CF-342")
def test_a_router_without_rates_conforms_and_the_report_says_so(run):
    code, said = run("conform", "shortest", "--whole")
    assert code == 0
    assert re.search(
        r"^QS-L3-340 \(MAY\)       informational test_a_rate_may_be_told\n +a rate is told for \d+ of \d+",
        said,
        re.MULTILINE,
    )
    assert said.splitlines()[-1] == "3 passed, 0 failed, 1 informational"


# -- seeds ------------------------------------------------------------------------------------------------------------


@pytest.mark.requirement("QS-CF-343")
def test_another_seed_changes_every_draw_and_the_same_seed_none(run):
    assert [seeded(k) for k in (1, 2)] == [1, 2]
    with moved(5):
        assert seeded(1) not in {seeded(2), 1, 2}
        with moved(6):
            inner = seeded(1)
        assert inner != seeded(1)
    assert seeded(1) == 1

    class Noticing:
        delay, ideal = 1, False

        def arrivals(self, now, size, draw):
            drawn.append(float(draw.random()))
            return [now + 10**12]

    heard = {}
    for name, seed in (("usual", 0), ("again", 0), ("other", 4), ("other again", 4)):
        drawn: list[float] = []
        with moved(seed):
            judge(ChannelSuite, lambda light: Noticing(), SPECIFICATION, ["QS-CL-281"])
        heard[name] = drawn
    assert heard["usual"] == heard["again"] != heard["other"] == heard["other again"]
    assert not set(heard["usual"]) & set(heard["other"])


@pytest.mark.requirement("QS-CF-343")
def test_a_judgement_under_another_seed_is_repeated_by_its_report(run):
    for name in ("one.yaml", "two.yaml"):
        code, _ = run("conform", "lossy", "--profile", "channel", "--seed", "7", "--report", name)
        assert code == 0
    text = Path("one.yaml").read_text(encoding="utf-8")
    assert text == Path("two.yaml").read_text(encoding="utf-8")
    assert "reproduce: qstack conform lossy --profile channel --seed 7\n" in text


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_reference_passes_under_other_seeds(seed, run):
    for profile in ("application", "channel", "device", "medium", "reconciliation"):
        code, said = run("conform", "--all", "--profile", profile, "--seed", str(seed))
        assert code == 0, said
