"""What a key plan says a network yields, against closed forms, sampled blocks and runs of the stack."""

from __future__ import annotations

import itertools
import os
from math import sqrt
from pathlib import Path

import pytest

import qstack
from qstack import api
from qstack.keys import bb84, pulses, rates
from qstack.keys.eve.resend import InterceptResend
from qstack.keys.models import Receiver, Setup, Source
from qstack.keys.secret import Secret
from qstack.keys.session import run_block
from qstack.keys.store.measured import Bbm92Source
from qstack.keys.store.source import KeyBlock
from qstack.study.keys import StackFlow
from qstack.study.keys_cases import cases, summary
from qstack.study.keys_plan import Loaded, load_plan
from qstack.study.keys_policy import CLASSES, Method, decide
from qstack.study.keys_yield import (
    PairNetwork,
    bb84_seconds,
    bb84_setup,
    bb84_terms,
    bb84_yield,
    bbm92_yield,
    pass_yield,
)

EXAMPLES = Path(__file__).parents[3] / "examples" / "keys"
LIGHT = Source(rate_hz=100e6, intensities=(0.3, 0.09, 0.0), probabilities=(0.2, 0.48, 0.32), p_key=0.8)
DETECTORS = Receiver(efficiency=0.2, dark_rate_hz=100, optical_error=0.01, p_key=0.8)
ENDS = ("a", "b")


def plan_of(name: str) -> Loaded:
    return load_plan(EXAMPLES / f"{name}.yaml", api.manager())


def setup(loss_db: float, **receiver) -> Setup:
    return bb84_setup(10.0, loss_db, LIGHT, DETECTORS.model_copy(update=receiver))


@pytest.mark.parametrize("loss_db", [0.1, 2.5, 10.0, 20.0])
def test_a_link_yields_less_than_endless_blocks_and_most_of_it_for_long_ones(loss_db):
    link = setup(loss_db)
    best = rates.decoy_bb84(link, efficiency=1.0) * LIGHT.rate_hz
    short, long = (bb84_yield(ENDS, link, sifted).rate for sifted in (10**6, 10**9))
    assert 0 < short < long < best
    assert long > 0.8 * rates.decoy_bb84(link, efficiency=2 * 1.12) * LIGHT.rate_hz  # both directions count as leak


def test_a_link_counts_the_errors_of_its_data_sheet():
    link = setup(2.5)
    mean = [sum(p * part(k) for k, p in zip(LIGHT.intensities, LIGHT.probabilities, strict=True))
            for part in (link.error, link.gain)]  # fmt: skip
    assert bb84_yield(ENDS, link, 10**6).error == pytest.approx(mean[0] / mean[1])


def test_a_block_that_is_made_has_the_length_that_was_planned():
    link = setup(2.5)
    planned = bb84_yield(ENDS, link, 300_000)
    terms, number = bb84_terms(link, 300_000)
    outcome = run_block(bb84.sample(link, number, 5), terms, Secret(os.urandom(16 + 32 * 4)))
    assert outcome.accepted
    assert outcome.alice.key.bits == planned.block_bits
    assert planned.rate == pytest.approx(planned.block_bits / (number / LIGHT.rate_hz))


def test_dead_time_makes_a_block_longer_by_what_its_clicks_cost():
    link = setup(2.5, dead_time_s=1e-6)
    live = 2_000_000
    gates = round(bb84_seconds(link, live) * LIGHT.rate_hz)
    clicks = live * float(bb84.mark_probabilities(link).sum())
    assert gates == pytest.approx(live + 100 * clicks)
    seen = bb84.sample(link, gates, 8).clicks
    assert abs(seen - clicks) < 4 * sqrt(clicks)


def test_what_is_intercepted_spoils_a_block_as_sampled_pulses_say():
    link = setup(2.5)
    number, share = 3_000_000, 0.2
    planned = bb84_yield(ENDS, link, 10**6, InterceptResend(share=share))
    _, _, tests, wrong = pulses.sample(link, number, 3, 0, InterceptResend(share=share)).experiment.sifted()
    assert abs(wrong - planned.error * tests) < 4 * sqrt(tests * planned.error)
    assert planned.rate == 0
    assert "more than was announced" in planned.why


def test_a_link_without_hope_says_why():
    dead = bb84_yield(ENDS, setup(60.0), 10**6)
    assert dead.rate == 0
    assert "prove nothing" in dead.why


@pytest.fixture(scope="module")
def hospital() -> PairNetwork:
    return plan_of("hospital").pairs


def test_a_flow_of_pairs_yields_what_a_run_of_the_stack_delivers(hospital):
    planned = bbm92_yield(hospital, ("TEL", "CHA"), {})
    assert planned.stops == ("TEL", "QP", "CHA")
    data = hospital.around("TEL").scenario("TEL", "CHA")
    data["flows"][0]["number"] = 3000
    flow = qstack.load(data, seed=2).run().flows[0]
    assert 1 / 1.6 < flow.rate_hz * planned.block_s / hospital.pairs < 1.6
    errors = flow.errors[1]
    low, high = errors.interval(0.9999)
    assert low < planned.error + 0.01
    assert high > planned.error - 0.01
    assert planned.rate == pytest.approx(planned.block_bits / planned.block_s)


@pytest.mark.slow
def test_a_whole_block_of_the_hospital_is_made(hospital):
    planned = bbm92_yield(hospital, ("TEL", "CHA"), {})
    made = StackFlow(qstack.load(hospital.around("TEL").scenario("TEL", "CHA")))
    block = next(Bbm92Source(("TEL", "CHA"), made).blocks())
    assert isinstance(block, KeyBlock)
    assert block.ends[0] == block.ends[1]
    assert 0.8 < 8 * len(block.ends[0]) / planned.block_bits < 1.25


def outcomes(name: str):
    loaded = plan_of(name)
    found = cases(loaded)
    return found, {case.name: {one.demand.name: one for one in case.served} for case in found}


def test_the_bank_goes_the_other_way_and_falls_back_aloud():
    _, said = outcomes("bank")
    cut = said["a digger cuts the fibre between the data centres"]["orders"]
    tapped = said["Eve measures one photon in five on it"]["orders"]
    both = said["both ways are cut"]["orders"]
    assert said["all is quiet"]["orders"].stops == ("NOR", "DIS")
    for one in (cut, tapped):
        assert one.stops == ("NOR", "ALM", "CON", "DIS")
        assert (one.decision.method, one.event) == (Method.HYBRID, "rerouted")
    assert (both.decision.method, both.event) == (Method.PQC, "falls back to PQC, reported")
    assert both.decision.rejected[0][0] is Method.HYBRID


def test_the_hospital_refuses():
    found, said = outcomes("hospital")
    assert said["all is quiet"]["genomes"].decision.method is Method.HYBRID
    for case in found[1:]:
        genomes = said[case.name]["genomes"]
        assert genomes.decision.method is None
        assert genomes.event == "refused"
        assert genomes.decision.rejected
        assert said[case.name]["appointments"].event == "unchanged"


def test_the_grid_goes_on_and_says_how():
    _, said = outcomes("grid")
    storm = said["a storm cuts the fibre to the north"]
    assert storm["breakers far north"].stops == ("UC", "ANL", "FNAL", "NUC", "NUE")
    assert all(one.event in {"rerouted", "unchanged"} for one in storm.values())
    eve = said["Eve listens on the only fibre to the far north"]
    assert eve["breakers far north"].event == "falls back to PQC, reported"
    assert eve["breakers north"].event == "unchanged"


@pytest.mark.parametrize("name", ["bank", "hospital", "grid"])
def test_no_link_carries_more_than_it_yields_and_no_change_is_silent(name):
    found, said = outcomes(name)
    relays = name != "hospital"
    for case in found:
        carried: dict[frozenset[str], float] = {}
        for one in case.served:
            if one.decision.method and one.decision.method.needs_qkd:
                steps = itertools.pairwise(one.stops) if relays else [(one.demand.source, one.demand.target)]
                for step in steps:
                    carried[frozenset(step)] = carried.get(frozenset(step), 0) + one.demand.need
            before = said["all is quiet"][one.demand.name]
            same = (one.decision.method, one.stops) == (before.decision.method, before.stops)
            assert same == (one.event in {"served", "unchanged"}) or one.event == "refused"
            if one.decision.method is not before.decision.method:
                assert one.decision.rejected
        yields = {frozenset(one.ends): one.rate for one in case.yields}
        assert all(bits <= yields[ends] for ends, bits in carried.items())


def test_the_plan_as_data_names_everything():
    loaded = plan_of("bank")
    data = summary(loaded, cases(loaded))
    assert data["schema"] == "qstack/key-plan/1"
    assert data["demands"][0] | {"need_bit_s": 0} == {
        "name": "orders", "class": "payment", "from": "NOR", "to": "DIS", "need_bit_s": 0,
        "methods": ["QKD+PQC", "PQC"], "mode": "AtLeastPqcRequired",
    }  # fmt: skip
    assert data["demands"][0]["need_bit_s"] == pytest.approx(400 * 256 / 60)
    assert data["cases"][0]["name"] == "all is quiet"


THRESHOLDS = {"public": 0, "internal": 1, "payment": 1, "health": 2, "control": 1, "cluster": 1}
STRENGTH = {Method.CLASSICAL: 0, Method.PQC: 1, Method.HYBRID: 2}


@pytest.mark.parametrize(("name", "there"), list(itertools.product(CLASSES, [True, False])))
def test_every_decision_keeps_the_threshold_of_its_class(name, there):
    """All inputs of the table, against its thresholds written down once more."""
    row = CLASSES[name]
    for prefer in (None, *row.methods):
        made = decide(row, prefer, lambda: "" if there else "no keys")
        wanted = prefer or row.methods[0]
        if there or wanted is not Method.HYBRID:
            assert made.method is wanted
            assert made.rejected == ()
        else:
            assert made.rejected == ((Method.HYBRID, "no keys"),)
            assert (made.method is None) == (THRESHOLDS[name] == 2)
        if made.method:
            assert STRENGTH[made.method] >= THRESHOLDS[name]
        richer = decide(row, prefer, lambda: "")
        assert richer.method is not None  # more resources never turn an answer into a refusal
    assert row.mode == ("QkdAndPqcRequired" if THRESHOLDS[name] == 2 else row.mode)


# -- satellites ---------------------------------------------------------------------------------------------------------


def test_a_pass_of_one_step_is_a_block_of_fibre():
    """Twice a day: the same block, of the same length, spread over a day."""
    link = setup(20.0, dead_time_s=1e-7)
    block = bb84_yield(ENDS, link, 10**6)
    one = pass_yield(ENDS, [(block.block_s, link)], 2)
    assert one.block_bits == pytest.approx(block.block_bits, rel=1e-5)
    assert one.error == pytest.approx(block.error)
    assert one.rate == pytest.approx(2 * one.block_bits / 86_400)


def test_a_pass_is_counted_as_one_block():
    """Two halves of one loss are the whole; of two losses they are worth less than the better throughout."""
    near, far = setup(15.0), setup(19.0)
    whole = pass_yield(ENDS, [(200.0, near)], 1)
    assert pass_yield(ENDS, [(100.0, near), (100.0, near)], 1).block_bits == pytest.approx(whole.block_bits, abs=2)
    mixed = pass_yield(ENDS, [(100.0, near), (100.0, far)], 1)
    assert pass_yield(ENDS, [(200.0, far)], 1).block_bits < mixed.block_bits < whole.block_bits
    assert mixed.block_s == 200


def test_the_satellite_of_the_example_is_its_link_budget():
    loaded = plan_of("satellite")
    medium = loaded.passes["Xinglong", "satellite"]
    steps = medium.budget()
    (quiet,) = cases(loaded)
    first, second = quiet.yields
    assert first.block_s == pytest.approx(sum(seconds for seconds, _ in steps))
    assert min(loss for _, loss in steps) < 30 < max(loss for _, loss in steps)
    assert first.block_bits > second.block_bits > 0  # the higher pass gives more
    assert first.rate == pytest.approx(2 * first.block_bits / 86_400)
    light = LIGHT
    dark = 25 + 0.5 * medium.stray(light.rate_hz) / 2
    receiver = Receiver(efficiency=0.5, dark_rate_hz=dark, optical_error=0.01, dead_time_s=1e-7, p_key=0.8)
    asymptotic = sum(
        seconds * light.rate_hz * rates.decoy_bb84(bb84_setup(0.0, loss, light, receiver), efficiency=1.0)
        for seconds, loss in steps
    )
    assert 0.4 * asymptotic < first.block_bits < asymptotic


def test_daylight_leaves_no_key():
    loaded = plan_of("satellite")
    medium = loaded.passes["Xinglong", "satellite"]
    day = medium.model_copy(update={"sky": 150.0})  # a bright cloud
    assert day.stray(1e8) == pytest.approx(1e7 * medium.stray(1e8))
    link = [
        (s, bb84_setup(0.0, loss, LIGHT, DETECTORS.model_copy(update={"dark_rate_hz": day.stray(1e8) / 4})))
        for s, loss in day.budget()
    ]
    assert pass_yield(ENDS, link, 1).block_bits == 0


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("use: satellite-link\n        highest: 70", "use: midpoint", "a key plan knows fibres and"),
        ("highest: 70", "highest: -4", r"medium\.highest  '-4': must be greater than 0"),
        ("highest: 70", "highest: 5", "lies between the horizon and the highest, 5"),
    ],
)
def test_satellites_that_cannot_be_are_refused(tmp_path, old, new, words):
    text = (EXAMPLES / "satellite.yaml").read_text()
    assert old in text
    if new == "use: midpoint":
        start = text.index("use: satellite-link")
        text = text[:start] + "use: midpoint\n" + text[text.index("    - a: Nanshan") :]
    else:
        text = text.replace(old, new, 1)
    (tmp_path / "plan.yaml").write_text(text)
    with pytest.raises(qstack.ConfigError, match=words):
        load_plan(tmp_path / "plan.yaml", api.manager())
