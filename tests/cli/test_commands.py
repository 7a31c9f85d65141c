"""The other commands: check, schema, plugins, demo, trace, and the errors of the command line itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from time import process_time

import jsonschema
import pytest
from ruamel.yaml import YAML

from qstack.api import manager
from qstack.scenario.json_schema import schema

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def validator():
    found = schema(manager())
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(found)


def test_schema_prints_the_schema(qstack, validator):
    said = qstack("schema")
    assert said.code == 0
    assert json.loads(said.out) == validator.schema
    assert {"wfq", "fcfs"} <= set(json.dumps(validator.schema).replace('"', " ").split())


def test_examples_fit_the_schema(validator, examples, good):
    for name, text in {**examples, "good": good}.items():
        data = YAML(typ="safe").load(text)
        assert [error.message for error in validator.iter_errors(data)] == [], name


@pytest.mark.parametrize("name", ["sockets/lossy.yaml", "sockets/three-nodes.yaml", "replace-link/scenario.yaml"])
def test_further_examples_fit_the_schema_of_their_folder(name, qstack, monkeypatch):
    path = ROOT / "examples" / name
    monkeypatch.chdir(path.parent)
    found = json.loads(qstack("schema").out)
    jsonschema.Draft202012Validator(found).validate(YAML(typ="safe", pure=True).load(path))


def test_what_a_manifest_holds_fits_the_schema(qstack, validator, tmp_path, good):
    (tmp_path / "s.yaml").write_text(good)
    assert qstack("run", tmp_path / "s.yaml", "--out", tmp_path, "--quiet").code == 0
    resolved = json.loads((tmp_path / "manifest.json").read_text())["scenario"]
    assert [error.message for error in validator.iter_errors(resolved)] == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("length: 20 km", "length: 20"),
        ("length: 20 km", "length: 20 miles"),
        ("length: 20 km", "lenght: 20 km"),
        ("scheduler: wfq", "scheduler: wqf"),
        ("scheduler: wfq", "schedule: wfq"),
        ("like: textbook", "like: textbok"),
        ("memories: 2", "memories: 0"),
        ("kind: relaxing", "kind: relaxin"),
        ("app: pairs", "app: pears"),
        ("seed: 7", "seed: -7"),
        ("min_fidelity: 0.75", "min_fidelity: 1.75"),
        ("gate_noise: 0.001", "gate_noise: 2"),
        ("cutoff: 250 ms", "cutoff: sometimes"),
    ],
)
def test_the_schema_refuses(validator, good, old, new):
    assert old in good
    assert list(validator.iter_errors(YAML(typ="safe").load(good.replace(old, new))))


def test_check_says_what_can_be_expected(qstack, tmp_path, good):
    (tmp_path / "s.yaml").write_text(good)
    said = qstack("check", tmp_path / "s.yaml", "--set", "network.links.0.length=25 km")
    assert said.code == 0
    assert "two links: 3 nodes, 2 links, 1 flow." in said.out
    assert "pairs: Alice - Bob - Carol; about " in said.out
    assert said.out.endswith("No errors.\n")


def test_the_hardware_of_today_is_refused_with_the_reason(qstack):
    begin = process_time()
    said = qstack("run", ROOT / "examples" / "delft-eindhoven-today.yaml")
    assert process_time() - begin < 1
    assert (said.code, said.out) == (2, "")
    for words in (
        "delft-eindhoven-today.yaml:19 flows.0.min_fidelity",
        "'pairs' cannot be served: fidelity 0.75 is out of reach",
        "Delft - M1 - M2 - M3 - M4 - Eindhoven",
        "Slowest link: M3 - M4 (75.1 km, 16.6 dB), 0.00843 pairs/s",
        "From ion-innsbruck-2023 (published); interface: kind double-click, detection 0.018",
        "coherence_time 62 ms",
        "gate_noise 0.19",
    ):
        assert words in said.err
    assert "Traceback" not in said.err


def test_plugins_lists_what_is_installed(qstack):
    said = qstack("plugins", "--json")
    assert said.code == 0
    found = json.loads(said.out)
    assert {"qstack-reference"} <= {plugin["distribution"] for plugin in found["plugins"]}
    offers = {(offer["kind"], offer["level"], offer["name"]) for offer in found["offers"]}
    for wanted in (("routers", "", "shortest"), ("layers", "link", "reference"), ("hardware", "", "ion-projected")):
        assert wanted in offers
    assert all(offer["summary"] for offer in found["offers"] if offer["kind"] != "specs")
    table = qstack("plugins")
    assert table.code == 0
    assert "ion-projected" in table.out


def test_demo_tells_the_walk_of_one_pair(qstack, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    begin = process_time()
    said = qstack("demo")
    assert process_time() - begin < 10
    assert said.code == 0
    assert max(len(line) for line in said.out.splitlines() if not line.startswith("Alice asks")) <= 80
    words = " ".join(said.out.split())
    steps = [
        "Alice, user The user at Alice starts the flow.",
        "asks transport for a session with Bob",
        "asks the network layer for a circuit to Bob",
        "along Alice - Repeater - Bob",
        "The circuit stands",
        "Alice, network The network layer asks the link to Repeater",
        "Alice, link The neighbour has the request too",
        "Alice, physical The physical layer triggers the device",
        "holds half of a pair with",
        "Alice, link The link delivers its pair",
        "so Repeater swaps them at once",
        "The Bell measurement says",
        "hears the TRACK that",
        "The network layer delivers the pair",
        "The application at",
        "No layer ever saw a quantum state",
    ]
    places = [words.find(step) for step in steps]
    assert min(places) >= 0, steps[places.index(min(places))]
    assert words.count("uses its half.") == 2
    assert words.count("The link delivers its pair 0") == 4  # both ends of both links
    assert qstack("demo", "--seed", 2).out != said.out


def test_trace_tells_one_pair_from_the_request_to_both_ends(qstack, tmp_path, good):
    (tmp_path / "s.yaml").write_text(good)
    trace = tmp_path / "t.jsonl"
    assert qstack("run", tmp_path / "s.yaml", "--trace", trace, "--quiet").code == 0
    records = [json.loads(line) for line in trace.read_text().splitlines()]
    assert [record["id"] for record in records] == list(range(1, len(records) + 1))
    assert all(record["cause"] is None or record["cause"] < record["id"] for record in records)
    assert all(isinstance(record["time_ps"], str) for record in records)
    said = qstack("trace", trace, "--pair", 1)
    assert said.code == 0
    for noun in ("Start(", "Open(", "Connect(", "Create(", "Attempt(", "Trigger(", "Herald(", "Ok(", "Swap(", "Track("):
        assert noun in said.out
    assert said.out.count("Consumed(") == 2
    assert qstack("trace", trace).out != said.out
    wrong = qstack("trace", trace, "--pair", 99)
    assert wrong.code == 2
    assert "It holds flow 0: pairs 0, 1, 2." in wrong.err


def test_tracing_changes_nothing(qstack, tmp_path, good):
    (tmp_path / "s.yaml").write_text(good)
    qstack("run", tmp_path / "s.yaml", "--quiet", "--out", tmp_path / "a")
    qstack("run", tmp_path / "s.yaml", "--quiet", "--out", tmp_path / "b", "--trace", tmp_path / "t.jsonl")
    assert (tmp_path / "a" / "summary.json").read_bytes() == (tmp_path / "b" / "summary.json").read_bytes()


def test_the_command_line_itself(qstack):
    said = qstack("--help")
    assert said.code == 0
    for name in ("run", "replay", "check", "demo", "trace", "validate", "schema", "plugins"):
        assert name in said.out
    assert "2 bad input" in said.out
    assert qstack("--version").out.startswith("qstack ")
    assert qstack("rnu").code == 2
    assert qstack("run").code == 2


def test_a_check_loads_only_what_it_needs():
    code = (
        "import sys; from qstack.cli import invoke; code = invoke(['check', 'examples/delft-eindhoven.yaml']);"
        "heavy = 'asyncio ssl rich matplotlib scipy numba cryptography aiohttp structlog'.split();"
        "print(code, [m for m in heavy if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "0 []"


def test_start_up_loads_nothing_heavy():
    code = "import qstack, sys; print([m for m in ('numpy', 'scipy', 'pydantic', 'rich', 'click') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
    code = "import qstack.api, sys; print([m for m in ('scipy', 'numba', 'cryptography') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
