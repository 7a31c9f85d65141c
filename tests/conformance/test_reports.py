"""Reports as files, comparing two of them, exams, and what is refused before the judge begins."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from importlib.metadata import version as metadata
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from qstack import api
from qstack.cli import invoke
from qstack.conformance import exam, page, reports
from qstack.conformance.judge import Verdict
from qstack.conformance.reconciliation import ReconciliationSuite
from qstack.conformance.specification import load

ROOT = Path(__file__).parents[2]
SPECIFICATION = load(ROOT / "specs")
ABSENT = "QS-L3-" + "999"
GOOD, BAD, OTHER = "QS-L3-020", "QS-L3-050", "QS-L3-051"


def verdict(number, word, detail=""):
    return Verdict(number, "MUST", f"A router MUST <{number}>.", "specs", word, "test_it", detail)


def judged(*words):
    found = zip((GOOD, BAD, OTHER), words, strict=True)
    return [
        reports.Judged("mine", "router", tuple(verdict(n, w, "a < b & \x01" if w == "fail" else "") for n, w in found))
    ]


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        try:
            code = invoke(arguments)
        except SystemExit as error:
            code = error.code
        said = capsys.readouterr()
        return code, said.out + said.err

    return call


@pytest.mark.requirement("QS-CF-271")
@pytest.mark.parametrize("suffix", reports.WRITERS)
def test_the_same_judgement_gives_the_same_bytes(suffix, run):
    for name in ("one", "two"):
        code, _ = run("conform", "shortest", "--profile", "router", "--report", name + suffix)
        assert code == 0
    assert Path("one" + suffix).read_bytes() == Path("two" + suffix).read_bytes() != b""


def test_yaml_says_who_was_judged_by_what_and_how_to_do_it_again():
    content = YAML(typ="safe").load(reports.as_yaml(judged("pass", "fail", "unsupported"), SPECIFICATION))
    assert content["specification"]["digest"] == SPECIFICATION.digest
    (one,) = content["subjects"]
    assert one["reproduce"] == "qstack conform mine --profile router"
    assert {n: r["verdict"] for n, r in one["results"].items()} == {GOOD: "pass", BAD: "fail", OTHER: "unsupported"}
    assert one["results"][BAD]["detail"] == "a < b & \x01"
    assert content["summary"] == "1 passed, 1 failed, 1 unsupported"


def test_the_command_that_reproduces_a_program_holds_it():
    one = reports.Judged("node router.mjs", "router", ())
    assert one.reproduce == "qstack conform --exec 'node router.mjs' --profile router"


def test_junit_counts_failures_and_skips():
    root = ET.fromstring(reports.as_junit(judged("pass", "fail", "not run"), SPECIFICATION).split("\n", 1)[1])
    (suite,) = root
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    assert [[child.tag for child in case] for case in suite] == [[], ["failure"], ["skipped"]]
    assert suite[1][0].text == "a < b & \\x01"


def test_the_page_escapes_and_puts_failures_first():
    text = reports.as_html(judged("pass", "fail", "pass"), SPECIFICATION)
    assert "a &lt; b &amp;" in text
    assert "<QS-" not in text
    assert text.index(f'id="s1-{BAD}"') < text.index(f'id="s1-{GOOD}"')
    assert "http" not in text
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids)) == 4


def contrast(one, other):
    """Return the contrast of two colours (WCAG 2.2, relative luminance)."""

    def luminance(colour):
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("name", [*page.COLOURS, "ink", "soft"])
def test_every_word_can_be_read_on_a_light_and_on_a_dark_page(name):
    for shade, colour in enumerate((page.COLOURS | page.PAGE)[name]):
        for ground in ("paper", "box"):
            assert contrast(colour, page.PAGE[ground][shade]) >= 4.5


def test_a_page_of_several_leads_to_each_and_shows_what_was_wanted():
    good, bad = judged("pass", "pass", "pass"), judged("pass", "fail", "not run")
    detail = "   >> Ask()\n - << Answer()\n + << Nothing()"
    worse = replace(bad[0].verdicts[1], detail=detail)
    text = reports.as_html([*good, replace(bad[0], name="<other>", verdicts=(worse,))], SPECIFICATION)
    assert text.index('href="#s2"') < text.index('href="#s1"')
    assert "&lt;other&gt;" in text
    assert '<span class="wanted"> - &lt;&lt; Answer()</span>' in text
    assert '<span class="wrong"> + &lt;&lt; Nothing()</span>' in text
    assert "<details" not in text[text.index("&gt;&gt; Ask()") :]
    assert "prefers-color-scheme:dark" in text
    assert [c for c in re.findall(r"var\(--([a-z-]+)\)", text) if f"--{c}:#" not in text] == []


@pytest.mark.parametrize(
    ("words", "text", "colour"),
    [
        (("pass", "pass", "unsupported"), ">2 passed<", page.COLOURS["pass"][0]),
        (("pass", "fail", "pass"), ">2 passed, 1 failed<", page.COLOURS["fail"][0]),
    ],
)
def test_the_badge_says_how_many(words, text, colour):
    badge = reports.as_badge(judged(*words), SPECIFICATION)
    assert ET.fromstring(badge).tag.endswith("svg")
    assert text in badge
    assert colour in badge


@pytest.mark.requirement("QS-CF-272")
def test_a_comparison_names_what_was_lost(run):
    Path("old.yaml").write_text(reports.as_yaml(judged("pass", "fail", "pass"), SPECIFICATION), encoding="utf-8")
    Path("new.yaml").write_text(reports.as_yaml(judged("fail", "pass", "pass"), SPECIFICATION), encoding="utf-8")
    code, out = run("conform", "compare", "old.yaml", "new.yaml")
    assert code == 1
    assert out.splitlines() == [
        f"lost     {GOOD}  mine as router: pass -> fail",
        f"gained   {BAD}  mine as router: fail -> pass",
        "1 gained, 1 lost, 0 changed",
    ]
    assert run("conform", "compare", "old.yaml", "old.yaml") == (0, "0 gained, 0 lost, 0 changed\n")
    text = Path("old.yaml").read_text(encoding="utf-8").replace(SPECIFICATION.digest, "f" * 64)
    Path("other.yaml").write_text(text.replace(f"{OTHER}:", f"{ABSENT}:"), encoding="utf-8")
    code, out = run("conform", "compare", "old.yaml", "other.yaml")
    assert code == 1
    assert f"specification {SPECIFICATION.digest[:12]} -> ffffffffffff" in out
    assert f"lost     {OTHER}  mine as router: pass -> absent" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("conform", "--all", "--report", "out.yml"), "'.yml' is no report; allowed: .html, .svg, .xml, .yaml."),
        (("conform", "--all", "--report", "nowhere/out.yaml"), "there is no folder nowhere"),
        (("conform", "shortest", "-k", "QS-L3-0*", "-k", "QS-XX-*"), "-k QS-XX-*  fits no requirement"),
        (("conform", "shortest", "-k", ABSENT), ABSENT),
        (("conform", "shortest", "-k", "@nothing.txt"), "-k @nothing.txt  cannot be read: No such file or directory"),
        (("conform", "shortest", "-k", "@empty.txt"), "-k @empty.txt  asks for nothing"),
        (("conform", "shortest", "-k", "@typo.txt"), "typo.txt:2: 'QS-L3-0200' is not a requirement"),
        (("conform", "shortest", "-k", "@void.txt"), "void.txt:1: QS-XX-*  fits no requirement"),
        (
            ("conform", "shortest", "-k", "@many.txt"),
            "many.txt:1: QS-L3-020 is worth 'many'; allowed: one whole number",
        ),
        (("conform", "shortest", "-k", "@two.txt"), "two.txt:1: QS-L3-020 is worth '1 2'; allowed: one whole number"),
        (("conform", "shortest", "-k", "@minus.txt"), "is worth '-3'; allowed: one whole number of points, 0 to 1000."),
        (("conform", "shortest", "--timeout", "0"), "--timeout"),
        (("conform", "compare", "gone.yaml", "gone.yaml"), "gone.yaml  cannot be read"),
        (("conform", "compare", "empty.txt", "empty.txt"), "empty.txt  is not a report"),
    ],
)
def test_bad_input_is_told_before_the_judge_begins(arguments, words, run):
    files = {"empty": "# nothing", "typo": "QS-L3-020\nQS-L3-0200", "void": "QS-XX-*", "many": "QS-L3-020 many"}
    for name, text in (files | {"two": "QS-L3-020 1 2", "minus": "QS-L3-020 -3"}).items():
        Path(f"{name}.txt").write_text(f"{text}\n", encoding="utf-8")
    code, said = run(*arguments)
    assert code == 2
    assert words in said
    assert "passed" not in said


def test_an_exam_is_a_file_of_numbers_and_ends_in_a_score(run):
    Path("exam.txt").write_text("# routing\nQS-L3-02*\nQS-L3-050  # words\n", encoding="utf-8")
    code, out = run("conform", "shortest", "--profile", "router", "-k", "@exam.txt", "--whole")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines() if line.startswith("QS-")] == ["QS-L3-020", "QS-L3-050"]
    assert "score 2 of 2 (100 %)" in out


MEAN = """\
import qstack
from qstack.services.strategies import NoRoute

QSTACK_API = (1, 0)


@qstack.hookimpl
def qstack_routers():
    return [qstack.Offer("mean", lambda options, view: lambda a, b, fidelity: NoRoute("no"))]
"""


@pytest.mark.requirement("QS-CF-345")
def test_an_exam_has_points(run):
    Path("qstackfile.py").write_text(MEAN, encoding="utf-8")
    Path("exam.txt").write_text(
        "QS-L3-0*   2\nQS-L3-020  5   # the last word\nQS-L3-340  1\nQS-L2-001  7\n", encoding="utf-8"
    )
    code, out = run("conform", "shortest", "-k", "@exam.txt")
    assert (code, out.splitlines()[-2]) == (0, "shortest: score 10 of 10 (100 %); without a test: QS-L2-001")
    code, out = run("conform", "mean", "-k", "@exam.txt")
    assert (code, out.splitlines()[-2]) == (1, "mean: score 5 of 10 (50 %); without a test: QS-L2-001")
    code, out = run("conform", "--all", "--profile", "router", "-k", "@exam.txt")
    assert code == 1
    assert {"mean: score 5 of 10 (50 %); without a test: QS-L2-001"} <= set(out.splitlines())
    assert out.count(": score ") == out.count(" as router")


@pytest.mark.requirement("QS-CF-345")
def test_what_is_not_claimed_brings_no_points(run):
    Path("exam.txt").write_text("QS-L2-004 3\nQS-L2-001 1\n", encoding="utf-8")
    code, out = run("conform", "reference", "--profile", "link", "--features", "", "-k", "@exam.txt")
    assert (code, out.splitlines()[-2]) == (0, "reference: score 1 of 4 (25 %)")


@pytest.mark.requirement("QS-CF-346")
def test_a_judgement_of_several_ends_with_passes_and_failures(run):
    code, out = run("conform", "--all", "--profile", "application", "-k", "QS-L5-006")
    lines = out.splitlines()
    assert code == 0
    number = sum(" as application" in line for line in lines)
    assert lines[-2:] == [f"{number} subjects, {number - 1} unsupported", "1 passed, 0 failed"]


@pytest.mark.requirement("QS-CF-344")
def test_a_report_names_the_version_of_what_was_judged(run):
    installed = api.manager().found["routers"]["", "shortest"].plugin.version
    Path("mine_to_judge.py").write_text("router = 3\n", encoding="utf-8")
    for name, version in {
        "shortest": installed,
        "mine_to_judge:router": "unknown",
        "click:Path": metadata("click"),
    }.items():
        run("conform", name, "--profile", "router", "-k", "QS-L3-050", "--report", "r.yaml", "--report", "r.html")
        (one,) = YAML(typ="safe").load(Path("r.yaml"))["subjects"]
        assert one["version"] == version
        assert f"version {version}" in Path("r.html").read_text(encoding="utf-8")
    Path("qstackfile.py").write_text(MEAN, encoding="utf-8")
    run("conform", "mean", "-k", "QS-L3-050", "--report", "r.yaml")
    (one,) = YAML(typ="safe").load(Path("r.yaml"))["subjects"]
    assert len(one["version"]) >= 8  # the digest of the file


def test_what_a_subject_cannot_be_asked_is_not_run(run):
    code, out = run("conform", "shortest", "--profile", "router", "-k", "QS-L2-001", "-k", "QS-L3-050")
    assert code == 0
    assert "QS-L2-001 (MUST)      not run" in out
    assert "score" not in out


def test_profiles_are_listed(run):
    code, out = run("conform", "--profile", "?")
    assert code == 0
    assert {"link", "hardware", "node", "reconciliation"} <= set(out.split())


def test_thorough_takes_more_samples():
    suite = exam.thorough(ReconciliationSuite)
    before = getattr(ReconciliationSuite, "effort", None)
    assert suite is ReconciliationSuite if before is None else suite.effort == exam.MORE * before
    assert any(hasattr(one, "effort") for one in (_suites()))


def _suites():
    from qstack.conformance.profiles import PROFILES  # noqa: PLC0415 - one of these tests only

    return [profile.suite for profile in PROFILES.values()]
