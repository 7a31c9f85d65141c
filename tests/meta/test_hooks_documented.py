"""Every hook has a page section that tells the truth: a signature, a consumer, and an example that works."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import pytest

import qstack
import qstack.builtins
from qstack.cli import invoke
from qstack.plugin import hooks
from qstack.plugin.discovery import Plugin, inline
from qstack.plugin.manager import HOOKS, KINDS, OBSERVERS, Manager
from qstack.trace.sinks import Memory

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "hooks.md").read_text()
SECTIONS = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
KIND_OF = {kind.hook: name for name, kind in KINDS.items()}
REFERENCE = Plugin("qstack-reference", "1", qstack.builtins)
UNUSED = {
    "qstack_codes",
    "qstack_adapters",
}
"""Hooks that nothing in a run consumes yet; the page has to say so."""
WITHOUT_SCENARIO = UNUSED | {
    "qstack_drivers",
    "qstack_commands",
    "qstack_specs",
    "qstack_eavesdroppers",
    "qstack_reconciliation",
}


def block(hook, language):
    found = re.search(rf"```{language}\n(.*?)```", SECTIONS[hook], re.DOTALL)
    return found[1] if found else None


def write(folder, hook):
    (folder / "qstackfile.py").write_text(block(hook, "python"))
    (plugin,) = inline(folder)
    return plugin


@pytest.mark.requirement("QS-PL-006")
def test_page_has_a_section_for_every_hook_and_no_other():
    assert list(SECTIONS) == list(HOOKS)


@pytest.mark.requirement("QS-PL-006")
@pytest.mark.parametrize("hook", HOOKS)
def test_section_tells_purpose_signature_and_consumer(hook):
    for word in ("Purpose: ", "Signature: `", "Used by: "):
        assert SECTIONS[hook].count(f"\n{word}") == 1
    parameters = re.search(rf"Signature: `{hook}\(([^)]*)\)", SECTIONS[hook])[1]
    assert tuple(re.findall(r"\w+", parameters)) == HOOKS[hook]


@pytest.mark.parametrize("hook", HOOKS)
def test_specification_has_a_docstring(hook):
    assert len(inspect.getdoc(getattr(hooks, hook))) > 20


@pytest.mark.parametrize("hook", HOOKS)
def test_page_says_which_hooks_nothing_consumes(hook):
    says = re.search(r"Used by: (?:nothing|no scenario)", SECTIONS[hook]) is not None
    assert says == (hook in UNUSED)


@pytest.mark.requirement("QS-PL-006")
@pytest.mark.parametrize("hook", HOOKS)
def test_example_is_a_short_plugin_that_the_manager_takes(hook, tmp_path):
    plugin = write(tmp_path, hook)
    code = [line for line in ast.unparse(ast.parse(block(hook, "python"))).splitlines() if line.strip()]
    assert len(code) <= 20
    alone, together = Manager([plugin]), Manager([plugin, REFERENCE])
    if hook in OBSERVERS:
        given = {"scenario": type("S", (), {"name": "s"}), "seed": 3, "summary": {"flows": [{"delivered": 2}]}}
        together.observers(hook)(**given)
        assert len(plugin.module.heard) == 1
    else:
        kind = KIND_OF[hook]
        assert len(alone.found[kind]) == 1
        assert set(alone.found[kind]) <= set(together.found[kind])
        assert not [name for name, found in alone.found.items() if found and name != kind]


@pytest.mark.parametrize("hook", sorted(set(HOOKS) - WITHOUT_SCENARIO))
def test_scenario_beside_the_example_uses_it(hook, tmp_path, monkeypatch):
    plugin = write(tmp_path, hook)
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(block(hook, "yaml"))
    experiment = qstack.load(scenario)
    result = experiment.run()
    assert all(flow.delivered for flow in result.flows)
    if hook in OBSERVERS:
        assert len(plugin.module.heard) == 1
    elif hook == "qstack_sinks":
        monkeypatch.chdir(tmp_path)
        assert invoke(["run", "scenario.yaml", "--quiet", "--trace", "t.txt"]) == 0
        assert "Consumed" in (tmp_path / "t.txt").read_text()
    else:
        ((_, name),) = Manager([plugin]).found[KIND_OF[hook]]
        assert name in scenario.read_text()
        (tmp_path / "qstackfile.py").unlink()
        with pytest.raises(qstack.ConfigError, match=f"'{name}' is not a"):
            qstack.load(scenario)


def example(folder, hook):
    write(folder, hook)
    (folder / "scenario.yaml").write_text(block(hook, "yaml"))
    return qstack.load(folder / "scenario.yaml")


def test_tier_of_the_example_has_the_last_word_on_fidelity(tmp_path):
    assert max(example(tmp_path, "qstack_tiers").run().flows[0].fidelities) <= 0.5


def test_application_of_the_example_is_modest(tmp_path):
    assert example(tmp_path, "qstack_applications").run().flows[0].delivered == 10


def test_scheduler_of_the_example_serves_the_last_first(tmp_path):
    flows = example(tmp_path, "qstack_schedulers").run().flows
    assert flows["late"].times_s[-1] < flows["early"].times_s[-1]


def test_messages_of_the_example_take_three_times_as_long_as_light(tmp_path):
    sink = Memory()
    example(tmp_path, "qstack_channels").run(trace=sink)
    arrival = next(int(r["time_ps"]) for r in sink.records if r["noun"] == "SetupReq" and r["direction"] == "in")
    assert arrival == 3 * round(10 / 2e5 * 1e12)


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_exercised_by_the_tests(hook):
    texts = [p.read_text() for p in (ROOT / "tests").rglob("test_*.py") if p.parent != Path(__file__).parent]
    used_by_reference = hook in KIND_OF and bool(Manager([REFERENCE]).found[KIND_OF[hook]])
    assert used_by_reference or any(hook in text for text in texts)


@pytest.mark.requirement("QS-PL-007")
def test_reference_offers_something_through_every_hook_that_runs():
    manager = Manager([REFERENCE])
    silent = {kind.hook for name, kind in KINDS.items() if not manager.found[name]}
    assert silent == set()
