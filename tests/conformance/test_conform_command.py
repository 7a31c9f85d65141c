"""`qstack spec` and `qstack conform` as a user meets them."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import pytest
from command_line import said

ROOT = Path(__file__).parents[2]

DROPPED, ABSENT = (f"QS-L2-{number:03d}" for number in (9, 99))

BROKEN = """\
import qstack
from qstack.core.layer import on
from qstack.link.layer import LinkLayer
from qstack.link.queue import Link
from qstack.services.l2_link import Accepted, Create

QSTACK_API = (1, 0)


class Eager(LinkLayer):
    @on(Create)
    def create(self, req, ctx):
        for answer in super().create(req, ctx):
            yield answer
            if isinstance(answer, Accepted):
                yield answer


def make(options, site):
    return Eager({p: Link(p, n.lanes, 2 * n.delay, n.rows, site.number < p, n.period) for p, n in site.neighbours.items()})


@qstack.hookimpl
def qstack_layers():
    return [qstack.Offer("eager", make, summary="accepts twice", level="link")]
"""


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Call the command line in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    return partial(said, capsys)


# -- spec -------------------------------------------------------------------------------------------------------------


def test_check_passes_on_this_checkout(run):
    code, out, _ = run("spec", "check")
    assert (code, out.splitlines()[-1].split(", ")[1]) == (0, "checked with code and tests: 0 problems")


def test_list_has_every_requirement_once(run):
    code, out, _ = run("spec", "list", "--json")
    everything = json.loads(out)
    assert code == 0
    numbers = [one["id"] for one in everything]
    assert len(numbers) == len(set(numbers)) >= 150
    code, out, _ = run("spec", "list", "--chapter", "link", "--level", "MUST NOT")
    assert code == 0
    assert "QS-L2-011  MUST NOT    A link layer that receives an ADD it has already accepted MUST NOT enter" in out
    assert "QS-L2-001" not in out
    assert f"{sum(one['chapter'] == 'link' and one['level'] == 'MUST NOT' for one in everything)} requirements" in out


def test_list_searches_words(run):
    code, out, _ = run("spec", "list", "Herald", "light")
    assert code == 0
    assert "QS-L1-006" in out
    assert "QS-L2-001" not in out
    assert run("spec", "list", "no such words")[1] == "0 requirements\n"


def test_show_tells_everything_of_one(run):
    code, out, _ = run("spec", "show", "QS-L2-011")
    assert code == 0
    for words in (
        "QS-L2-011  MUST NOT  link: agreement  since 0.1",
        "A link layer that receives an ADD it has already accepted MUST NOT enter it into its queue a",
        "Why: An answer may be lost",
        "Source: link layer of SIGCOMM 2019: replayed ADD_ACK",
        "From the candidates LNK-11",
        'specs/link/link.md, section "Distributed queue"',
        "tested by tests/transcripts/test_link.py",
        "tested by qstack/conformance/link_agreement.py",
    ):
        assert words in out


def test_coverage_counts_every_chapter(run):
    code, out, _ = run("spec", "coverage")
    lines = {line.split()[0]: line.split()[1:] for line in out.splitlines()[1:]}
    assert code == 0
    assert set(lines) >= {"link", "network", "physical", "keys"}
    for requirements, _, tested, excepted, neither in lines.values():
        assert int(requirements) == int(tested) + int(excepted) + int(neither)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("show", "QS-L2-0111"),
            "'QS-L2-0111' is not a requirement; they read like QS-L2-011.  Did you mean 'QS-L2-01",
        ),
        (("show", DROPPED), f"{DROPPED} was never taken up: The master assigns numbers"),
        (("list", "--chapter", "lnk"), "'lnk' is not a chapter; allowed: application, classical"),
        (("list", "--level", "SHALL"), "'SHALL' is not a level; allowed: MAY, MUST, MUST NOT, SHOULD, SHOULD NOT."),
    ],
)
def test_what_is_not_there_is_bad_input(run, arguments, message):
    code, _, err = run("spec", *arguments)
    assert code == 2
    assert err.startswith(message)


def test_a_problem_is_exit_code_1(run, tmp_path):
    shutil.copytree(ROOT / "specs", tmp_path / "mine" / "specs")
    page = tmp_path / "mine" / "specs" / "link" / "link.md"
    page.write_text(page.read_text().replace("a second time.", "twice."))
    (tmp_path / "qstackfile.py").write_text(
        "import qstack\nfrom pathlib import Path\nQSTACK_API = (1, 0)\n\n\n@qstack.hookimpl\ndef qstack_specs():\n"
        "    return [Path(__file__).parent / 'mine' / 'specs']\n"
    )
    code, out, _ = run("spec", "check")
    assert code == 1
    assert "link.md: QS-L2-011 has not the text of link.toml" in out
    assert "checked as packaged: 1 problems" in out


# -- conform ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_everything_installed_conforms(run):
    code, out, _ = run("conform", "--all")
    assert code == 0
    assert " passed, 0 failed" in out.splitlines()[-1]
    for words in ("reference as link", "reference as network", "textbook as hardware"):
        assert words in out


@pytest.mark.requirement("QS-CF-012")
def test_a_failure_shows_words_dialogue_and_place(run, tmp_path):
    (tmp_path / "qstackfile.py").write_text(BROKEN)
    code, out, _ = run("conform", "eager", "--profile", "link")
    assert code == 1
    lines = out.splitlines()
    assert lines[:2] == [
        "eager as link",
        "QS-L2-001 (MUST)      fail         test_accepted_once_and_before_any_pair",
    ]
    assert lines[2].strip() == ">> Create(peer=2, purpose=4, number=3, min_fidelity=0.8)"
    begin = next(place for place, line in enumerate(lines) if "at most 1 Accepted" in line)
    assert lines[begin : begin + 6] == [
        "    - at most 1 Accepted",
        "    + << Accepted(peer=2, purpose=4, create_id=1)",
        "    + << Accepted(peer=2, purpose=4, create_id=1)",
        "A request that is accepted MUST be answered by exactly one Accepted, before any pair of it is delivered.",
        'specs/link/link.md, section "Service"',
        "",
    ]
    assert " passed, 1 failed" in lines[-1]
    assert lines[-2] == f"eager: {lines[-1]}"


@pytest.mark.requirement("QS-CF-013")
@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("reference", "--profile", "link"), 0, ""),
        (("eager", "-k", "QS-L2-011"), 0, ""),
        (("eager", "-k", "QS-L2-001"), 1, ""),
        (("eger",), 2, "'eger' is not installed; there are "),
        (("eager", "--profile", "network"), 2, "'eager' is not installed as network; there are reference."),
        (("reference",), 2, "there are several 'reference'; say --profile "),
        (
            ("reference", "--profile", "lnk"),
            2,
            "'lnk' is not a profile; allowed: ",
        ),
        (("--all", "--profile", "lnk"), 2, "'lnk' is not a profile"),
        (
            ("--all", "reference"),
            2,
            "whom? Write the name of a subject, --all, --exec COMMAND, or --connect HOST:PORT.",
        ),
        (("eager", "-k", ABSENT), 2, f"'{ABSENT}' is not a requirement"),
    ],
)
def test_exit_codes(run, tmp_path, arguments, code, message):
    (tmp_path / "qstackfile.py").write_text(BROKEN)
    found, _, err = run("conform", *arguments)
    assert found == code
    assert err.startswith(message)


def test_one_requirement_that_the_suite_does_not_test_is_not_run(run):
    code, out, _ = run("conform", "reference", "--profile", "link", "-k", "QS-L1-001")
    assert code == 0
    assert "QS-L1-001 (MUST)      not run" in out
    assert out.splitlines()[-1] == "0 passed, 0 failed, 1 not run"


def test_the_whole_report_shows_passes(run):
    code, out, _ = run("conform", "textbook", "--whole")
    assert code == 0
    assert "QS-L1-031 (MUST)      pass         test_decay_is_a_channel_at_every_age" in out


def test_other_judges_are_still_there(run):
    code, out, _ = run("conform", "etsi014", "--help")
    assert code == 0
    assert "key manager" in out
