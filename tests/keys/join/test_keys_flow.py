"""A BBM92 flow of the whole stack becomes keys of a key store, or says why not."""

from __future__ import annotations

import copy
import json
import pickle
from math import sqrt

import numpy as np
import pytest

import qstack
from qstack.core.errors import ConfigError, LocalProtocolError
from qstack.keys import bbm92, finite
from qstack.keys.eve.resend import InterceptResend
from qstack.keys.information import binary_entropy
from qstack.keys.records import ALICE_BASIS, ALICE_BIT, BOB_BASIS, BOB_BIT
from qstack.keys.store import Policy, open_store
from qstack.keys.store.measured import (
    Bbm92Source,
    Measurements,
    independent_errors,
    pair_length,
    pair_terms,
    pairs_needed,
)
from qstack.keys.store.source import DroppedBlock, KeyBlock
from qstack.services.key_delivery import Confirm, Fetch, Reserve, Settle
from qstack.services.secret import Secret
from qstack.study import keys
from qstack.study.keys import CITY, StackFlow
from qstack.wire.application import Reveal

NAMES = ("kme-1", "kme-2")


def city(number=600, **changes):
    data = copy.deepcopy(dict(CITY))
    data["flows"][0].update(number=number, **changes)
    return data


def flow(number=600, **changes):
    return StackFlow(qstack.load(city(number, **changes)))


@pytest.fixture(scope="module")
def source():
    return Bbm92Source(NAMES, StackFlow(qstack.load(CITY)))


@pytest.fixture(scope="module")
def block(source):
    return next(source.blocks())


def test_a_flow_of_the_stack_becomes_a_block_with_its_account(block):
    assert isinstance(block, KeyBlock)
    assert block.simulated
    assert block.ends[0] == block.ends[1]
    ledger = json.loads(json.dumps(dict(block.ledger)))
    pairs = ledger["pulses"]
    assert pairs == 30_000
    for bits in (ledger["key_bits"], ledger["test_bits"]):  # a quarter each; standard deviation of a fair choice
        assert abs(bits - pairs / 4) < 4 * sqrt(pairs * 3 / 16)
    assert ledger["authentication_bits"] == 256
    assert ledger["refill_bits"] == 256
    assert ledger["length"] - 256 - 8 * len(block.ends[0]) in range(8)
    assert 0 < ledger["epsilon"] < 1e-8
    assert any("photon" in text for text in ledger["assumptions"])


def test_its_length_is_that_of_the_printed_bound(block):
    """Tomamichel et al., eq. 2, with the epsilons of the variable-length proof, from the counts in the account."""
    ledger = block.ledger
    n, k, eps = ledger["key_bits"], ledger["test_bits"], (1e-9 / 4) ** 2
    mu = sqrt((n + k) * (k + 1) * np.log(4 / eps) / (n * k**2))
    error = ledger["test_errors"] / k
    limit = pair_terms(2 * (1 - 0.98) / 3, 30_000).leak_limit * n
    cost = 2 * np.log2(1 / 1e-9) + np.log2(2 / 1e-12)
    assert abs(ledger["length"] - (n * (1 - binary_entropy(error + mu)) - limit - cost)) < 2
    assert ledger["leak"] <= limit


def test_the_errors_are_those_of_the_link(block):
    """One link, no storage to speak of: the state of the herald, measured."""
    plan = StackFlow(qstack.load(CITY)).experiment.plan
    x, _, z = plan.links[0].sheet.heralds[0].outcomes[0].correlators
    ledger = block.ledger
    for errors, bits, value in (
        (ledger["test_errors"], ledger["test_bits"], x),
        (ledger["key_errors"], ledger["key_bits"], z),
    ):
        rate = (1 - value) / 2
        assert abs(errors - rate * bits) < 4 * sqrt(bits * rate)


def test_it_reaches_applications_marked_as_simulated(block, tmp_path):
    stores = [open_store(str(tmp_path / f"{name}.db"), Policy(name)) for name in NAMES]
    try:
        copied = KeyBlock(block.block, tuple(Secret(end.reveal()) for end in block.ends), block.ledger)
        mine, theirs = copied.deposits(NAMES)  # a store wipes what it took
        offer = stores[0].call(mine)
        stores[1].call(theirs)
        assert stores[1].call(Confirm("kme-1", offer)) is True
        stores[0].call(Settle("kme-2", block.block, agreed=True))
        (key,) = stores[0].call(Reserve("kme-2", "SAE_A", ("SAE_B",), 1, 256))
        (found,) = stores[0].call(Fetch("SAE_A", [key.key], "SAE_A"))
        assert found.simulated
    finally:
        for store in stores:
            store.close()


def test_somebody_on_the_fibre_costs_the_block(source):
    source.eavesdrop(InterceptResend)
    try:
        dropped = next(source.blocks())
    finally:
        source.eavesdrop(None)
    assert isinstance(dropped, DroppedBlock)
    assert "nothing to amplify" in dropped.why
    assert dropped.ledger["length"] == 0
    counted = float(dropped.why.split()[0])
    plan = StackFlow(qstack.load(CITY)).experiment.plan
    x = plan.links[0].sheet.heralds[0].outcomes[0].correlators[0]
    assert abs(counted - (1 - x / 2) / 2) < 4 * sqrt(0.19 / dropped.ledger["test_bits"])


def test_a_tapped_link_has_the_correlators_of_intercept_resend_and_its_ends_believe_what_they_did():
    made = flow()
    plan = made.experiment.plan
    heard = keys.tapped(plan, made.planned, InterceptResend(share=0.4).on_pairs).links[0].sheet
    before, after = (s.heralds[0].outcomes[0].correlators for s in (plan.links[0].sheet, heard))
    assert after == pytest.approx([before[0] * 0.8, before[1] * 0.6, before[2] * 0.8])
    assert heard.rows == plan.links[0].sheet.rows
    assert keys.tapped(plan, made.planned, None) is plan


def test_a_block_that_is_too_small_has_no_secret_bit_and_says_how_long_it_would_have_to_be():
    for pairs in (400, 6000):
        dropped = next(Bbm92Source(NAMES, flow(pairs)).blocks())
        assert isinstance(dropped, DroppedBlock)
        assert dropped.ledger["length"] == 0
        assert "no secret bit" in dropped.why
        assert " pairs would do" in dropped.why


def test_the_number_of_pairs_needed_is_the_number_needed():
    pairs = independent_errors(0.02, 0.01)
    number = pairs_needed(pairs, 0.01)
    assert pair_length(pairs, number, 0.01) >= 512 > pair_length(pairs, int(0.98 * number), 0.01)
    assert pairs_needed(independent_errors(0.12, 0.12), 0.12) is None


@pytest.mark.parametrize("number", [10**4, 10**5, 10**6, 10**8])
def test_no_length_is_above_the_asymptotic_rate(number):
    error = 0.03
    bits = pair_length(independent_errors(error, error), number, error)
    assert bits <= number / 4 * (1 - 2 * binary_entropy(error))
    assert bits <= finite.single_photons(number / 4, number / 4, error, finite.Epsilons()).secret


def test_what_an_application_gave_away_is_in_no_key():
    """Half of the Z bits are revealed by this flow: they never reach the post-processing."""
    made = flow(800, app={"use": "bbm92", "sample": 0.5})
    pairs, alice, bob = made.measure()
    assert np.array_equal(alice.pair, bob.pair)
    z = int(np.count_nonzero(alice.test == 0))
    assert abs(z - pairs / 8) < 4 * sqrt(pairs / 8)
    assert np.count_nonzero(alice.bit != bob.bit) < 0.03 * alice.bit.size


class Sampled:
    """A flow whose errors are mostly in X, without a network."""

    name, min_fidelity = "sampled", 0.88

    def __init__(self, pairs):
        self.pairs = pairs

    def measure(self, attack):
        seen = bbm92.sample(independent_errors(0.09, 0.03), self.pairs, 6)
        basis = seen.alice.field(ALICE_BASIS)
        chosen = basis == seen.bob.field(BOB_BASIS)
        bits = seen.alice.field(ALICE_BIT), seen.bob.field(BOB_BIT)
        first, second = (Measurements(seen.alice.pulse[chosen], basis[chosen], bit[chosen]) for bit in bits)
        return self.pairs, first, second


def test_a_flow_with_its_errors_in_x_makes_keys_once_reconciliation_is_planned_for_z():
    pairs = pairs_needed(independent_errors(0.09, 0.03), 0.034)
    assert isinstance(next(Bbm92Source(NAMES, Sampled(2 * pairs)).blocks()), DroppedBlock)
    block = next(Bbm92Source(NAMES, Sampled(2 * pairs), 0.034).blocks())
    assert isinstance(block, KeyBlock), block.why
    assert block.ends[0] == block.ends[1]
    with pytest.raises(ConfigError, match="between 0 and 1/2"):
        Bbm92Source(NAMES, Sampled(pairs), 0.5)


def test_a_man_in_the_middle_of_the_stack_fools_the_application_and_nobody_else(monkeypatch):
    """Whoever rewrites what the ends reveal hides every error from them; the authenticated channel counts again."""
    applications = []
    real = keys.build

    def lying(*arguments, **named):
        network = real(*arguments, **named)
        for node in network.simulation.nodes.values():
            app = keys._application(node, 0)
            applications.append(app)

            def forged(msg, ctx, app=app, handler=node.table[Reveal]):
                bits = tuple(app.results[pair].bit for pair in msg.pairs)
                return handler(Reveal(msg.flow, msg.block, msg.pairs, bits), ctx)

            node.table[Reveal] = forged
        return network

    monkeypatch.setattr(keys, "build", lying)
    source = Bbm92Source(NAMES, flow(4000))
    source.eavesdrop(InterceptResend)
    dropped = next(source.blocks())
    for app in applications:
        assert app.counts[1][0] > 800
        assert app.counts[1][1] == 0
    assert isinstance(dropped, DroppedBlock)
    assert 0.2 < float(dropped.why.split()[0]) < 0.3


def test_no_seed_of_a_scenario_decides_a_served_bit():
    made = flow(300)
    first, second = (made.measure()[1] for _ in range(2))
    size = min(first.bit.size, second.bit.size)
    assert 0.3 < np.mean(first.bit[:size] != second.bit[:size]) < 0.7


def test_bits_never_show_themselves(source, block):
    _, notes, _ = flow(300).measure()
    assert repr(notes) == "Measurements()"
    with pytest.raises(TypeError):
        pickle.dumps(block.ends[0])
    secret = block.ends[0].reveal()
    for text in (repr(block), repr(source), repr(source.link), json.dumps(dict(block.ledger))):
        assert secret.hex()[:16] not in text
        assert str(secret)[2:12] not in text


def test_neither_summary_nor_manifest_of_a_run_holds_a_key_bit():
    made = flow(300)
    result = made.experiment.run()
    for data in (result.summary(), made.experiment.manifest(result)):
        assert all("bit" not in key or key == "sifted_bits" for key in _keys(data))


def _keys(data):
    if isinstance(data, dict):
        for key, value in data.items():
            yield key
            yield from _keys(value)
    elif isinstance(data, list):
        for value in data:
            yield from _keys(value)


def test_an_application_that_keeps_other_bits_than_were_measured_is_found_out():
    end = keys._End(0, turns=False)
    end.found = {4: (0, 1), 5: (1, 0)}
    end.tested = [5]
    assert isinstance(end.measurements({4: 1}), Measurements)
    for lie in ({4: 0}, {5: 0}, {6: 0}):
        with pytest.raises(LocalProtocolError, match="not what its device measured"):
            end.measurements(lie)


@pytest.mark.parametrize(
    ("change", "name", "message"),
    [
        ({"app": "pairs"}, None, "0 flows make keys"),
        ({}, "cty", "Did you mean 'city'"),
        ({"number": None}, None, "has no end"),
    ],
)
def test_flows_that_make_no_key(change, name, message):
    data = city()
    data["flows"][0].update(change)
    data["flows"][0] = {key: value for key, value in data["flows"][0].items() if value is not None}
    with pytest.raises(ConfigError, match=message):
        StackFlow(qstack.load(data), name)
