"""`qstack cost`: what a network costs, by part, and what its flows give for that."""

from __future__ import annotations

import json
from math import log2
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


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
