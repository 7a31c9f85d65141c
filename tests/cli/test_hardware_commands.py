"""`qstack hardware` and `qstack cost`: what they print, and what they say of what is wrong."""

from __future__ import annotations

import json
from math import log2
from pathlib import Path

import pytest

import qstack as package
from qstack.quantum.bounds import plob_bound

ROOT = Path(__file__).parents[2]
SHEET = """\
name: mine
title: a sheet of one's own
status: projected
memory: {kind: relaxing, relaxation_time: 10 s, coherence_time: 1 s}
interface:
  kind: single-click
  detection: 0.1
  visibility: 0.95
  overhead: 10 us
origins:
  - source: A. Author, J. Exp. 1, 1
    year: 2026
    confidence: high
    gives: {interface.detection: 0.10 +- 0.01}
  - assumption: nobody measured it
    gives: [interface.visibility]
"""


@pytest.fixture
def sheet(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(SHEET)
    return path


def test_list_names_every_platform(qstack):
    rows = json.loads(qstack("hardware", "list", "--json").out)
    assert [row["name"] for row in rows] == sorted(package.manager().platforms)
    assert "textbook" in qstack("hardware", "list").out


def test_show_tells_values_with_their_origin(qstack, sheet, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    out = qstack("hardware", "show", sheet, "--length", "10 km").out
    (detection,) = [line for line in out.splitlines() if line.startswith("interface.detection")]
    assert "0.10 +- 0.01" in detection
    assert "A. Author, J. Exp. 1, 1 (2026), high" in detection
    (visibility,) = [line for line in out.splitlines() if line.startswith("interface.visibility")]
    assert "assumed: nobody measured it" in visibility
    (overhead,) = [line for line in out.splitlines() if line.startswith("interface.overhead")]
    assert "no origin given" in overhead


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


# -- cost ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def priced(tmp_path, good):
    priced = good.replace(
        "      memories: 2\n",
        "      memories: 2\n      cost: {capital: 50 kEUR, operation: 100 EUR/month, power: 2 kW}\n",
    )
    path = tmp_path / "priced.yaml"
    path.write_text(priced)
    return path


def test_cost_adds_up(qstack, priced):
    data = json.loads(qstack("cost", priced, "--json").out)
    assert [node["capital_eur"] for node in data["nodes"]] == [50_000] * 3
    hours = 8766
    assert data["nodes"][0]["yearly_eur"] == pytest.approx(50_000 / 10 + 1200 + 2 * hours * 0.2)
    link = data["links"][0]
    assert link["operation_eur_yr"] == pytest.approx(20 * 900 + 0.1 * 135_000)
    everything = sum(item["yearly_eur"] for item in data["nodes"] + data["links"])
    assert data["yearly_eur"] == pytest.approx(everything)
    (flow,) = data["flows"]
    assert data["eur_per_pair"] == pytest.approx(everything / (flow["pairs_hz"] * hours * 3600))
    assert all(a["source"] for a in data["assumptions"].values())


def test_cost_of_a_network_without_a_key_flow_says_why_bits_have_no_price(qstack, priced):
    data = json.loads(qstack("cost", priced, "--json").out)
    assert data["eur_per_secret_bit"] is None
    assert data["why_no_secret_bit"] == "pairs makes no key: its application is pairs, not bbm92"
    assert f"No price of a secret bit: {data['why_no_secret_bit']}." in qstack("cost", priced).out
    poor = ("--set", "flows.0.app=bbm92")
    assert qstack("cost", priced, *poor).code == 2  # nothing is changed here: a scenario is priced as it stands


def test_cost_of_a_key_flow_counts_half_of_the_pairs(qstack, tmp_path, priced):
    """Half of them are measured alike; of these one-way reconciliation and the error in X leave 1 - 2 h(e)."""
    path = tmp_path / "key.yaml"
    path.write_text(
        priced.read_text().replace("app: pairs", "app: bbm92").replace("min_fidelity: 0.8", "min_fidelity: 0.9")
    )
    data = json.loads(qstack("cost", path, "--json").out)
    (flow,) = data["flows"]
    assert 0 < flow["secret_hz"] < flow["pairs_hz"] / 2
    assert data["eur_per_secret_bit"] == pytest.approx(data["eur_per_pair"] * flow["pairs_hz"] / flow["secret_hz"])
    assert "why_no_secret_bit" not in data


def test_cost_is_split_by_part_where_the_sheet_says_how(qstack, tmp_path, priced):
    parts = "parts: {cryostat: {capital: 90 kEUR, power: 5 kW}, detectors: {capital: 40 kEUR, operation: 1000 EUR/yr}}"
    path = tmp_path / "parts.yaml"
    path.write_text(priced.read_text().replace("power: 2 kW}", "power: 2 kW, " + parts + "}"))
    data = json.loads(qstack("cost", path, "--json").out)
    node = data["nodes"][0]
    assert {part["name"]: part["capital_eur"] for part in node["parts"]} == {
        "cryostat": 90_000,
        "detectors": 40_000,
        "not told apart": 50_000,
    }
    assert (node["capital_eur"], node["operation_eur_yr"], node["power_w"]) == (180_000, pytest.approx(2200), 7000)
    sums = {part["name"]: part for part in data["parts"]}
    assert sums["cryostat"]["yearly_eur"] == pytest.approx(3 * (9_000 + 5 * 8766 * 0.2))
    assert sums["fibre"]["operation_eur_yr"] == pytest.approx(50 * 900)
    assert sum(part["yearly_eur"] for part in data["parts"]) == pytest.approx(data["yearly_eur"])
    path.write_text(priced.read_text().replace("power: 2 kW}", "power: 2 kW, parts: {cryostats: {capital: 1 EUR}}}"))
    said = qstack("cost", path)
    assert said.code == 2
    assert "one of: memory, source, detectors, cryostat, electronics, conversion.  Did you mean 'cryostat'" in said.err


def test_parts_of_an_assumed_node_add_up_to_it(qstack, tmp_path):
    path = tmp_path / "nodes.yaml"
    path.write_text(
        "name: parts\nnetwork: {chain: {segments: 1, length: 10 km}, hardware: {all: nv-projected}}\n"
        "flows: [{name: p, from: n0, to: n1, min_fidelity: 0.6, number: 2}]\nrun: {until: 10 s}\n"
    )
    (node, _) = json.loads(qstack("cost", path, "--json").out)["nodes"]
    found = {part["name"]: part["capital_eur"] for part in node["parts"]}
    assert found == {"memory": 450_000, "electronics": 300_000, "cryostat": 125_000, "conversion": 60_000}
    assert sum(found.values()) == node["capital_eur"]
    (node, _) = json.loads(qstack("cost", path, "--assume", "electronics_share=0", "--json").out)["nodes"]
    assert {part["name"] for part in node["parts"] if part["capital_eur"]} == {"memory", "cryostat", "conversion"}
    assert "at most 1" in qstack("cost", path, "--assume", "electronics_share=2").err


EXAMPLES = ("chsh", "delft-eindhoven", "satellite-pass", "teleport")
WAY_PRICES = {  # capital and yearly operation of a link, by hand
    "Delft - M1": (135_000, 14.6 * 900 + 13_500),
    "Delingha - Nanshan": (150_000_000 + 2 * 200_000 + 135_000, 0.1 * 150_535_000),
    "Nanshan - city": (135_000, 10 * 900 + 13_500),
    "n0 - n1": (135_000, 20 * 900 + 13_500),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_adds_up_by_hand(qstack, name):
    """Write-off over 10 years, operation, and electricity of 8766 hours at 0.2 EUR/kWh; prices by dividing."""
    data = json.loads(qstack("cost", str(ROOT / "examples" / f"{name}.yaml"), "--json").out)
    items = data["nodes"] + data["links"]
    for item in items:
        electricity = item["power_w"] / 1000 * 8766 * 0.2
        assert item["yearly_eur"] == pytest.approx(item["capital_eur"] / 10 + item["operation_eur_yr"] + electricity)
        assert "assumed" in item["basis"]
        if item["name"] in WAY_PRICES:
            assert (item["capital_eur"], item["operation_eur_yr"]) == pytest.approx(WAY_PRICES[item["name"]])
    assert data["capital_eur"] == pytest.approx(sum(item["capital_eur"] for item in items))
    assert data["yearly_eur"] == pytest.approx(sum(item["yearly_eur"] for item in items))
    assert data["power_w"] == pytest.approx(sum(item["power_w"] for item in items))
    for flow in data["flows"]:
        made = flow["pairs_hz"] * 8766 * 3600
        assert flow["eur_per_pair"] == pytest.approx(data["yearly_eur"] / made)
        assert 0 <= flow["secret_hz"] <= flow["pairs_hz"]
    assert data["eur_per_pair"] == pytest.approx(min(flow["eur_per_pair"] for flow in data["flows"]))


def test_every_assumption_can_be_changed(qstack, priced):
    base = json.loads(qstack("cost", priced, "--json").out)
    data = json.loads(qstack("cost", priced, "--assume", "dark_fibre_lease=0", "--assume", "lifetime=20", "--json").out)
    assert data["links"][0]["operation_eur_yr"] == pytest.approx(0.1 * 135_000)
    assert data["nodes"][0]["yearly_eur"] == pytest.approx(base["nodes"][0]["yearly_eur"] - 2500)
    assert data["assumptions"]["lifetime"] == {"value": 20, "unit": "yr", "source": "given by the user"}


def test_cost_of_what_a_run_delivered(qstack, tmp_path, priced):
    assert qstack("run", priced, "--out", tmp_path / "out", "--quiet").code == 0
    data = json.loads(qstack("cost", priced, "--summary", tmp_path / "out" / "summary.json", "--json").out)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert data["measured"]
    assert data["flows"][0]["pairs_hz"] == summary["flows"][0]["rate_hz"]
    assert "as the run delivered" in qstack("cost", priced, "--summary", tmp_path / "out" / "summary.json").out


def test_secret_bits_of_a_run_are_those_that_were_sifted(qstack, tmp_path, priced):
    """A pair measured in two bases gives no bit: sifted bits per second, less what both error rates cost."""
    out = tmp_path / "out"
    key = ("--set", "flows.0.app=bbm92", "--set", "flows.0.number=400", "--set", "flows.0.min_fidelity=0.9")
    assert qstack("run", priced, "--out", out, "--quiet", *key).code == 0
    (counted,) = json.loads((out / "summary.json").read_text())["flows"]
    (flow,) = json.loads(qstack("cost", priced, "--summary", out / "summary.json", "--json").out)["flows"]
    lost = sum(-p * log2(p) - (1 - p) * log2(1 - p) if 0 < p < 1 else 0.0 for p in (counted["e_x"], counted["e_z"]))
    sifted_hz = counted["sifted_bits"] / counted["delivered"] * counted["rate_hz"]
    assert sifted_hz < 0.7 * counted["rate_hz"]
    assert flow["secret_hz"] == pytest.approx(sifted_hz * max(0.0, 1 - lost))
    assert flow["secret_hz"] > 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("lifetime", "expected NAME=VALUE"),
        ("lifetime=x", "expected NAME=VALUE"),
        ("lifetime=0", "must be positive"),
        ("lifetim=3", "Did you mean 'lifetime'?"),
        ("up_time=2", "must be positive"),
        ("electricity=-1", "must be not negative"),
    ],
)
def test_a_wrong_assumption_is_told(qstack, priced, change, words):
    said = qstack("cost", priced, "--assume", change)
    assert said.code == 2
    assert words in said.err


def test_a_wrong_summary_is_told(qstack, priced, tmp_path):
    for text, words in (("{", "broken JSON"), ("{}", "is not the summary of a run")):
        (tmp_path / "s.json").write_text(text)
        said = qstack("cost", priced, "--summary", tmp_path / "s.json")
        assert said.code == 2
        assert words in said.err


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


# -- data sheets that cannot be -----------------------------------------------------------------------------------------

WRONG = {  # what is changed in a good sheet, and what is said of it: line, key, value, what is allowed
    "more than twice T1": (
        "coherence_time: 1 s",
        "coherence_time: 30 s",
        ":4 memory  T2 exceeds 2 T1: coherence_time 30 s",
    ),
    "efficiency": ("detection: 0.1", "detection: 1.2", ":7 interface.detection  '1.2': must lie between 0 and 1."),
    "not a number": (
        "detection: 0.1",
        "detection: .nan",
        ":7 interface.detection  'nan': expected a number from 0 to 1",
    ),
    "unit": ("overhead: 10 us", "overhead: 10 km", ":9 interface.overhead  '10 km': 'km' is not a unit of duration"),
    "no unit": ("overhead: 10 us", "overhead: 10", ":9 interface.overhead  '10': a duration needs a unit: ps, ns"),
    "infinite": ("overhead: 10 us", "overhead: inf", ":9 interface.overhead  'inf': a duration must be finite here"),
    "huge": (
        "overhead: 10 us",
        "overhead: 1e400 us",
        ":9 interface.overhead  '1e400 us': a duration must be finite here",
    ),
    "unknown key": ("visibility: 0.95", "visibilty: 0.95", ":8 interface.visibilty  is not a key here."),
    "temperature": (
        "relaxing, relaxation",
        "spin, temperature: -4, relaxation",
        ":4 memory.temperature  '-4': must be at least 0",
    ),
    "times": (
        "status: projected",
        "cold: [[2 s, 1 s]]",
        ":3 cold  '[['2 s', '1 s']]': times must rise, as in [[0 s, 10 min]",
    ),
    "nothing warms up": ("status: projected", "warm_loses: true", ":3 warm_loses  true: nothing warms up; give cold"),
    "readout": (
        "status: projected",
        "readout_error: [0.1, x]",
        ":3 readout_error  '[0.1, 'x']': expected numbers from 0 to 1",
    ),
    "reach": (
        "status: projected",
        "qubits: {communication: 1, reach: [[0], [1]]}",
        ":3 qubits.reach  '[[0], [1]]': 2 lists for 1",
    ),
}


@pytest.mark.parametrize(
    "command", [("hardware", "show"), ("hardware", "sweep", "--set", "memories=1..2"), ("conform",)]
)
@pytest.mark.parametrize("name", WRONG)
def test_a_sheet_that_cannot_be_is_refused_with_line_key_value_and_what_is_allowed(qstack, tmp_path, command, name):
    old, new, words = WRONG[name]
    assert old in SHEET
    path = tmp_path / "wrong.yaml"
    path.write_text(SHEET.replace(old, new, 1))
    said = qstack(*command, path)
    assert said.code == 2
    assert f"wrong.yaml{words}" in said.err
    assert said.out == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "is empty"), ("- a\n", "a data sheet is a mapping"), ("hello\n", "a data sheet is a mapping")],
)
def test_a_file_that_is_no_sheet_is_told(qstack, tmp_path, text, words):
    path = tmp_path / "no.yaml"
    path.write_text(text)
    for command in (("hardware", "show"), ("conform",)):
        said = qstack(*command, path)
        assert (said.code, words in said.err) == (2, True)


@pytest.mark.parametrize("command", [("run",), ("check",), ("cost",), ("hardware", "pass")])
def test_a_sheet_in_the_place_of_a_scenario_is_told(qstack, tmp_path, command):
    path = tmp_path / "sheet.yaml"
    path.write_text(SHEET)
    said = qstack(*command, path)
    assert said.code == 2
    assert said.err.count("\n") == 2
    assert "is a data sheet, not a scenario: `qstack hardware show` takes it" in said.err


def test_a_sheet_in_a_file_is_judged(qstack, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(SHEET)
    said = qstack("conform", path)
    assert (said.code, "0 failed" in said.out) == (0, True)


def test_an_infinite_length_is_refused(qstack, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(SHEET)
    for command in (("hardware", "show"), ("hardware", "sweep", "--set", "memories=1..2")):
        said = qstack(*command, path, "--length", "inf")
        assert (said.code, "--length 'inf'  a length must be finite." in said.err) == (2, True)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("highest", "[-5, 60]", "medium.highest.0  '-5': must be greater than 0"),
        ("highest", "[95, 60]", "medium.highest.0  '95': must be at most 90"),
        ("highest", "[8, 8]", "it lies between the horizon and the highest, 8"),
        ("sky", "noon", "medium.sky  'noon': expected day, full-moon, night, or a radiance, zero or more"),
        ("sky", "-1", "medium.sky  '-1': expected day, full-moon, night, or a radiance, zero or more"),
        ("culminations", "[inf]", "medium.culminations.0  'inf': a duration must be finite here"),
    ],
)
def test_a_pass_that_cannot_be_is_refused(qstack, tmp_path, key, value, words):
    text = (ROOT / "examples" / "satellite-and-fibre.yaml").read_text()
    head, _, tail = text.partition("        use: satellite-pass\n")
    for name in ("highest", "culminations"):
        if name == key:
            before, _, rest = tail.partition(f"        {name}:\n")
            lines = rest.splitlines(keepends=True)
            while lines[0].startswith("          - "):
                lines.pop(0)
            tail = before + "".join(lines)
    tail = tail.replace("        sky: night\n", "") if key == "sky" else tail
    path = tmp_path / "pass.yaml"
    path.write_text(f"{head}        use: satellite-pass\n        {key}: {value}\n{tail}")
    for command in (("hardware", "pass"), ("run",)):
        said = qstack(*command, path)
        assert said.code == 2
        assert words in said.err
