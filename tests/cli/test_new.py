"""`qstack new`: what it writes can be installed, judged and run, and bad words are refused before anything is written."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from command_line import said

from qstack.cli import invoke
from qstack.cli.new import KINDS_OF_PLUGIN, LEVELS, TEMPLATES

HEADINGS = ["Scope and limitations", "Parameters", "Usage", "Validation", "References"]
PLUGINS = {
    **{kind: (kind,) for kind in KINDS_OF_PLUGIN if kind != "layer"},
    **{level: ("layer", "--level", level) for level in LEVELS},
}
HONEST = {"link", "network", "transport", "physical"}
"""Layers that refuse everything as generated: their suite fails until handlers are written."""


@pytest.fixture
def make(tmp_path, monkeypatch, capsys):
    """Make a plugin and install it: its sources and its entry point are found from now on, until the test ends."""
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)

    def install(kind, name):
        assert invoke(["new", *PLUGINS[kind], name]) == 0
        root = tmp_path / name
        project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
        (points,) = project["entry-points"].values()
        info = root / "src" / f"{name.replace('-', '_')}-{project['version']}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {project['version']}\n")
        (info / "entry_points.txt").write_text("[qstack]\n" + "".join(f"{k} = {v}\n" for k, v in points.items()))
        monkeypatch.syspath_prepend(str(root / "src"))
        capsys.readouterr()
        return root

    yield install
    for module in set(sys.modules) - before:
        if module.startswith("my_"):
            del sys.modules[module]
    importlib.invalidate_caches()


@pytest.mark.requirement("QS-PL-301")
@pytest.mark.parametrize("kind", PLUGINS)
def test_every_kind_is_found_judged_and_tested(kind, make, capsys):
    root = make(kind, f"my-{kind}")
    code, out, _ = said(capsys, "plugins")
    assert code == 0
    assert f"my-{kind}" in out
    readme = (root / "README.md").read_text()
    assert re.findall(r"^## (.+)$", readme, re.MULTILINE) == HEADINGS
    assert "$" not in readme + (root / "pyproject.toml").read_text()
    (test,) = (root / "tests").glob("test_*.py")
    (command,) = re.findall(r"^(qstack .+)$", re.search(r"```\n(.*?)```", readme, re.DOTALL)[1], re.MULTILINE)
    assert command.startswith(f"qstack conform my-{kind} --profile ")
    code, out, _ = said(capsys, *command.split()[1:])
    if kind in HONEST:
        assert code == 1
        assert re.search(r"^my-\w+: \d+ passed, [1-9]\d* failed", out, re.MULTILINE)
        assert "no exception, but" not in out
    else:
        assert code == 0
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test)],
        cwd=root, capture_output=True, text=True, check=False, env={"PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert done.returncode == (kind in HONEST), done.stdout
    assert re.search(r"^class TestMine\(\w+Suite\):$", test.read_text(), re.MULTILINE)


@pytest.mark.requirement("QS-PL-301")
@pytest.mark.parametrize("kind", sorted({"hardware", "router", "application", "distillation"}))
def test_the_scenario_of_the_readme_runs(kind, make, capsys):
    root = make(kind, f"my-{kind}")
    (scenario,) = re.findall(r"```yaml\n(.*?)```", (root / "README.md").read_text(), re.DOTALL)
    Path("scenario.yaml").write_text(scenario)
    code, out, err = said(capsys, "run", "scenario.yaml", "--quiet")
    assert (code, err) == (0, ""), out


@pytest.mark.parametrize("level", LEVELS)
def test_a_layer_as_generated_says_no_in_a_run(level, make, capsys):
    root = make(level, f"my-{level}")
    (scenario,) = re.findall(r"```yaml\n(.*?)```", (root / "README.md").read_text(), re.DOTALL)
    Path("scenario.yaml").write_text(scenario)
    code, out, err = said(capsys, "run", "scenario.yaml")
    if level == "physical":
        assert code == 0
        assert "10 of 10" in out
    else:
        assert code == 1
        assert " 0 of 10" in out
        assert err.startswith("failed  pairs: ended early: ")


@pytest.mark.requirement("QS-PL-302")
def test_the_promise_to_vendors(make, capsys):
    """New hardware, a pasted data sheet, the judge: T2 exceeds 2 T1, in plain words."""
    root = make("hardware", "my-memory")
    code, out, _ = said(capsys, "conform", "my-memory", "--profile", "hardware")
    assert code == 0
    assert out.endswith(" passed, 0 failed, 1 informational\n")
    sheet = root / "src" / "my_memory" / "data" / "my-memory.yaml"
    pasted = sheet.read_text().replace("coherence_time: 1 s ", "coherence_time: 25 s ")
    assert pasted != sheet.read_text()
    sheet.write_text(pasted)
    code, _, err = said(capsys, "conform", "my-memory")
    assert code == 3
    assert err.startswith("plugin 'my-memory' 0.1.0: my-memory.yaml is not a platform: memory: T2 exceeds 2 T1: ")
    assert err.endswith("25 s is more than twice 10 s, which no qubit can have.\n")

    plugin = root / "src" / "my_memory" / "plugin.py"
    lenient = plugin.read_text().replace("if t2 > 2 * t1:", "if t2 < 0:")
    plugin.write_text(lenient)
    for module in ("my_memory", "my_memory.plugin"):
        sys.modules.pop(module, None)
    importlib.invalidate_caches()
    code, out, _ = said(capsys, "conform", "my-memory")
    assert code == 1
    assert "QS-L1-031 (MUST)      fail" in out
    assert "T2 exceeds 2 T1: the coherence falls with T2 = 25 s, the population with T1 = 10 s." in out


@pytest.mark.requirement("QS-PL-303")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("hardwear", "x"), "'hardwear' is not a kind of plugin; allowed: layer, hardware, router, distillation, code, "),
        (("hardwear", "x"), "reconciliation, adapter, application.  Did you mean 'hardware'?"),
        (("link", "x"), "Did you mean 'layer --level link'?"),
        (("layer", "x"), "which layer? Write --level and one of link, network, transport, physical."),
        (("layer", "--level", "lnik", "x"), "--level 'lnik' is not a level; allowed: link, network, transport, physical.  Did you mean 'link'?"),
        (("layer", "--level", "application", "x"), "write 'qstack new application'"),
        (("router", "--level", "link", "x"), "only a layer has a level"),
        (("router", "My Router"), "Did you mean 'my-router'?"),
        (("router", "9lives"), "'9lives' cannot be the name of a plugin; allowed: lower-case words"),
        (("router", "../x"), "'../x' cannot be the name of a plugin"),
        (("router", "class"), "'class' is a word of Python.  Try 'my-class'."),
        (("router", "json"), "there is a module 'json'.  Try 'my-json'."),
        (("router", "shortest"), "'shortest' is taken: there is a router of this name.  Try 'my-shortest'."),
        (("hardware", "textbook"), "'textbook' is taken: there is a hardware platform of this name."),
        (("hardware", "relaxing"), "'relaxing' is taken"),
        (("layer", "--level", "link", "reference"), "there is a layer of level 'link' of this name"),
    ],
)  # fmt: skip
def test_bad_words_are_refused_and_nothing_is_written(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, _, err = said(capsys, "new", *arguments)
    assert code == 2
    assert message in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.requirement("QS-PL-303")
def test_a_folder_that_exists_is_left_as_it_is(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    code, _, err = said(capsys, "new", "code", "mine")
    assert (code, err) == (2, "'mine' is there already; nothing was written.\n")
    assert list((tmp_path / "mine").iterdir()) == []
    assert said(capsys, "new", "code", "mine", "--into", "mine")[0] == 0
    assert (tmp_path / "mine" / "mine" / "pyproject.toml").is_file()
    (tmp_path / "file").write_text("")
    code, _, err = said(capsys, "new", "code", "mine", "--into", "file")
    assert code == 2
    assert "file/mine" in err


def test_every_template_is_used():
    used = {"about.toml", "plugin.py.tmpl", "test.py.tmpl", "sheet.yaml.tmpl"}
    for folder in PLUGINS:
        names = {path.name for path in (TEMPLATES / folder).iterdir()}
        assert {"about.toml", "plugin.py.tmpl", "test.py.tmpl"} <= names <= used
    assert {path.name for path in TEMPLATES.iterdir()} == {*PLUGINS, "common"}
