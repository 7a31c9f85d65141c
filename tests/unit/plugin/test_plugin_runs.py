"""Plugins at work: observers once a run, sinks by ending, swap policies and distillation down to the layers, replays."""

from __future__ import annotations

import json
import re

import pytest
from plugin_kit import PROLOGUE

import qstack
from qstack.cli import invoke
from qstack.core.errors import PluginError
from qstack.correction.distillation import Bbpssw
from qstack.plugin.distilling import combine_of, distilled_rows
from qstack.quantum.purification import dejmps
from qstack.services.strategies import Row

SCENARIO = {
    "name": "chain",
    "network": {
        "chain": {"segments": 2, "length": "10 km"},
        "hardware": {"all": {"like": "textbook", "memories": 2, "memory": {"coherence_time": "inf"}}},
    },
    "flows": [{"name": "p", "from": "n0", "to": "n2", "number": 20}],
    "run": {"until": "20 s", "seed": 5},
}


@pytest.fixture
def beside(tmp_path, monkeypatch):
    """Return what writes a scenario with a plugin beside it."""
    monkeypatch.chdir(tmp_path)

    def write(source, **changes):
        (tmp_path / "qstackfile.py").write_text(PROLOGUE + source)
        path = tmp_path / "scenario.yaml"
        path.write_text(json.dumps({**SCENARIO, **changes}))
        return path

    return write


def with_link(**options):
    return {**SCENARIO, "stack": {"link": options}}


@pytest.mark.requirement("QS-PL-009")
def test_observers_hear_of_each_run_once(beside):
    path = beside(
        "heard = []\n"
        "@hookimpl\ndef qstack_run_started(scenario, seed): heard.append(('started', scenario.name, seed))\n"
        "@hookimpl\ndef qstack_run_finished(summary): heard.append(('finished', summary['flows'][0]['delivered']))\n"
    )
    experiment = qstack.load(path)
    heard = next(p.module.heard for p in experiment.manager.plugins if p.distribution == "qstackfile.py")
    heard.clear()
    experiment.run()
    assert heard == [("started", "chain", 5), ("finished", 20)]
    experiment.run(shot=1)
    assert len(heard) == 4


def test_observer_that_fails_ends_the_command_with_3(beside, capsys):
    path = beside("@hookimpl\ndef qstack_run_finished(summary): raise OSError('mailbox is full')")
    assert invoke(["run", str(path), "--quiet"]) == 3
    assert re.search(
        r"qstackfile.py' sha256:\w+: qstack_run_finished failed: OSError: mailbox", capsys.readouterr().err
    )


@pytest.mark.requirement("QS-PL-004")
def test_layer_that_fails_during_the_run_blames_its_plugin(beside, capsys):
    source = (
        "from qstack.core.layer import Layer, on\n"
        "from qstack.services.l2_link import Create\n"
        "class Broken(Layer):\n    name = 'link'\n    @on(Create)\n    def create(self, req, ctx): return 1 / 0\n"
        "@hookimpl\ndef qstack_layers(): return [Offer('broken', lambda options, site: Broken(), level='link')]\n"
    )
    path = beside(source, stack={"link": {"use": "broken"}})
    assert invoke(["run", str(path), "--quiet"]) == 3
    err = capsys.readouterr().err
    assert "plugin 'qstackfile.py'" in err
    assert "ZeroDivisionError: division by zero (qstackfile.py:" in err
    assert len(err.splitlines()) == 1


def test_sink_of_a_plugin_takes_the_trace(beside, tmp_path):
    source = (
        "class Count:\n"
        "    def __init__(self, path): self.path, self.number = path, 0\n"
        "    def write(self, record): self.number += 1\n"
        "    def close(self): self.path.write_text(str(self.number))\n"
        "@hookimpl\ndef qstack_sinks(): return [Offer('count', lambda options, path: Count(path))]\n"
    )
    path = beside(source)
    assert invoke(["run", str(path), "--quiet", "--trace", "out.count"]) == 0
    assert invoke(["run", str(path), "--quiet", "--trace", "out.jsonl"]) == 0
    assert int((tmp_path / "out.count").read_text()) == len((tmp_path / "out.jsonl").read_text().splitlines())


@pytest.mark.parametrize(("name", "message"), [("out.xyz", "allowed endings: .jsonl"), ("no/such/../..", "endings")])
def test_trace_of_unknown_ending_is_bad_input(beside, capsys, name, message):
    assert invoke(["run", str(beside("")), "--quiet", "--trace", name]) == 2
    assert message in capsys.readouterr().err


def test_swap_policy_chooses_among_the_pairs_that_wait(beside):
    source = (
        "asked = []\n"
        "def last(waiting):\n    asked.append(waiting)\n    return waiting - 1\n"
        "@hookimpl\ndef qstack_swap_policies(): return [Offer('last', lambda options: last)]\n"
    )
    result = {}
    for swap in ("asap", "asap-youngest", "last"):
        experiment = qstack.load(beside(source, stack={"network": {"swap": swap}}))
        result[swap] = experiment.run().summary()
    asked = next(p.module.asked for p in experiment.manager.plugins if p.distribution == "qstackfile.py")
    assert asked
    assert all(waiting >= 1 for waiting in asked)
    assert result["last"] == result["asap-youngest"] != result["asap"]
    assert result["last"]["flows"][0]["delivered"] == 20


@pytest.mark.parametrize("scheme", ["dejmps", "bbpssw"])
def test_distillation_is_agreed_and_raises_the_fidelity(scheme):
    plain = qstack.load(with_link(distillation="none")).run().flows["p"]
    better = qstack.load(with_link(distillation=scheme)).run().flows["p"]
    assert better.delivered == plain.delivered == 20
    assert better.fidelity.mean > plain.fidelity.mean + 0.008
    assert abs(better.fidelity.mean - better.estimates.mean()) < 0.01


def test_fidelity_that_only_distillation_reaches_is_accepted_with_it():
    hard = [{"name": "p", "from": "n0", "to": "n2", "number": 20, "min_fidelity": 0.955}]
    with pytest.raises(qstack.ConfigError, match="out of reach"):
        qstack.load({**with_link(distillation="none"), "flows": hard})
    flow = qstack.load({**with_link(distillation="dejmps"), "flows": hard}).run().flows["p"]
    assert flow.delivered == 20
    assert flow.fidelity.mean > 0.955


def test_links_with_one_memory_are_no_way_for_pairs_that_must_be_distilled():
    data = with_link(distillation="dejmps")
    network = {**data["network"], "hardware": {"all": {"like": "textbook", "memories": 1}}}
    with pytest.raises(qstack.ConfigError, match="one memory at each end, too few to distil: n0 - n1, n1 - n2"):
        qstack.load({**data, "network": network})
    assert qstack.load({**with_link(distillation="none"), "network": network}).run().flows["p"].delivered == 20


def test_scheme_of_a_plugin_is_run_by_the_medium(beside):
    source = (
        "class Perfect:\n    name = 'perfect'\n"
        "    def combine(self, first, second): return 1.0, (1.0, 1.0, 1.0)\n"
        "    def output_fidelity(self, first, second): return 1.0\n"
        "    def input_fidelity(self, wanted): return 0.5\n"
        "@hookimpl\ndef qstack_distillation():\n"
        "    return [Offer('perfect', lambda options, gate_noise, readout_error: Perfect())]\n"
    )
    path = beside(source, stack={"link": {"distillation": "perfect"}})
    flow = qstack.load(path).run().flows["p"]
    assert flow.fidelity.mean > 0.99


def test_unequal_ends_distil_like_equal_ones_with_the_mean_of_their_factors():
    plugins = qstack.manager()
    options = plugins.offers("layers", "link")["reference"].options
    chosen = options.model_validate({"distillation": "dejmps"}, context={"plugins": plugins}).distillation
    pair = (0.9, 0.85, 0.88)
    gate, readout = (1 - 0.02) * (1 - 0.05), (1 - 2 * 0.01) * (1 - 2 * 0.03)
    kept, better = combine_of(chosen)(pair, pair, gate, readout)
    expected = dejmps(pair, pair, gate, readout)
    assert kept == pytest.approx(expected[0])
    assert better == pytest.approx(expected[1])


def test_rows_after_distillation_are_those_of_werner_pairs():
    """BBPSSW of F = 0.8 keeps with 0.768889 and gives 0.838150."""
    (row,) = distilled_rows((Row(0.1, 2.0, 0.8),), Bbpssw())
    assert row.parameter == 0.1
    assert row.fidelity == pytest.approx(0.838150, abs=1e-6)
    assert row.seconds_per_pair == pytest.approx(4 / 0.768889, rel=1e-6)


@pytest.mark.requirement("QS-PL-010")
def test_replay_finds_the_inline_plugin_and_notices_that_it_has_changed(beside, tmp_path, capsys):
    source = "@hookimpl\ndef qstack_swap_policies(): return [Offer('mine', lambda options: lambda waiting: {})]\n"
    path = beside(source.format("0"), stack={"network": {"swap": "mine"}})
    assert invoke(["run", str(path), "--quiet", "--out", "out"]) == 0
    plugins = json.loads((tmp_path / "out/manifest.json").read_text())["plugins"]
    assert plugins["qstackfile.py"].startswith("sha256:")
    assert invoke(["replay", "out/manifest.json", "--quiet"]) == 0
    capsys.readouterr()
    (tmp_path / "out/qstackfile.py").write_text(PROLOGUE + source.format("waiting - 1"))
    assert invoke(["replay", "out/manifest.json", "--quiet"]) == 1
    assert re.search(r"qstackfile.py sha256:\w+ then, sha256:\w+ now", capsys.readouterr().err)
    (tmp_path / "out/qstackfile.py").unlink()
    assert invoke(["replay", "out/manifest.json", "--quiet"]) == 3
    assert "qstackfile.py" in capsys.readouterr().err


@pytest.mark.requirement("QS-PL-010")
def test_replay_finds_what_the_inline_plugin_imports_from_beside_it_and_notices_that_it_has_changed(
    beside, tmp_path, capsys
):
    source = (
        "from .swaps import policy\n@hookimpl\n"
        "def qstack_swap_policies(): return [Offer('mine', lambda options: policy)]\n"
    )
    (tmp_path / "swaps.py").write_text("def policy(waiting): return 0\n")
    path = beside(source, stack={"network": {"swap": "mine"}})
    assert invoke(["run", str(path), "--quiet", "--out", "out"]) == 0
    assert invoke(["replay", "out/manifest.json", "--quiet"]) == 0
    (tmp_path / "out/swaps.py").write_text("def policy(waiting): return waiting - 1\n")
    capsys.readouterr()
    assert invoke(["replay", "out/manifest.json", "--quiet"]) == 1
    assert re.search(r"qstackfile.py sha256:\w+ then, sha256:\w+ now", capsys.readouterr().err)
    (tmp_path / "out/swaps.py").unlink()
    assert invoke(["replay", "out/manifest.json", "--quiet"]) == 3
    assert "ModuleNotFoundError" in capsys.readouterr().err


@pytest.mark.requirement("QS-PL-004")
def test_what_the_inline_plugin_imports_from_beside_it_is_to_blame_too(beside, tmp_path, capsys):
    (tmp_path / "swaps.py").write_text("def policy(waiting): return 1 / 0\n")
    path = beside(
        "from .swaps import policy\n@hookimpl\n"
        "def qstack_swap_policies(): return [Offer('mine', lambda options: policy)]\n",
        stack={"network": {"swap": "mine"}},
    )
    assert invoke(["run", str(path), "--quiet"]) == 3
    assert "plugin 'qstackfile.py'" in (err := capsys.readouterr().err)
    assert "ZeroDivisionError: division by zero (swaps.py:1)" in err


def test_error_of_qstack_itself_is_not_blamed_on_a_plugin(monkeypatch):
    experiment = qstack.load(SCENARIO)
    monkeypatch.setattr("qstack.study.experiment._advance", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        experiment.run()


def test_plugin_error_is_a_qstack_error():
    assert issubclass(PluginError, qstack.QstackError)
