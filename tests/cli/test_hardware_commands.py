"""`qstack hardware`: what it prints, and what it says of what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from data_sheet import SHEET

import qstack as package
from qstack.quantum.bounds import plob_bound

ROOT = Path(__file__).parents[2]


@pytest.fixture
def sheet(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(SHEET)
    return path


def test_list_names_every_platform(qstack):
    rows = json.loads(qstack("hardware", "list", "--json").out)
    assert [row["name"] for row in rows] == sorted(package.manager().platforms)
    assert "textbook" in qstack("hardware", "list").out


@pytest.mark.parametrize("columns", ["80", "200"])
def test_show_tells_values_with_their_origin(qstack, sheet, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    lines = qstack("hardware", "show", sheet, "--length", "10 km").out.splitlines()

    def row(key):
        (found,) = [line.split() for line in lines if line.startswith(key)]
        return found

    def note(number):
        (found,) = [
            line.strip().removeprefix(number).strip() for line in lines if line.strip().startswith(f"{number} ")
        ]
        return found

    detection = row("interface.detection")
    assert detection[1:-1] == ["0.1", "0.10", "+-", "0.01"]
    assert note(detection[-1]) == "A. Author, J. Exp. 1, 1 (2026), high"
    assert note(row("interface.visibility")[-1]) == "assumed: nobody measured it"
    assert note(row("interface.overhead")[-1]) == "no origin given"
    silent = " ".join(lines[lines.index(next(line for line in lines if line.startswith("By default"))) :])
    assert "interface.emitter_fidelity 1," in silent
    assert "memory.coherence_time" not in silent


def test_show_gives_the_numbers_of_the_link(qstack, sheet):
    data = json.loads(qstack("hardware", "show", sheet, "--length", "10 km", "--length", "50 km", "--json").out)
    near, far = data["distances"]
    assert (near["length_km"], far["length_km"]) == (10, 50)
    first = near["settings"][0]
    eta = 0.1 * 10 ** (-0.2 * 5 / 10)
    alpha = first["parameter"]
    assert first["probability"] == pytest.approx(2 * alpha * eta, rel=0.05)
    assert first["cycle_s"] == pytest.approx(60e-6)
    assert first["rate_hz"] == pytest.approx(first["probability"] / 60e-6)
    assert near["optimal_parameter"] in [s["parameter"] for s in near["settings"]]
    best = max(near["settings"], key=lambda s: s["secret_hz"])
    assert near["optimal_parameter"] == best["parameter"]
    for setting in near["settings"]:
        assert setting["secret_hz"] <= plob_bound(10 ** (-0.1)) / 60e-6


def test_show_draws(qstack, sheet, tmp_path):
    pytest.importorskip("matplotlib")
    for name, start in (("a.svg", b"<?xml"), ("a.png", b"\x89PNG")):
        said = qstack("hardware", "show", sheet, "--plot", tmp_path / name)
        assert said.code == 0
        assert (tmp_path / name).read_bytes().startswith(start)
    again = tmp_path / "b.svg"
    qstack("hardware", "show", sheet, "--plot", again)
    assert again.read_bytes() == (tmp_path / "a.svg").read_bytes()


def test_sweep_keeps_going_where_a_value_is_impossible(qstack, sheet):
    said = qstack("hardware", "sweep", sheet, "--set", "memory.coherence_time=10 s..30 s", "--points", "3", "--json")
    rows = json.loads(said.out)["rows"]
    assert [row["value"] for row in rows] == ["10 s", "20 s", "30 s"]
    assert "T2 exceeds 2 T1" in rows[2]["refused"]
    assert "refused" not in rows[1]


def test_sweep_in_two_units_and_on_a_logarithmic_scale(qstack, sheet):
    setting = "memory.coherence_time=1 ms..1 s"
    rows = json.loads(qstack("hardware", "sweep", sheet, "--set", setting, "--points", "4", "--log", "--json").out)[
        "rows"
    ]
    assert [row["value"] for row in rows] == ["0.001 s", "0.01 s", "0.1 s", "1 s"]
    kept = [row["storage_keeps"] for row in rows]
    assert kept == sorted(kept)
    assert kept[0] < kept[-1]


def test_sweep_of_whole_numbers(qstack, sheet):
    rows = json.loads(qstack("hardware", "sweep", sheet, "--set", "memories=1..4", "--points", "9", "--json").out)[
        "rows"
    ]
    assert [row["value"] for row in rows] == [1, 2, 3, 4]
    assert rows[3]["rate_hz"] == pytest.approx(4 * rows[0]["rate_hz"])


def test_compare_platforms_on_one_network(qstack, tmp_path, good, sheet):
    (tmp_path / "good.yaml").write_text(good.replace("min_fidelity: 0.75", "min_fidelity: 0.92"))
    rows = json.loads(qstack("hardware", "compare", tmp_path / "good.yaml", "textbook", sheet, "--json").out)
    assert rows[0]["platform"] == "textbook"
    assert rows[0]["rate_hz"] > 0
    assert "cannot be served" in rows[1]["refused"]
    assert "mine cannot serve this scenario" in qstack("hardware", "compare", tmp_path / "good.yaml", sheet).out


BAD = [
    (("show", "textbok"), "'textbok' is not a hardware platform", "Did you mean 'textbook'?"),
    (("show", "none.yaml"), "none.yaml", "there is no such file"),
    (("show", "textbook", "--length", "-3 km"), "--length '-3 km'", "must not be negative"),
    (("show", "textbook", "--length", "0 km"), "must be positive"),
    (("show", "textbook", "--length", "3"), "needs a unit: m, km"),
    (("show", "textbook", "--attenuation", "3 dB"), "'dB' is not a unit of attenuation"),
    (("show", "textbook", "--medium", "midpiont"), "is not a link medium", "Did you mean 'midpoint'?"),
    (("show", "textbook", "--plot", "x.pdf"), "a plot is an .svg or a .png"),
    (("sweep", "textbook", "--set", "memories"), "expected KEY=A..B"),
    (("sweep", "textbook", "--set", "memorys=1..2"), "'memorys' is not a parameter", "Did you mean 'memories'?"),
    (("sweep", "textbook", "--set", "memory.coherence_time=1 s..2 km"), "units of one quantity"),
    (("sweep", "textbook", "--set", "gate_noise=0..1", "--log"), "positive ends"),
    (("compare", "none.yaml", "textbook"), "there is no such file"),
]


@pytest.mark.parametrize(("arguments", "words"), [(a, w) for a, *w in BAD], ids=lambda v: " ".join(map(str, v))[:40])
def test_what_is_wrong_is_told(qstack, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    said = qstack("hardware", *arguments)
    assert said.code == 2
    for word in words:
        assert word in said.err


def test_a_wrong_sheet_is_told_with_line_and_key(qstack, tmp_path):
    wrong = SHEET.replace("visibility: 0.95", "visibility: 1.95").replace(
        "[interface.visibility]", "[interface.visibilty]"
    )
    (tmp_path / "wrong.yaml").write_text(wrong)
    err = qstack("hardware", "show", tmp_path / "wrong.yaml").err
    assert "wrong.yaml:8 interface.visibility  '1.95': must lie between 0 and 1." in err
    (tmp_path / "wrong.yaml").write_text(SHEET.replace("[interface.visibility]", "[interface.visibilty]"))
    err = qstack("hardware", "show", tmp_path / "wrong.yaml").err
    assert (
        "'interface.visibilty' in 'origins' is not a parameter of this sheet. Did you mean 'interface.visibility'?"
        in err
    )


def test_a_changed_value_loses_its_origin_and_the_others_keep_theirs():
    change = {
        "like": "ion-innsbruck-2023",
        "interface": {"visibility": 0.95},
        "memory": {"kind": "stretched", "coherence_time": "1 s"},
    }
    data = {
        "name": "x",
        "network": {"chain": {"segments": 1, "length": "1 km"}, "hardware": {"all": change}},
        "flows": [{"name": "p", "from": "n0", "to": "n1"}],
        "run": {"until": "60 s"},
    }
    origins = package.load(data).plan.platforms[0].origins
    named = {name for origin in origins for name in origin.gives}
    assert "interface.detection" in named
    assert not named & {"interface.visibility", "memory.coherence_time"}


def test_a_run_says_which_flows_wait_for_a_satellite(qstack):
    """More pairs than the pass can give: what is delivered, and when the link was up."""
    example = str(ROOT / "examples" / "satellite-pass.yaml")
    said = qstack("run", example, "--set", "flows.0.number=100000", "--set", "flows.1.number=1", "--until", "430 s")
    assert said.code == 0
    (line,) = [line for line in said.out.splitlines() if line.startswith("Open: ")]
    assert "of 100000 pairs; Delingha - Nanshan is up 139.9 to 420.1 s." in line


# -- validate --experiments ---------------------------------------------------------------------------------------------


def test_predictions_are_lines_of_json(qstack, tmp_path):
    entry = {
        "id": "x",
        "protocol": "double_click",
        "predict": ["fidelity"],
        "setup": {"p_attempt": {"value": 1e-4, "unit": "1", "confidence": "high"}},
    }
    (tmp_path / "x.json").write_text(json.dumps({"experiments": [entry]}))
    said = qstack("validate", "--experiments", tmp_path / "x.json", "--json")
    assert said.code == 0
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert {line["quantity"] for line in lines} == {"success_probability", "fidelity", "rate_hz"}
    (rate,) = [line for line in lines if line["quantity"] == "rate_hz"]
    assert rate["value"] is None
    assert "attempts per second" in rate["reason"]
    assert "p_attempt = 0.0001" in qstack("validate", "--experiments", tmp_path / "x.json").out


SHARED = """\
name: one-electron
memories: 1
qubits: {communication: 1, storage: 3, move_time: 1.3 ms, move_noise: 0.13}
memory: {kind: relaxing, coherence_time: 1 s, dephasing_attempts: 1800}
interface: {kind: textbook, probability: 0.1, fidelity: 0.99, attempt_period: 1 ms}
cooled_at: 2 s
"""


def test_show_says_what_attempts_do_what_links_share_and_when_it_is_cold(qstack, tmp_path):
    path = tmp_path / "shared.yaml"
    path.write_text(SHARED)
    out = qstack("hardware", "show", path).out
    assert "coherence falls to 1/e over 1800 of them" in out
    assert "share 1 communication and 3 storage qubits; a move takes 1.3 ms and mixes with probability 0.13." in out
    assert "Warm until 2 s: no attempts before." in out
    data = json.loads(qstack("hardware", "show", path, "--json").out)["platform"]
    assert data["memory"]["dephasing_attempts"] == 1800
    qubits = {"communication": 1, "storage": 3, "move_time": "1.3 ms", "move_noise": 0.13, "reach": []}
    assert data["qubits"] == qubits
    assert json.loads(qstack("hardware", "show", "textbook", "--json").out)["platform"]["qubits"] is None


def test_show_says_when_a_cryostat_is_cold(qstack, tmp_path):
    path = tmp_path / "cycle.yaml"
    path.write_text(SHARED.replace("cooled_at: 2 s", "cold: [[0 s, 10 min], [1 h, 2 h]]\nwarm_loses: true"))
    out = qstack("hardware", "show", path).out
    assert (
        "Cold from the beginning to 600 s, 3600 s to 7200 s: no attempts outside; what is stored is lost when it warms up."
        in out
    )
    data = json.loads(qstack("hardware", "show", path, "--json").out)["platform"]
    assert data["warm_loses"] is True
    assert len(data["cold"]) == 2


def test_a_run_says_which_nodes_are_warm_at_first(qstack, tmp_path):
    sheet = "".join(f"        {line}\n" for line in SHARED.splitlines())
    scenario = tmp_path / "warm.yaml"
    scenario.write_text(
        "name: warm\nnetwork:\n  chain: {segments: 1, length: 10 km}\n  hardware:\n"
        "    all: textbook\n    at:\n    - node: n1\n      use:\n" + sheet + "flows: [{name: f, from: n0, to: n1,"
        " min_fidelity: 0.5, number: 3}]\nrun: {until: 10 s}\n"
    )
    said = qstack("run", scenario)
    assert said.code == 0, said.err
    assert "n1 is warm until 2 s: no attempts before." in said.out
    assert "n0 is warm" not in said.out


def test_a_pass_from_step_to_step(qstack, tmp_path):
    """Rates rise to the highest point and fall; their sum is what the table says can be expected."""
    example = str(ROOT / "examples" / "satellite-pass.yaml")
    done = qstack("hardware", "pass", example, "--json")
    (link,) = json.loads(done.out)
    rates = [step["rate_hz"] for step in link["steps"]]
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    ((start, end),) = link["up_s"]
    assert (link["steps"][0]["start_s"], link["steps"][-1]["end_s"]) == (start, end)
    expected = sum(step["rate_hz"] * (step["end_s"] - step["start_s"]) for step in link["steps"])
    assert f"Delingha - Nanshan: {expected:.4g} pairs can be expected" in qstack("hardware", "pass", example).out
    pytest.importorskip("matplotlib")
    qstack("hardware", "pass", example, "--plot", tmp_path / "pass.svg")
    assert "pairs per second" in (tmp_path / "pass.svg").read_text()
    refused = qstack("hardware", "pass", str(ROOT / "examples" / "chsh.yaml"))
    assert refused.code == 2
    assert "has no link that comes and goes" in refused.err
