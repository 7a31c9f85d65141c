"""The manager names the culprit, whatever the order in which plugins are found."""

from __future__ import annotations

import itertools

import pytest
from plugin_kit import plugin

import qstack.builtins
from qstack.cli.plugins import listing
from qstack.core.errors import ConfigError, PluginError
from qstack.plugin.discovery import Plugin
from qstack.plugin.hooks import API_VERSION
from qstack.plugin.manager import HOOKS, KINDS, Manager

ROUTER = "@hookimpl\ndef qstack_routers():\n    return [Offer('best', lambda options, view: None)]\n"
MODEL = """
class Model(qstack.MemoryModel):
    kind = {kind!r}
    def decay(self, age_s): return qstack.Decay(1.0, 1.0)

@hookimpl
def qstack_hardware(): return [Model]
"""

REFUSED = {
    "no version": ("QSTACK_API = None", "does not say which API it was written for: set QSTACK_API = (1, 0)"),
    "true is no version": ("QSTACK_API = (True, False)", "does not say which API"),
    "major above": ("QSTACK_API = (2, 0)", "for plugin API 2.0, but this qstack has 1.0: install a newer qstack."),
    "minor above": ("QSTACK_API = (1, 7)", "for plugin API 1.7, but this qstack has 1.0: install a newer qstack."),
    "major below": ("QSTACK_API = (0, 9)", "for plugin API 0.9, but this qstack has 1.0: install a newer plugin."),
    "unknown hook": (
        "@hookimpl\ndef qstack_router(): return []",
        "unknown hook 'qstack_router'.  Did you mean 'qstack_routers'?",
    ),
    "unknown hook by another name": (
        "@hookimpl(specname='qstack_code')\ndef codes(): return []",
        "unknown hook 'qstack_code'.  Did you mean 'qstack_codes'?",
    ),
    "marked, but no hook at all": ("@hookimpl\ndef routers(): return []", "unknown hook 'routers'"),
    "no mark": ("def qstack_routers(): return []", "defines qstack_routers, but does not mark it"),
    "no mark and unknown": ("def qstack_ruoters(): return []", "unknown hook 'qstack_ruoters'.  Did you mean"),
    "wrapper": ("@hookimpl(wrapper=True)\ndef qstack_routers(): yield", "qstack_routers is a wrapper"),
    "unknown argument": (
        "@hookimpl\ndef qstack_run_started(scenari): pass",
        "qstack_run_started wants 'scenari', but is called with scenario, seed.  Did you mean 'scenario'?",
    ),
    "argument of a hook that has none": (
        "@hookimpl\ndef qstack_routers(view): return []",
        "qstack_routers wants 'view', but is called with nothing.",
    ),
    "raises": (
        "@hookimpl\ndef qstack_routers(): raise ZeroDivisionError('by nought')",
        "qstack_routers failed: ZeroDivisionError: by nought (acme.py:7)",
    ),
    "raises on the way": (
        "@hookimpl\ndef qstack_routers():\n    yield Offer('a', print)\n    raise OSError('gone')",
        "qstack_routers failed: OSError: gone (acme.py:9)",
    ),
    "nothing": ("@hookimpl\ndef qstack_routers(): pass", "qstack_routers answered None, not a list of things"),
    "one thing instead of a list": (
        "@hookimpl\ndef qstack_routers(): return Offer('a', print)",
        "not a list of things that are a router",
    ),
    "text": ("@hookimpl\ndef qstack_routers(): return 'abc'", "qstack_routers answered 'abc', not a list"),
    "wrong thing": (
        "@hookimpl\ndef qstack_routers(): return [5]",
        "answered 5, which is not a router: it is not an Offer",
    ),
    "bad name": (
        "@hookimpl\ndef qstack_routers(): return [Offer('My Router', print)]",
        "the offer is named 'My Router'",
    ),
    "nothing to call": ("@hookimpl\ndef qstack_routers(): return [Offer('a', 5)]", "'make' of 'a' cannot be called"),
    "options of no kind": (
        "@hookimpl\ndef qstack_routers(): return [Offer('a', print, dict)]",
        "'options' of 'a' is not a class of qstack.Options",
    ),
    "router with a level": (
        "@hookimpl\ndef qstack_routers(): return [Offer('a', print, level='link')]",
        "'a' has the level 'link'; only layers have one",
    ),
    "layer without a level": ("@hookimpl\ndef qstack_layers(): return [Offer('a', print)]", "'a' has the level ''"),
    "layer of no level": (
        "@hookimpl\ndef qstack_layers(): return [Offer('a', print, level='lnik')]",
        "'a' has the level 'lnik'; allowed: physical, link, network, transport, application.  Did you mean 'link'?",
    ),
    "hardware of no kind": (
        "@hookimpl\ndef qstack_hardware(): return [dict]",
        "neither a class of qstack.HardwareModel",
    ),
    "model without a kind": (
        "class M(qstack.MemoryModel):\n    def decay(self, age_s): ...\n@hookimpl\ndef qstack_hardware(): return [M]",
        "'kind' of M is named None",
    ),
    "model without its function": (
        "class M(qstack.MemoryModel):\n    kind = 'm'\n@hookimpl\ndef qstack_hardware(): return [M]",
        "M lacks decay",
    ),
    "command that is none": ("@hookimpl\ndef qstack_commands(): return [print]", "it is not a click.Command"),
    "folder that is none": (
        "@hookimpl\ndef qstack_specs(): return [Path('/there/is/none')]",
        "it is not the Path of a directory that exists",
    ),
    "sink that needs more": (
        "class O(qstack.Options):\n    level: int\n@hookimpl\ndef qstack_sinks(): return [Offer('x', print, O)]",
        "'x' cannot be made without level",
    ),
    "a name twice": (
        "@hookimpl\ndef qstack_codes(): return [Offer('a', print), Offer('a', print)]",
        "'a' is offered as a quantum code twice by 'acme'.",
    ),
}


@pytest.mark.requirement("QS-PL-001", "QS-PL-005")
@pytest.mark.parametrize("case", REFUSED)
def test_culprit_is_named(case):
    source, message = REFUSED[case]
    with pytest.raises(PluginError) as caught:
        Manager([plugin(source)])
    assert "acme" in str(caught.value)
    assert message in str(caught.value)


@pytest.mark.parametrize("hook", ["qstack_drivers", "qstack_adapters", "qstack_eavesdroppers", "qstack_codes"])
def test_offers_that_nothing_consumes_yet_are_checked_and_listed(hook):
    kind = hook.removeprefix("qstack_")
    offer = "@hookimpl\ndef {}(): return [{}]"
    manager = Manager([plugin(offer.format(hook, "Offer('x', lambda options: 7, summary='seven')"))])
    assert [(o["kind"], o["name"], o["summary"]) for o in listing(manager)["offers"]] == [(kind, "x", "seven")]
    with pytest.raises(PluginError, match=f"{hook} answered 5"):
        Manager([plugin(offer.format(hook, "5"))])


def test_directory_of_requirements_is_listed(tmp_path):
    source = f"@hookimpl\ndef qstack_specs(): return [Path({str(tmp_path)!r})]"
    assert [offer["name"] for offer in listing(Manager([plugin(source)]))["offers"]] == [str(tmp_path)]


@pytest.mark.requirement("QS-PL-001")
def test_older_minor_version_is_welcome():
    assert API_VERSION[0] == 1
    assert Manager([plugin("QSTACK_API = (1, 0)\n" + ROUTER)]).offers("routers")


@pytest.mark.requirement("QS-PL-002")
@pytest.mark.parametrize("turned", [False, True])
def test_name_offered_by_two_plugins_blames_both_in_any_order(turned):
    both = [plugin(ROUTER, "acme"), plugin(ROUTER, "beta")]
    with pytest.raises(PluginError, match=r"^'best' is offered as a router by both 'acme' and 'beta'\.$"):
        Manager(both[::-1] if turned else both)


def test_kind_of_a_model_is_offered_once():
    with pytest.raises(PluginError, match="'m' is offered as a hardware model by both 'acme' and 'beta'"):
        Manager([plugin(MODEL.format(kind="m"), "acme"), plugin(MODEL.format(kind="m"), "beta")])


def test_platform_of_the_reference_cannot_be_replaced_silently():
    source = """
    from qstack.hardware.models import RelaxingMemory, TextbookInterface
    sheet = qstack.Platform(name="textbook", memory=RelaxingMemory(),
                            interface=TextbookInterface(probability=0.5, fidelity=0.9, attempt_period="1 ms"))
    @hookimpl
    def qstack_hardware(): return [sheet]
    """
    reference = Plugin("qstack-reference", "1", qstack.builtins)
    with pytest.raises(PluginError, match="'textbook' is offered as a hardware platform by both 'acme' and 'qstack-r"):
        Manager([reference, plugin(source)])


def test_model_and_platform_may_share_a_name_because_they_are_chosen_in_different_places():
    manager = Manager([Plugin("qstack-reference", "1", qstack.builtins)])
    assert "textbook" in manager.models
    assert "textbook" in manager.platforms


def test_layers_of_two_levels_may_share_a_name():
    levels = "@hookimpl\ndef qstack_layers(): return [Offer('mine', print, level=l) for l in ('link', 'network')]"
    manager = Manager([plugin(levels)])
    assert list(manager.offers("layers", "link")) == list(manager.offers("layers", "network")) == ["mine"]


def test_two_plugins_of_one_name_are_refused():
    with pytest.raises(PluginError, match="two plugins named 'acme'"):
        Manager([plugin(""), plugin("")])


@pytest.mark.requirement("QS-PL-003")
def test_result_does_not_depend_on_the_order_of_plugins():
    def named(name):
        return plugin(
            f"@hookimpl\ndef qstack_routers(): return [Offer('{name}-2', print), Offer('{name}-1', print)]", name
        )

    plugins = [named(name) for name in ("c", "a", "b")]
    found = [Manager(order) for order in itertools.permutations(plugins)]
    listings = {tuple((f.name, f.plugin.distribution) for f in m.found["routers"].values()) for m in found}
    assert listings == {(("a-1", "a"), ("a-2", "a"), ("b-1", "b"), ("b-2", "b"), ("c-1", "c"), ("c-2", "c"))}
    assert {tuple(m.versions().items()) for m in found} == {(("a", "1.0"), ("b", "1.0"), ("c", "1.0"))}


@pytest.mark.requirement("QS-PL-003")
def test_first_error_does_not_depend_on_the_order_of_plugins():
    broken = [plugin("QSTACK_API = None", name) for name in ("zeta", "acme", "beta")]
    for order in itertools.permutations(broken):
        with pytest.raises(PluginError, match="plugin 'acme'"):
            Manager(order)


@pytest.mark.requirement("QS-PL-005")
def test_names_of_other_modules_are_not_taken_for_hooks():
    assert Manager([plugin("from qstack.plugin.hooks import qstack_routers")]).offers("routers") == {}


def test_observers_are_told_in_the_order_of_names_and_only_what_they_want():
    told = []
    late = plugin("told = None\n@hookimpl\ndef qstack_run_started(seed): told.append(('b', seed))", "b")
    early = plugin("told = None\n@hookimpl\ndef qstack_run_started(scenario, seed): told.append(('a', scenario))", "a")
    for each in (late, early):
        each.module.told = told
    Manager([late, early]).observers("qstack_run_started")(scenario="s", seed=7)
    assert told == [("a", "s"), ("b", 7)]


def test_observer_that_fails_is_named():
    manager = Manager([plugin("@hookimpl\ndef qstack_run_finished(summary): summary['nothing']")])
    with pytest.raises(PluginError, match=r"plugin 'acme' 1.0: qstack_run_finished failed: KeyError: 'nothing'"):
        manager.observers("qstack_run_finished")(scenario=None, summary={})


def test_sink_is_chosen_by_the_ending(tmp_path):
    source = """
    class Sink:
        def __init__(self, options, path): self.path = path
        def write(self, record): ...
        def close(self): ...
    @hookimpl
    def qstack_sinks(): return [Offer('txt', Sink), Offer('bad', lambda options, path: 5)]
    """
    manager = Manager([plugin(source)])
    assert manager.sink(tmp_path / "a.TXT").path == tmp_path / "a.TXT"
    with pytest.raises(ConfigError, match=r"allowed endings: \.bad, \.txt"):
        manager.sink(tmp_path / "a.xyz")
    with pytest.raises(PluginError, match=r"plugin 'acme' 1.0: 'bad' makes 5, which lacks write, close"):
        manager.sink(tmp_path / "a.bad")


def test_differences_name_what_changed_came_and_went():
    manager = Manager([plugin("", "same"), plugin("", "other", "2.0"), plugin("", "new")])
    assert manager.differences({"same": "1.0", "other": "1.0", "gone": "3"}) == [
        "gone 3 then, absent now",
        "new absent then, 1.0 now",
        "other 1.0 then, 2.0 now",
    ]
    assert manager.differences(manager.versions()) == []


@pytest.mark.requirement("QS-PL-004")
def test_exception_from_inside_a_plugin_blames_it():
    guilty = plugin("def fall(): return 1 / 0")
    guilty.module.__file__ = "/plugins/acme.py"
    guilty.module.__package__ = ""
    manager = Manager([guilty, Plugin("qstack-reference", "1", qstack.builtins)])
    with pytest.raises(ZeroDivisionError) as caught:
        guilty.module.fall()
    assert (
        str(manager.blame(caught.value)) == "plugin 'acme' 1.0 failed: ZeroDivisionError: division by zero (acme.py:6)"
    )
    with pytest.raises(ZeroDivisionError) as own:
        1 / 0  # noqa: B018 - raising is the point
    assert manager.blame(own.value) is None


def test_every_hook_is_a_kind_of_offer_or_an_observer():
    assert {kind.hook for kind in KINDS.values()} | {"qstack_run_started", "qstack_run_finished"} == set(HOOKS)
