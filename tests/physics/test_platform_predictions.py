"""Predictions: the committed ones are what the models give, published success probabilities are met, bad files are told."""

from __future__ import annotations

import json
from math import exp
from pathlib import Path

import pytest

from qstack.core.errors import ConfigError
from qstack.study.inputs import PUBLISHED, Inputs, Missing, spread
from qstack.study.laboratory import BY_ID, BY_PROTOCOL
from qstack.study.laboratory_nv import delivered
from qstack.study.predictions import predict_file

DOCS = Path(__file__).parents[2] / "docs" / "validation"
EXPERIMENTS = {e["id"]: e for e in json.loads((DOCS / "experiments.json").read_text())["experiments"]}
ROWS = {row["config"]: row for row in json.loads((DOCS / "dahlberg_psucc.json").read_text())["rows"]}


def predictions(path):
    return [json.loads(prediction.line()) for prediction, _ in predict_file(path)]


def test_committed_predictions_are_what_the_models_give():
    written = [json.loads(line) for line in (DOCS / "predictions.jsonl").read_text().splitlines()]
    found = predictions(DOCS / "experiments.json") + predictions(DOCS / "dahlberg_psucc.json")
    assert [(p["id"], p["quantity"], p["setting"]) for p in found] == [
        (p["id"], p["quantity"], p["setting"]) for p in written
    ]
    for new, old in zip(found, written, strict=True):
        assert new["value"] == (old["value"] if old["value"] is None else pytest.approx(old["value"], rel=1e-9))


def test_every_experiment_is_answered_with_a_number_or_a_reason():
    found = predictions(DOCS / "experiments.json")
    assert {p["id"] for p in found} == set(EXPERIMENTS)
    for p in found:
        if p["value"] is None:
            assert p["reason"]
            assert set(p) == {"id", "quantity", "setting", "value", "reason"}
        else:
            assert set(p) == {"id", "quantity", "setting", "value", "low", "high"}
            assert p["low"] <= p["value"] <= p["high"]
            assert p["quantity"] != "fidelity" or 0 <= p["value"] <= 1
    answered = {p["id"] for p in found if p["value"] is not None}
    assert {name for name, e in EXPERIMENTS.items() if e["predict"]} == answered


@pytest.mark.parametrize("config", sorted(ROWS))
def test_published_success_probabilities(config):
    (found,) = [p for p in predictions(DOCS / "dahlberg_psucc.json") if p["id"] == config]
    assert found["value"] == pytest.approx(ROWS[config]["p_success"], rel=ROWS[config]["tol_rel"])


def test_interval_is_the_quadrature_of_what_each_number_does():
    setup = {
        "a": {"value": 3.0, "unit": "s", "uncertainty": 0.3},
        "b": {"value": 2.0, "unit": "s", "confidence": "medium"},
    }

    def model(i):
        return [("x", {}, i("a") * i("b"))]

    ((_, _, value, low, high),) = spread(model, Inputs(setup, {}, ""))
    width = ((2 * 0.3) ** 2 + (3 * 0.2) ** 2) ** 0.5
    assert (value, high - value, value - low) == pytest.approx((6.0, width, width))


def test_deterministic_delivery_by_counting_attempts():
    """First success at attempt n, then decay until the clock: summed over n."""
    p, state, period, clock, coherence = 2e-3, (0.8, 0.7, 0.9), 1e-3, 0.3, 0.2
    total = failed = 0.0
    for n in range(1, 301):
        chance = p * (1 - p) ** (n - 1)
        kept = exp(-(clock - n * period) / coherence)
        total += chance * (1 + 0.9 + (0.8 + 0.7) * kept) / 4
    failed = (1 - p) ** 300
    assert delivered(p, state, period, clock, coherence) == pytest.approx(total + failed / 4, rel=5e-3)


def test_another_experiment_of_a_known_protocol(tmp_path):
    entry = {**EXPERIMENTS["humphreys2018"], "id": "ours"}
    (tmp_path / "x.json").write_text(json.dumps({"experiments": [entry]}))
    found = predictions(tmp_path / "x.json")
    rates = [p["value"] for p in found if p["quantity"] == "rate_hz"]
    ours = [p["value"] for p in predictions(DOCS / "experiments.json") if p["id"] == "humphreys2018"]
    assert rates == [pytest.approx(ours[0]), pytest.approx(ours[2])]


def test_unknown_protocol_and_missing_numbers_have_reasons(tmp_path):
    entries = [
        {"id": "a", "protocol": "single_klick", "predict": ["fidelity"], "setup": {}},
        {"id": "b", "protocol": "double_click", "predict": ["fidelity"], "setup": {}},
    ]
    (tmp_path / "x.json").write_text(json.dumps({"experiments": entries}))
    one, two = predictions(tmp_path / "x.json")
    assert one["value"] is None
    assert "Did you mean 'single_click'?" in one["reason"]
    assert two["reason"] == "neither the set-up nor the platform says p_attempt"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "no JSON"),
        ("{}", "expected an object with a list 'experiments'"),
        ('{"experiments": []}', "expected an object with a list"),
        ('{"experiments": [3]}', r"experiments\[0\]: expected an object with an 'id'"),
        ('{"experiments": [{"id": "x", "setup": 3}]}', "x: 'setup' is an object"),
        ('{"rows": [{"config": "x"}]}', r"rows\[0\]"),
        ('{"rows": [{"config": "x"}], "parameters": {}}', "cannot be used"),
        (
            '{"experiments": [{"id": "x", "protocol": "double_click", "predict": ["F"], "setup": {"p_attempt": {"value": "1"}}}]}',
            "p_attempt = '1': expected a number",
        ),
    ],
)
def test_bad_files_are_told(tmp_path, text, words):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ConfigError, match=words):
        predictions(tmp_path / "x.json")


def test_no_file_is_told(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        predictions(tmp_path / "none.json")


def test_every_model_says_what_it_is():
    for model in (*BY_ID.values(), *BY_PROTOCOL.values()):
        assert model.__doc__


def test_assumptions_are_counted_and_everything_else_has_a_source():
    """Twenty-four numbers are assumed, as the page says; every other names the set-up or a packaged file."""
    used = {
        (p.id, name): known.source
        for p, all_of in predict_file(DOCS / "experiments.json")
        for name, known in all_of.items()
    }
    assumed = [place for place, source in used.items() if source.startswith("assumed: ")]
    assert len(assumed) == 24
    packaged = {path.stem for path in PUBLISHED.glob("*.json")}
    for p, all_of in predict_file(DOCS / "experiments.json"):
        for name, known in all_of.items():
            if known.source.startswith("assumed: "):
                assert known.sigma > 0, (p.id, name)  # what is assumed has a range, which goes into low and high
    for place, source in used.items():
        if place not in assumed:
            assert source.split(":")[0] in packaged | {"set-up"}, place


def test_a_borrowed_number_is_doubted_like_an_unverified_one():
    """15 degrees of phase noise are known to 3 % where they were measured, to 30 % elsewhere."""
    inputs = Inputs({}, {}, "")
    assert inputs.borrowed("phase_std", "nv_delft_2019", "phase_std") == 15
    assert inputs.used["phase_std"].sigma == pytest.approx(4.5)
    assert inputs.used["phase_std"].source == "nv_delft_2019: phase_std, of another set-up"
    half = Inputs({}, {}, "", {"angle": 1.0})
    angle = half.borrowed("angle", "satellite_micius", "divergence_full", factor=5e-7, same_device=True)
    assert angle == pytest.approx(5e-6 * 1.3)
    own = Inputs({"phase_std": {"value": 3.0, "unit": "deg"}}, {}, "")
    assert own.borrowed("phase_std", "nv_delft_2019", "phase_std") == 3.0
    with pytest.raises(Missing, match="nor nv_delft_2019 no_such"):
        inputs.borrowed("x", "nv_delft_2019", "no_such")
