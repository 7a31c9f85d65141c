"""`qstack run` and `qstack replay`: same bytes, from any folder, and what scripts rely on."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qstack.scenario.topology import data_folder

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-c", "from qstack.cli import main; main()"]
FLOW_KEYS = [
    *("name", "application", "source", "destination", "requested", "delivered", "rate_hz", "fidelity"),
    *("fidelity_estimate", "fidelity_tested", "latency_s", "e_x", "e_z", "qber", "sifted_bits"),
]


def outside(*arguments, cwd, **environment):
    return subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def scenario(tmp_path, good):
    path = tmp_path / "scenario.yaml"
    path.write_text(good)
    return path


def summary(folder: Path) -> dict:
    return json.loads((folder / "summary.json").read_text())


def test_the_summary_has_every_key_and_nothing_else(qstack, scenario, tmp_path):
    assert qstack("run", scenario, "--out", tmp_path / "out", "--quiet").code == 0
    found = summary(tmp_path / "out")
    assert list(found) == ["schema", "name", "seed", "simulated_s", "flows", "links", "nodes"]
    assert (found["schema"], found["name"], found["seed"]) == ("qstack/summary/1", "two links", 7)
    (flow,) = found["flows"]
    assert list(flow) == FLOW_KEYS
    assert (flow["name"], flow["application"], flow["source"], flow["destination"]) == (
        "pairs",
        "pairs",
        "Alice",
        "Carol",
    )
    assert flow["requested"] == flow["delivered"] == 3
    assert 0.75 < flow["fidelity"]["mean"] <= 1
    assert set(flow["fidelity"]) == {"mean", "sem"}
    assert 0 < flow["latency_s"]["median"] <= flow["latency_s"]["p95"] < found["simulated_s"]
    assert [flow[key] for key in ("fidelity_tested", "e_x", "e_z", "qber", "sifted_bits")] == [None] * 5
    assert [set(link) for link in found["links"]] == [{"a", "b", "requests", "pairs"}] * 2
    assert [node["name"] for node in found["nodes"]] == ["Alice", "Bob", "Carol"]
    assert all(
        set(node) == {"name", "swaps", "discards", "messages", "memories", "memories_busy"} for node in found["nodes"]
    )
    assert found["nodes"][1]["swaps"] >= 3


def test_a_flow_without_a_pair_has_nulls(qstack, scenario, tmp_path):
    assert qstack("run", scenario, "--set", "flows.pairs.start=9.9 s", "--quiet", "--out", tmp_path).code == 0
    qstack("run", scenario, "--until", "2 ms", "--set", "flows.pairs.min_fidelity=0.5", "--quiet", "--out", tmp_path)
    (flow,) = summary(tmp_path)["flows"]
    assert flow["delivered"] == 0
    assert [flow[key] for key in ("fidelity", "fidelity_estimate", "latency_s")] == [None] * 3


def test_replay_gives_the_same_bytes(qstack, scenario, tmp_path):
    assert qstack("run", scenario, "--out", tmp_path / "a", "--quiet", "--seed", 5, "--until", "5 s").code == 0
    scenario.unlink()  # a manifest needs no other file
    said = qstack("replay", tmp_path / "a" / "manifest.json", "--out", tmp_path / "b")
    assert said.code == 0
    assert "The summary is the same, byte for byte." in said.out
    for name in ("summary.json", "manifest.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    assert manifest["seed"] == manifest["scenario"]["run"]["seed"] == 5
    assert manifest["scenario"]["run"]["until"] == "5 s"
    assert {"versions", "plugins", "digest", "summary_sha256"} <= manifest.keys()
    assert manifest["scenario"]["network"]["hardware"]["all"]["memory"]["coherence_time"] == "1 s"


def test_replay_of_a_packaged_topology_needs_no_file(qstack, tmp_path, good):
    head, _, rest = good.partition("  nodes:")
    text = f"{head}  topology: topologies/delft_eindhoven_path.json\n  fibre:{rest.partition('  fibre:')[2]}"
    text = text.replace("Alice", "Delft").replace("Carol", "M1")
    (tmp_path / "scenario.yaml").write_text(text)
    assert qstack("run", tmp_path / "scenario.yaml", "--out", tmp_path / "out", "--quiet").code == 0
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert "topology" not in manifest["scenario"]["network"]
    assert len(manifest["scenario"]["network"]["links"]) == 5
    assert qstack("replay", tmp_path / "out" / "manifest.json", "--quiet").code == 0


@pytest.mark.requirement("QS-L1-012")
def test_same_seed_same_bytes_in_every_process_and_folder(scenario, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    first = outside(
        "run", scenario, "--out", tmp_path / "a", "--trace", tmp_path / "a.jsonl", cwd="/", PYTHONHASHSEED="1"
    )
    second = outside(
        *("run", "../scenario.yaml", "--out", "../b", "--trace", "../b.jsonl"), cwd=elsewhere, PYTHONHASHSEED="99"
    )
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    for name in ("a/summary.json", "a/manifest.json", "a.jsonl"):
        assert (tmp_path / name).read_bytes() == (tmp_path / f"b{name[1:]}").read_bytes()
    assert not list(elsewhere.iterdir())


def test_other_seeds_give_other_runs(qstack, scenario, tmp_path):
    found = []
    for seed in (1, 2):
        qstack("run", scenario, "--seed", seed, "--out", tmp_path, "--quiet")
        found.append(summary(tmp_path)["simulated_s"])
    assert found[0] != found[1]


def test_paths_are_relative_to_the_scenario_then_to_packaged_data(qstack, tmp_path, monkeypatch, good):
    folder = tmp_path / "deep"
    (folder / "topologies").mkdir(parents=True)
    topology = {"name": "t", "nodes": [{"id": "Alice"}, {"id": "Carol"}], "links": []}
    topology["links"].append({"a": "Alice", "b": "Carol", "length_km": 5})
    (folder / "topologies" / "delft_eindhoven_path.json").write_text(json.dumps(topology))
    head, _, rest = good.partition("  nodes:")
    text = f"{head}  topology: topologies/delft_eindhoven_path.json\n  fibre:{rest.partition('  fibre:')[2]}"
    (folder / "scenario.yaml").write_text(text)
    monkeypatch.chdir("/")
    said = qstack("check", folder / "scenario.yaml")
    assert "2 nodes, 1 link, 1 flow." in said.out
    (tmp_path / "scenario.yaml").write_text(text)  # without a file beside it, the packaged one is meant
    assert "'Alice' is not a node" in qstack("check", tmp_path / "scenario.yaml").err


@pytest.mark.parametrize(
    ("setting", "place", "value"),
    [
        ("flows.0.number=2", ("flows", 0, "number"), 2),
        ("flows.pairs.number=2", ("flows", 0, "number"), 2),
        ("network.hardware.all.memories=3", ("network", "hardware", "all", "memories"), 3),
        ("network.hardware.all=ion-projected", ("network", "hardware", "all", "name"), "ion-projected"),
        ("network.links.1.length=12 km", ("network", "links", 1, "length"), "12.0 km"),
        ("network.links.1.loss=null", ("network", "links", 1), {"a": "Bob", "b": "Carol", "length": "30.0 km"}),
        ("stack.network.cutoff=never", ("stack", "network", "cutoff"), "never"),
        ("stack.network.routing=widest", ("stack", "network", "routing"), "widest"),
        ("stack.link.distillation=dejmps", ("stack", "link", "distillation"), "dejmps"),
        ("description=some words: here", None, None),
        ("description='some words: here'", ("description",), "some words: here"),
        ("name=", None, None),
    ],
)
def test_set_changes_one_value(qstack, scenario, tmp_path, setting, place, value):
    said = qstack(
        "run", scenario, "--set", setting, "--set", "flows.0.min_fidelity=0.5", "--quiet", "--out", tmp_path / "out"
    )
    if place is None:
        assert (said.code, setting in said.err) == (2, True)
        return
    assert said.code == 0, said.err
    found = json.loads((tmp_path / "out" / "manifest.json").read_text())["scenario"]
    for step in place:
        found = found[step]
    assert found == value


def test_a_name_opens_into_a_mapping(qstack, tmp_path, good):
    text = good.partition("  hardware:")[0] + "  hardware:\n    all: textbook\nflows:" + good.partition("flows:")[2]
    (tmp_path / "scenario.yaml").write_text(text)
    said = qstack(
        *("run", tmp_path / "scenario.yaml", "--set", "network.hardware.all.memories=2", "--quiet"),
        *("--set", "stack.network.cutoff.use=keeping", "--set", "stack.network.cutoff.least=0.8", "--out", tmp_path),
    )
    assert said.code == 0, said.err
    found = json.loads((tmp_path / "manifest.json").read_text())["scenario"]
    assert found["network"]["hardware"]["all"]["memories"] == 2
    assert found["network"]["hardware"]["all"]["name"] == "textbook-changed"
    assert found["stack"]["network"]["cutoff"] == {"use": "keeping", "least": 0.8}


def test_the_table_fits_eighty_columns(qstack, scenario, monkeypatch):
    for width in (50, 80, 100, 140):
        monkeypatch.setenv("COLUMNS", str(width))
        said = qstack("run", scenario)
        assert said.code == 0
        lines = said.out.splitlines()
        assert any(line.split() == ["pairs", "Alice", "Carol", "3", "of", "3", *line.split()[6:]] for line in lines)
        assert max(len(line) for line in lines[:-3]) <= 80
        assert "Slowest link: Alice - Bob (20 km, 5 dB), 200 pairs/s at F = 0.970." in said.out
        assert "[" not in said.out


def test_quiet_says_nothing(qstack, scenario):
    said = qstack("run", scenario, "--quiet")
    assert (said.code, said.out, said.err) == (0, "", "")


def test_markup_in_names_is_text(qstack, scenario):
    said = qstack("run", scenario, "--set", "name='[bold]x[/bold]'", "--set", "flows.0.name='[red]'")
    assert said.code == 0
    assert "[bold]x[/bold]" in said.out
    assert "[red]" in said.out


def test_a_flow_that_breaks_its_promise_fails_the_run(qstack, scenario, tmp_path):
    (tmp_path / "qstackfile.py").write_text(
        "import qstack\n"
        "from qstack.services.strategies import Route\n"
        "QSTACK_API = (1, 0)\n"
        "@qstack.hookimpl\n"
        "def qstack_routers():\n"
        "    def careless(options, view):\n"
        "        return lambda source, target, least: Route((0, 1, 2), (0.5, 0.5), 1.0)\n"
        "    return [qstack.Offer('careless', careless)]\n"
    )
    said = qstack(
        *("run", scenario, "--set", "stack.network.routing=careless", "--set", "flows.0.min_fidelity=0.96"),
        *("--set", "flows.0.number=300", "--quiet", "--out", tmp_path / "out"),
    )
    assert said.code == 1
    assert "failed  pairs: mean fidelity 0.9" in said.err
    assert "below the promised 0.96" in said.err
    assert summary(tmp_path / "out")["flows"][0]["delivered"] == 300
    assert (tmp_path / "out" / "qstackfile.py").is_file()
    assert qstack("replay", tmp_path / "out" / "manifest.json", "--quiet").code == 0


ENDLESS = ["--set", "flows.0.number=null", "--until", "100 h"]


def wait_for(stream: int, words: bytes, seconds: float = 40) -> bytes:
    seen = b""
    end = time.monotonic() + seconds
    while words not in seen and time.monotonic() < end:
        if select.select([stream], [], [], 0.2)[0]:
            seen += os.read(stream, 4096)
    assert words in seen, seen
    return seen


def test_an_interrupted_run_keeps_what_was_finished(scenario, tmp_path):
    """Progress is shown on a terminal; ^C ends the run cleanly, with its results, and exit code 1."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*PROGRAM, "run", str(scenario), *ENDLESS, "--out", str(tmp_path / "out")],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    ) as process:
        os.close(theirs)
        try:
            wait_for(ours, b" pairs ")
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=30)
        finally:
            process.kill()
            os.close(ours)
    assert process.returncode == 1
    assert "interrupted" in out
    found = summary(tmp_path / "out")
    assert found["flows"][0]["delivered"] > 0
    assert 0 < found["simulated_s"] < 360_000
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["summary_sha256"] is None


def test_no_progress_where_nobody_looks(scenario, tmp_path):
    said = outside("run", scenario, cwd=tmp_path)
    assert (said.returncode, said.stderr) == (0, "")


def test_a_closed_pipe_is_no_traceback(scenario):
    with subprocess.Popen(
        [*PROGRAM, "run", str(scenario)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        process.stdout.close()
        assert "Traceback" not in process.stderr.read()


def test_greedy_swaps_stand_still_and_the_run_says_who_waits_for_whom(qstack, tmp_path):
    """Youngest first, many lanes, no giving way: overlapping half-chains come to hold every lane."""
    path = tmp_path / "greedy.yaml"
    path.write_text(
        "name: greedy\nnetwork: {chain: {segments: 8, length: 20 km}, hardware: {all: {like: textbook, memories: 6}}}\n"
        "stack: {network: {swap: asap-youngest, give_way: 0}}\n"
        "flows: [{name: f, from: n0, to: n8, min_fidelity: 0.25}]\nrun: {until: 1 h, seed: 1}\n"
    )
    said = qstack("run", path, "--quiet")
    assert said.code == 1
    assert "standstill at" in said.err
    assert "flows are open: f (" in said.err
    for inner in range(1, 4):
        assert re.search(rf"n{inner} waits for partners for 6 pairs .* since [0-9.]+ s", said.err), said.err
    assert qstack("run", path, "--quiet", "--set", "stack.network.swap=asap", "--until", "2 s").code == 0
    assert qstack("run", path, "--quiet", "--set", "stack.network.give_way=10", "--until", "20 s").code == 0


PACKAGED = sorted(path.stem for path in (data_folder() / "topologies").glob("*.json"))


@pytest.mark.parametrize("name", [name for name in PACKAGED if name != "scale_10000"])
def test_every_packaged_topology_runs_or_is_refused_with_a_reason(name, qstack, tmp_path):
    """Two nodes that the file joins, repeaters on long fibres, and a run of both applications."""
    graph = json.loads((data_folder() / "topologies" / f"{name}.json").read_text(encoding="utf-8"))
    ends = next(((link["a"], link["b"]) for link in graph["links"]), [node["id"] for node in graph["nodes"][:2]])
    flows = [{"name": app, "app": app, "from": ends[0], "to": ends[1], "number": 3} for app in ("pairs", "bbm92")]
    network = {"topology": f"topologies/{name}.json", "repeaters": {"at_most": "25 km"}}
    (tmp_path / "s.yaml").write_text(
        json.dumps(
            {
                "name": name,
                "network": {**network, "hardware": {"all": "ion-projected"}},
                "stack": {"network": {"cutoff": "250 ms"}},
                "flows": flows,
                "run": {"until": "20 s"},
            }
        )
    )
    said = qstack("run", tmp_path / "s.yaml", "--out", tmp_path / "out", "--quiet")
    if graph["links"] and said.code == 0:
        summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
        assert [flow["delivered"] for flow in summary["flows"]] == [3, 3]
    else:
        assert said.code == 2
        assert "cannot be served: " in said.err
        assert "out of reach" in said.err or "the network is cut" in said.err
