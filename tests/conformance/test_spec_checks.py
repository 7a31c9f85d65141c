"""What `qstack spec check` finds, in a small checkout of its own: one chapter, one module, one test."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from qstack.cli import invoke
from qstack.conformance.specification import load, schema
from qstack.conformance.tracing import check, checkout, cited, coverage, update, verified
from qstack.core.errors import ConfigError

ROOT = Path(__file__).parents[2]
FIRST, SECOND, THIRD, ABSENT = (f"QS-ZZ-{number:03d}" for number in (1, 2, 3, 404))

DATA = f"""\
title = "A chapter"
prefix = "QS-ZZ"

[[requirement]]
id = "{FIRST}"
level = "MUST"
feature = "one"
text = "A thing MUST be so."
rationale = "Because it is."
source = "project"

[[requirement]]
id = "{SECOND}"
level = "SHOULD NOT"
feature = "one"
text = "A thing SHOULD NOT be otherwise."
rationale = "Because it is."
source = "project"

[[dropped]]
id = "{THIRD}"
candidates = ["ABC-3"]
reason = "Nobody needs it."
"""
PAGE = f"# A chapter\n\n## One\n\n- **{FIRST}**\n- **{SECOND}**\n"
TEST = f'import pytest\n\n\n@pytest.mark.requirement("{FIRST}")\ndef test_it():\n    assert True\n'


@pytest.fixture
def tree(tmp_path):
    """A checkout in step."""
    for name, text in {
        "specs/zz/zz.toml": DATA,
        "specs/zz/zz.md": PAGE,
        "tests/test_zz.py": TEST,
        "qstack/code.py": f'"""Keeps {FIRST}."""\n',
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    update(load(tmp_path / "specs"))
    assert problems(tmp_path) == []
    return tmp_path


def problems(tree):
    return [str(problem) for problem in check(load(tree / "specs"))]


def change(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.requirement("QS-CF-003")
def test_a_changed_text_is_noticed(tree):
    change(tree / "specs/zz/zz.toml", "MUST be so.", "MUST be so and so.")
    assert problems(tree) == [
        f"lock.toml: {FIRST} has another text: read its tests again, then `qstack spec check --update`",
        f"zz.md: {FIRST} has not the text of zz.toml",
    ]
    update(load(tree / "specs"))
    assert problems(tree) == []
    assert f"- **{FIRST}** (MUST) A thing MUST be so and so." in (tree / "specs/zz/zz.md").read_text()


@pytest.mark.requirement("QS-CF-001")
@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("A thing MUST be so. Another MAY not.", "says MUST, MAY"),
        ("A thing MUST be so and MUST be there.", "says MUST, MUST"),
        ("A thing is so.", "says nothing of the kind"),
        ("A thing MUST NOT be so.", "says MUST NOT"),
        ("A thing MUST be so. It is.", "has more than one sentence"),
    ],
)
def test_a_text_of_two_rules_is_refused(tree, text, what):
    change(tree / "specs/zz/zz.toml", "A thing MUST be so.", text)
    update(load(tree / "specs"))
    assert what in problems(tree)[0]


@pytest.mark.requirement("QS-CF-002")
@pytest.mark.parametrize("other", [FIRST, THIRD])
def test_a_number_is_never_used_twice(tree, other):
    change(tree / "specs/zz/zz.toml", f'id = "{SECOND}"', f'id = "{other}"')
    assert f"zz.toml: {other} stands in zz.toml already; a number is never used twice" in problems(tree)
    assert f"lock.toml: {SECOND} is gone; a requirement that is given up stands under [[dropped]]" in problems(tree)


def test_a_number_of_another_chapter(tree):
    change(tree / "specs/zz/zz.toml", 'prefix = "QS-ZZ"', 'prefix = "QS-YY"')
    assert f"zz.toml: {FIRST} does not begin with QS-YY" in problems(tree)


@pytest.mark.requirement("QS-CF-004")
def test_a_must_without_test_is_noticed(tree):
    change(tree / "tests/test_zz.py", f'@pytest.mark.requirement("{FIRST}")\n', "")
    assert f"zz.toml: {FIRST} (MUST) has neither a test nor an exception" in problems(tree)
    (tree / "specs/exceptions.toml").write_text(f'{FIRST} = "It cannot be seen from outside. Read it."\n')
    update(load(tree / "specs"))
    assert problems(tree) == []
    assert (
        f"{FIRST}  MUST        exception: It cannot be seen from outside\n" in (tree / "specs/coverage.txt").read_text()
    )


def test_exceptions_that_are_none(tree):
    (tree / "specs/exceptions.toml").write_text(f'{FIRST} = "Why not."\n{ABSENT} = "Why not."\n')
    assert problems(tree) == [
        f"exceptions.toml: {FIRST} is tested by tests/test_zz.py and needs no exception",
        f"exceptions.toml: {ABSENT} is not a requirement",
    ]


@pytest.mark.requirement("QS-CF-005")
@pytest.mark.parametrize("place", ["qstack/code.py", "tests/test_zz.py", "docs/page.md", "README.md"])
def test_an_unknown_number_is_found_where_it_stands(tree, place):
    path = tree / place
    path.parent.mkdir(exist_ok=True)
    before = path.read_text() if path.exists() else ""
    path.write_text(f"{before}# {ABSENT}\n# {THIRD}\n")
    line = before.count("\n") + 1
    assert problems(tree) == [
        f"{place}:{line}: {ABSENT} is not a requirement",
        f"{place}:{line + 1}: {THIRD} is not a requirement: Nobody needs it.",
    ]


@pytest.mark.requirement("QS-CF-006")
def test_prose_and_data_are_in_step(tree):
    page = tree / "specs/zz/zz.md"
    whole = page.read_text()
    page.write_text(whole.replace(f"- **{SECOND}**", f"- **{ABSENT}**"))
    assert problems(tree) == [
        f"zz.md: {ABSENT} is not in zz.toml",
        f"zz.md: {SECOND} stands there 0 times, not once",
    ]
    page.write_text(whole + f"- **{FIRST}** (MUST) A thing MUST be so.\n")
    assert problems(tree) == [f"zz.md: {FIRST} stands there 2 times, not once"]


@pytest.mark.requirement("QS-CF-005")
@pytest.mark.parametrize("mark", ["QS-ZZ-1", "qs-zz-001", "QS-ZZ-0011", "", "the first"])
def test_a_mark_that_is_no_number_is_told(tree, mark):
    change(tree / "tests/test_zz.py", f'requirement("{FIRST}")', f'requirement("{FIRST}", "{mark}")')
    assert problems(tree) == [f"tests/test_zz.py: a test cites {mark!r}, which is no number; they read like QS-L2-011"]


def test_files_that_cannot_be_read_are_told_and_the_rest_is_checked(tree):
    (tree / "tests/test_broken.py").write_text(f'requirement("{SECOND}"\n')
    (tree / "docs").mkdir()
    (tree / "docs/page.md").write_bytes(b"\xff\xfe\n")
    found = problems(tree)
    assert "tests/test_broken.py:1: is not Python, so nobody can read what it cites: '(' was never closed" in found
    assert "docs/page.md: is not UTF-8, so nobody can read what it cites" in found
    assert len(found) == 2


def test_a_number_has_a_line_of_its_own(tree):
    change(tree / "specs/zz/zz.toml", f'id = "{FIRST}"\n', f"id = '{FIRST}'\n")
    assert problems(tree) == [f'zz.toml: {FIRST} has no line of its own that reads: id = "{FIRST}"']


BROKEN = {
    "an unknown number in code": ("qstack/code.py", FIRST, ABSENT),
    "an unknown number in a test": ("tests/test_zz.py", FIRST, ABSENT),
    "a MUST that no test cites": ("tests/test_zz.py", f'@pytest.mark.requirement("{FIRST}")', ""),
    "another text": ("specs/zz/zz.toml", "MUST be so.", "MUST be thus."),
    "another level": ("specs/zz/zz.toml", 'level = "MUST"', 'level = "SHOULD"'),
    "prose that says something else": ("specs/zz/zz.md", "MUST be so.", "MUST be thus."),
    "prose that leaves a rule out": ("specs/zz/zz.md", f"- **{FIRST}**", f"- {FIRST}"),
    "a lock that was not made": ("specs/lock.toml", f"{FIRST} =", f"# {FIRST} ="),
    "a lock of what is gone": ("specs/zz/zz.toml", f'id = "{SECOND}"', f'id = "{ABSENT}"'),
    "coverage of yesterday": ("specs/coverage.txt", "tests/test_zz.py", "tests/test_yy.py"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_command_fails_in_a_checkout_out_of_step(name, tree, monkeypatch, capsys):
    """In the checkout in which it is called, from any folder of it."""
    monkeypatch.chdir(tree / "tests")
    assert invoke(["spec", "check"]) == 0
    assert capsys.readouterr().out == "2 requirements in 1 chapters, checked with code and tests: 0 problems\n"
    place, old, new = BROKEN[name]
    change(tree / place, old, new)
    with pytest.raises(SystemExit) as error:
        invoke(["spec", "check"])
    assert error.value.code == 1
    assert int(capsys.readouterr().out.splitlines()[-1].split()[-2]) > 0


def test_the_other_commands_read_that_checkout_too(tree, monkeypatch, capsys):
    monkeypatch.chdir(tree)
    assert invoke(["spec", "list"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 requirements"
    assert invoke(["spec", "show", FIRST.lower(), SECOND]) == 0
    said = capsys.readouterr().out
    assert "tested by tests/test_zz.py" in said
    assert "not tested: test" in said
    assert invoke(["spec", "coverage"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "zz                        2     1       1         0        1",
        "together                  2     1       1         0        1",
    ]


def test_snapshots_are_in_step(tree):
    (tree / "specs/coverage.txt").write_text("")
    (tree / "specs/requirements.schema.json").unlink()
    assert [problem.split(":")[0] for problem in problems(tree)] == ["coverage.txt", "requirements.schema.json"]


def test_without_code_and_tests_the_packaged_coverage_counts(tree):
    for folder in ("tests", "qstack"):
        (tree / folder).rename(tree / f"not-{folder}")
    packaged = load(tree / "specs")
    assert checkout(packaged) is None
    assert verified(packaged) == {FIRST: ("tests/test_zz.py",)}
    assert problems(tree) == []


def test_decorators_and_marks_are_citations():
    source = (
        f'@requirement("{FIRST}", "{SECOND}")\nclass A: ...\n'
        f'p = pytest.param(1, marks=pytest.mark.requirement("{THIRD}"))\n# requirement("{ABSENT}")\n'
    )
    assert cited(source) == {FIRST, SECOND, THIRD}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('level = "MUST"', 'level = "SHALL"', "requirement.0.level: "),
        ('feature = "one"', "", "requirement.0.feature: Field required"),
        ("title =", "titel =", "title: Field required"),
        (f'id = "{FIRST}"', 'id = "QS-1"', "requirement.0.id: "),
        ('title = "A chapter"', "title = A", "not TOML"),
    ],
)
def test_data_that_are_none_are_named(tree, old, new, message):
    (tree / "specs/zz/zz.toml").write_text(DATA.replace(old, new, 1))
    with pytest.raises(ConfigError) as error:
        load(tree / "specs")
    assert str(error.value).startswith(f"{tree}/specs/zz/zz.toml: {message}")


def test_files_that_are_missing_are_named(tree):
    (tree / "specs/zz/zz.md").unlink()
    with pytest.raises(ConfigError, match=r"the prose, zz\.md, is missing"):
        load(tree / "specs")
    (tree / "specs/zz/zz.toml").rename(tree / "specs/zz/other.toml")
    with pytest.raises(ConfigError, match=r"'other/other\.toml'"):
        load(tree / "specs")
    with pytest.raises(ConfigError, match="there are no requirements"):
        load(tree / "tests")
    (tree / "specs/exceptions.toml").write_text("a = 1\n")
    (tree / "specs/zz/other.toml").rename(tree / "specs/zz/zz.toml")
    (tree / "specs/zz/zz.md").write_text(PAGE)
    with pytest.raises(ConfigError, match=r"exceptions\.toml: a: expected a text"):
        load(tree / "specs")


# -- our own ----------------------------------------------------------------------------------------------------------

OURS = load(ROOT / "specs")
CANDIDATES = {"PHY": 15, "LNK": 27, "NET": 25, "TRN": 12, "APP": 7, "CLS": 6}


def test_every_candidate_became_a_requirement_or_was_dropped_with_a_reason():
    taken = {name for _, one in OURS for name in one.candidates}
    dropped = {name for one in OURS.dropped().values() for name in one.candidates}
    assert taken | dropped == {f"{name}-{n}" for name, most in CANDIDATES.items() for n in range(1, most + 1)}


def test_a_candidate_keeps_its_number():
    layers = {"QS-L1": "PHY", "QS-L2": "LNK", "QS-L3": "NET", "QS-L4": "TRN", "QS-L5": "APP", "QS-CL": "CLS"}
    everything = {one.id: one.candidates for _, one in OURS} | {
        number: one.candidates for number, one in OURS.dropped().items()
    }
    for prefix, name in layers.items():
        for number in range(1, CANDIDATES[name] + 1):
            assert f"{name}-{number}" in everything[f"{prefix}-{number:03d}"]


def test_there_are_many_and_each_has_a_reason_and_a_source():
    assert len(list(OURS)) >= 150
    assert {chapter.name for chapter in OURS.chapters} == {
        *("conventions", "physical", "link", "network", "transport", "application"),
        *("classical", "keys", "wire", "plugin", "conformance"),
    }


def test_data_fit_the_published_schema():
    published = json.loads((ROOT / "specs" / "requirements.schema.json").read_text())
    assert published == json.loads(schema())
    for chapter in OURS.chapters:
        jsonschema.validate(tomllib.loads(chapter.data.read_text()), published)


@pytest.mark.parametrize("chapter", OURS.chapters, ids=lambda chapter: chapter.name)
def test_a_chapter_tells_service_states_examples_and_security(chapter):
    for word in ("## Service", "```\n", "xample", "## Security considerations"):
        if (chapter.name, word) != ("conventions", "## Service"):
            assert word in chapter.prose
    assert all(chapter.section(one.id) for one in chapter.document.requirement)


def test_coverage_names_files_that_exist():
    for files in verified(OURS).values():
        assert all((ROOT / file).is_file() for file in files)
    assert coverage(OURS, verified(OURS)) == OURS.coverage
