"""Every block of ``docs/plugins.md`` runs, and every message it quotes is the one that users read."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType

import pytest

import qstack
from qstack.cli import invoke
from qstack.plugin.discovery import GROUP, Plugin
from qstack.plugin.manager import Manager

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "plugins.md").read_text()
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))


def blocks(section, language):
    return re.findall(rf"```{language}\n(.*?)```", SECTIONS[section], re.DOTALL)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(folder):
    assert invoke(["run", "scenario.yaml", "--quiet", "--out", "out"]) == 0
    assert invoke(["replay", "out/manifest.json", "--quiet"]) == 0
    return qstack.load(folder / "scenario.yaml").run()


def test_every_block_of_the_page_belongs_to_a_test():
    found = {title: re.findall(r"^```(\w+)$", body, re.MULTILINE) for title, body in SECTIONS.items()}
    assert found == {
        "A hardware model": ["python", "yaml", "console", "python"],
        "A router": ["python", "yaml"],
        "A layer of one's own": ["yaml"],
        "Shipping it": ["toml"],
        "When it does not fit": [],
    }


def test_hardware_model_runs_is_refused_and_is_tested_as_written(folder, capsys, monkeypatch):
    plugin, test = blocks("A hardware model", "python")
    (folder / "qstackfile.py").write_text(plugin)
    (folder / "scenario.yaml").write_text(blocks("A hardware model", "yaml")[0])
    assert run(folder).flows["pairs"].delivered == 100
    assert len([line for line in plugin.splitlines() if line.strip()]) <= 30

    command, *said = blocks("A hardware model", "console")[0].splitlines()
    capsys.readouterr()
    assert invoke(shlex.split(command.removeprefix("$ qstack "))) == 2
    assert capsys.readouterr().err.splitlines() == said

    found = qstack.manager(folder)
    monkeypatch.setattr(qstack, "manager", lambda: found)
    names = {}
    exec(compile(test, "test_acme.py", "exec"), names)
    names["test_warm_memory_loses_coherence_five_times_as_fast"]()


def test_router_takes_the_path_with_fewest_hops(folder):
    (folder / "qstackfile.py").write_text(blocks("A router", "python")[0])
    (folder / "scenario.yaml").write_text(blocks("A router", "yaml")[0])
    result = run(folder)
    assert result.flows["pairs"].delivered == 20
    assert sum(node["swaps"] for node in result.summary()["nodes"]) == 0
    with pytest.raises(qstack.ConfigError, match="out of reach over the shortest path"):
        qstack.load(folder / "scenario.yaml", settings=["flows.pairs.min_fidelity=0.99"])


@pytest.mark.requirement("QS-PL-014")
def test_layer_of_the_example_is_replaced_by_its_name(folder):
    shutil.copy(ROOT / "examples" / "replace-link" / "qstackfile.py", folder)
    (folder / "scenario.yaml").write_text(blocks("A layer of one's own", "yaml")[0])
    assert run(folder).flows["pairs"].delivered == 50
    for name in re.findall(r"`((?:examples|tests|plugins)/[^`]+)`", PAGE):
        assert (ROOT / name).exists()


def test_project_file_names_the_module_in_the_entry_point_group():
    project = tomllib.loads(blocks("Shipping it", "toml")[0])["project"]
    (module,) = project["entry-points"][GROUP].values()
    assert EntryPoint("acme", module, GROUP).module == "qstack_acme.plugin"
    own = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["dependencies"] == [f"{own['name']}>=0.1"]
    assert project["requires-python"] == own["requires-python"]


CAUSES = {
    "unknown hook": "@qstack.hookimpl\ndef qstack_router(): return []",
    "does not mark": "def qstack_routers(): return []",
    "does not say": "QSTACK_API = None",
    "answered None": "@qstack.hookimpl\ndef qstack_routers(): pass",
    "by both": "@qstack.hookimpl\ndef qstack_routers(): return [qstack.Offer('best', print)]",
}


def written(source, name):
    module = ModuleType(f"page_{abs(len(source))}_{name}")
    sys.modules[module.__name__] = module
    exec(compile(f"import qstack\nQSTACK_API = (1, 0)\n{source}", f"{name}.py", "exec"), vars(module))
    return Plugin(name, "1.0", module)


@pytest.mark.parametrize("cause", CAUSES)
def test_quoted_message_is_what_users_read(cause):
    quoted = re.findall(r"^\| (.*?) \| [^|]+ \|$", SECTIONS["When it does not fit"], re.MULTILINE)
    names = ("acme", "beta") if cause == "by both" else ("acme",)
    with pytest.raises(qstack.PluginError) as caught:
        Manager([written(CAUSES[cause], name) for name in names])
    assert str(caught.value) in quoted
    assert len(quoted) == len(CAUSES) + 1  # and the table's head
