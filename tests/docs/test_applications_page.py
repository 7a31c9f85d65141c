"""The page about applications: its scenarios load, its programs run, and the error it shows is the one that comes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import qstack
from qstack.builtins import qstack_applications
from qstack.core.errors import ConfigError

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "applications.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    return [text for name, text in BLOCKS if name == language]


def test_the_page_has_all_its_blocks() -> None:
    assert [name for name, _ in BLOCKS] == ["yaml", "python", "python", "python", ""]


@pytest.mark.parametrize("text", blocks("yaml"))
def test_scenarios_run(text: str, tmp_path: Path) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text(text, encoding="utf-8")
    outcome = qstack.load(path).run().flows[0].outcome
    assert outcome is not None
    assert outcome.tests == 1500


@pytest.mark.parametrize("text", blocks("python"))
def test_programs_run(text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    exec(compile(text, "docs/applications.md", "exec"), {})
    assert capsys.readouterr().out


def test_the_error_is_the_one_that_comes() -> None:
    data = {
        "name": "directions",
        "network": {"chain": {"segments": 1, "length": "1 km"}, "hardware": {"all": "textbook"}},
        "flows": [{"name": "f", "app": "chsh", "from": "n0", "to": "n1"}],
        "run": {"until": "1 s"},
    }
    with pytest.raises(ConfigError) as caught:
        qstack.load(data)
    assert blocks("")[0].strip() in str(caught.value)


@pytest.mark.parametrize("offer", ["pairs", "bbm92", "teleport", "chsh", "rsp"])
def test_every_application_is_in_the_table(offer: str) -> None:
    assert offer in {found.name for found in qstack_applications()}
    assert f"| `{offer}` |" in PAGE
