"""Plugins in distributions and beside scenarios; what a user reads when one is broken, from every command."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from plugin_kit import PROLOGUE, install

from qstack import api
from qstack.cli import invoke
from qstack.core.errors import PluginError
from qstack.plugin.discovery import inline, installed

SCENARIO = """
name: one link
network: {{nodes: [a, b], links: [{{a: a, b: b, length: 10 km}}], hardware: {{all: {hardware}}}}}
stack: {stack}
flows: [{{name: pairs, app: {app}, from: a, to: b, number: 3}}]
run: {{until: 10 s, seed: 3}}
"""


@pytest.fixture
def site(tmp_path, monkeypatch):
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        if name.startswith(("acme", "beta")):
            del sys.modules[name]


@pytest.fixture
def scenario(tmp_path, monkeypatch):
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)

    def write(hardware="textbook", app="pairs", stack="{}", qstackfile=None):
        path = folder / "scenario.yaml"
        path.write_text(SCENARIO.format(hardware=hardware, app=app, stack=stack))
        if qstackfile is not None:
            (folder / "qstackfile.py").write_text(PROLOGUE + qstackfile)
        return path

    return write


def test_distribution_is_found_with_its_version(site):
    install(site, "acme-router", "@hookimpl\ndef qstack_codes(): return [Offer('a', print)]", version="3.1")
    assert [str(p) for p in installed() if p.distribution == "acme-router"] == ["plugin 'acme-router' 3.1"]
    assert api.manager().versions()["acme-router"] == "3.1"
    assert api.manager().source("codes", "a") == "plugin 'acme-router' 3.1"


def test_import_that_fails_is_named(site):
    install(site, "acme", "import there_is_no_such_module")
    with pytest.raises(
        PluginError, match=r"plugin 'acme' 1.0 cannot be imported \(acme\): ModuleNotFoundError: .*acme.py:6"
    ):
        installed()


def test_plugin_that_exits_does_not_end_the_program(site):
    install(site, "acme", "raise SystemExit(0)")
    with pytest.raises(PluginError, match=r"cannot be imported .*SystemExit: 0"):
        installed()


def test_syntax_error_says_where(site):
    install(site, "acme", "def (:")
    with pytest.raises(PluginError, match=r"SyntaxError: .*acme.py, line 6"):
        installed()


def test_entry_point_must_be_a_module(site):
    install(site, "acme", "", entries="acme = acme:QSTACK_API")
    with pytest.raises(PluginError, match="entry point 'acme' is acme:QSTACK_API, which is not a module"):
        installed()


def test_module_named_by_two_entry_points(site):
    install(site, "acme", "", entries="one = acme\ntwo = acme")
    with pytest.raises(PluginError, match="'acme' is named by two entry points, 'one' of 'acme' and 'two' of 'acme'"):
        installed()


def test_module_named_by_two_distributions(site):
    install(site, "acme", "")
    install(site, "beta", "", entries="beta = acme")
    with pytest.raises(PluginError, match="named by two entry points, 'acme' of 'acme' and 'beta' of 'beta'"):
        installed()


def test_two_entry_points_of_one_distribution_are_two_plugins(site):
    install(site, "acme", "", entries="one = acme\ntwo = acme_more")
    (site / "acme_more.py").write_text(PROLOGUE)
    assert [p.distribution for p in installed() if p.distribution.startswith("acme")] == ["acme:one", "acme:two"]


def test_inline_plugin_has_the_digest_of_its_file_as_version(tmp_path):
    file = tmp_path / "qstackfile.py"
    file.write_text(PROLOGUE)
    (first,) = inline(tmp_path)
    (again,) = inline(tmp_path)
    assert first.module is again.module
    assert first.version.startswith("sha256:")
    file.write_text(PROLOGUE + "# changed\n")
    (changed,) = inline(tmp_path)
    assert changed.version != first.version
    assert changed.module is not first.module
    assert inline(tmp_path / "elsewhere") == []


def test_inline_plugin_may_hold_models_and_dataclasses_with_postponed_annotations(tmp_path):
    (tmp_path / "qstackfile.py").write_text(
        "from __future__ import annotations\nfrom dataclasses import dataclass\nfrom typing import ClassVar\n"
        "from pydantic import Field\nimport qstack\nQSTACK_API = (1, 0)\n"
        "@dataclass(slots=True)\nclass State:\n    count: ClassVar[int] = 3\n"
        "class M(qstack.MemoryModel):\n    kind: ClassVar[str] = 'mine'\n    rate: float = Field(0.5, ge=0)\n"
        "    def decay(self, age_s: float) -> qstack.Decay: return qstack.Decay(1.0, 1.0)\n"
        "@qstack.hookimpl\ndef qstack_hardware(): return [M]\n"
    )
    assert "mine" in api.manager(tmp_path).models


def test_inline_plugin_does_not_inherit_postponed_annotations(tmp_path):
    (tmp_path / "qstackfile.py").write_text(PROLOGUE + "def f(x: int): ...\nassert f.__annotations__['x'] is int\n")
    assert len(inline(tmp_path)) == 1


BROKEN = {
    "import": ("import nowhere_to_be_found", "ModuleNotFoundError"),
    "hook": ("@hookimpl\ndef qstack_ruoters(): return []", "Did you mean 'qstack_routers'?"),
    "answer": ("@hookimpl\ndef qstack_routers(): return 3", "qstack_routers answered 3"),
    "version": ("QSTACK_API = (9, 0)", "install a newer qstack"),
}


@pytest.mark.requirement("QS-PL-004")
@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize(
    "command", [["run", "scenario.yaml"], ["check", "scenario.yaml"], ["plugins"], ["schema"], ["demo"]]
)
def test_broken_distribution_is_one_message_and_exit_code_3(site, scenario, capsys, case, command):
    source, message = BROKEN[case]
    scenario()
    install(site, "acme", source)
    assert invoke(command) == 3
    err = capsys.readouterr().err
    assert "acme" in err
    assert message in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("command", [["run", "scenario.yaml"], ["check", "scenario.yaml"], ["plugins"]])
def test_broken_inline_plugin_is_one_message_and_exit_code_3(scenario, capsys, case, command):
    source, message = BROKEN[case]
    scenario(qstackfile=source)
    assert invoke(command) == 3
    err = capsys.readouterr().err
    assert "qstackfile.py" in err
    assert message in err
    assert len(err.splitlines()) == 1


def offering(hook, make):
    return f"@hookimpl\ndef qstack_{hook}(): return [Offer('mine', {make})]"


FAULTY = {
    "application that fails": (
        {"app": "mine"},
        offering("applications", "lambda options, end: 1 / 0"),
        "failed: ZeroDivisionError: division by zero (qstackfile.py:7)",
    ),
    "application that is none": (
        {"app": "mine"},
        offering("applications", "lambda options, end: 5"),
        "'mine' makes 5, which lacks handlers, flow.",
    ),
    "factory that wants something else": (
        {"app": "mine"},
        offering("applications", "lambda options, ende: 5"),
        "'mine' cannot be made: ",
    ),
    "router that is none": (
        {"stack": "{network: {routing: mine}}"},
        offering("routers", "lambda options, view: None"),
        "'mine' makes None, which lacks __call__.",
    ),
    "router that fails": (
        {"stack": "{network: {routing: mine}}"},
        offering("routers", "lambda options, view: lambda source, target, fidelity: [][0]"),
        "failed: IndexError: list index out of range (qstackfile.py:7)",
    ),
    "layer that is none": (
        {"stack": "{transport: {use: mine}}"},
        "@hookimpl\ndef qstack_layers(): return [Offer('mine', lambda options, site: None, level='transport')]",
        "'mine' makes None, which lacks handlers, name.",
    ),
    "cutoff that fails": (
        {"stack": "{network: {cutoff: mine}}"},
        offering("cutoffs", "lambda options: lambda storage: storage[99]"),
        "failed: IndexError: tuple index out of range (qstackfile.py:7)",
    ),
    "memory that fails": (
        {"hardware": "{like: textbook, memory: {kind: mine}}"},
        (
            "class M(qstack.MemoryModel):\n    kind = 'mine'\n    def decay(self, age_s): return 1 / 0\n"
            "@hookimpl\ndef qstack_hardware(): return [M]"
        ),
        "failed: ZeroDivisionError: division by zero (qstackfile.py:8)",
    ),
    "validator that fails": (
        {"app": "{use: mine, x: 1}"},
        (
            "from pydantic import field_validator\nclass O(qstack.Options):\n    x: int\n"
            "    @field_validator('x')\n    def wrong(cls, v): raise RuntimeError('broken')\n"
            "@hookimpl\ndef qstack_applications(): return [Offer('mine', print, O)]"
        ),
        "failed: RuntimeError: broken (qstackfile.py:10)",
    ),
}


@pytest.mark.requirement("QS-PL-008")
@pytest.mark.parametrize("case", FAULTY)
def test_part_that_fails_blames_its_plugin(scenario, capsys, case):
    changes, source, message = FAULTY[case]
    assert invoke(["run", str(scenario(**changes, qstackfile=source)), "--quiet"]) == 3
    err = capsys.readouterr().err
    assert err.startswith(("plugin 'qstackfile.py' sha256:", "O of module 'qstackfile_"))
    assert message in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("app", ["[pairs]", "{use: [pairs]}", "7"])
def test_choice_that_is_no_name_is_bad_input(scenario, capsys, app):
    assert invoke(["check", str(scenario(app=app))]) == 2
    assert "expected the name of an application, or a mapping with 'use'." in capsys.readouterr().err


def test_inline_plugin_is_used_by_the_scenario_beside_it_and_only_by_that(scenario, capsys):
    source = (
        "from qstack.hardware.models import RelaxingMemory, TextbookInterface\n"
        "sheet = qstack.Platform(name='mine', memory=RelaxingMemory(), interface=TextbookInterface("
        "probability=0.5, fidelity=0.9, attempt_period='1 ms'))\n"
        "@hookimpl\ndef qstack_hardware(): return [sheet]\n"
    )
    path = scenario(hardware="mine", qstackfile=source)
    assert invoke(["run", str(path), "--quiet"]) == 0
    (path.parent / "qstackfile.py").unlink()
    assert invoke(["run", str(path), "--quiet"]) == 2
    assert "'mine' is not a hardware platform." in capsys.readouterr().err


def test_broken_plugin_ends_the_program_with_3_and_no_traceback(site, scenario):
    install(site, "acme", "raise RuntimeError('no licence')")
    path = os.pathsep.join([str(site), str(Path(api.__file__).parents[1])])
    done = subprocess.run(
        [sys.executable, "-c", "from qstack.cli import main; main()", "run", str(scenario())],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert done.stderr == "plugin 'acme' 1.0 cannot be imported (acme): RuntimeError: no licence (acme.py:6)\n"


def test_own_version_is_reported_where_the_distribution_is_installed():
    try:
        expected = version("qstack-reference")
    except ModuleNotFoundError:
        expected = "0+unknown"
    assert api.manager().versions()["qstack-reference"] == expected
