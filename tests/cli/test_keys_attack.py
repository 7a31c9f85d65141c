"""``qstack keys attack``: eavesdroppers and reconciliation by their hooks, and what she learned."""

from __future__ import annotations

import re

import pytest

from qstack.keys.ledger import Assumption

PLUGIN = """\
import qstack
from qstack.keys.eve.resend import InterceptResend
from qstack.keys.reconcile.cascade import Cascade

QSTACK_API = (1, 0)


@qstack.hookimpl
def qstack_eavesdroppers():
    return [
        qstack.Offer("shy", lambda options: InterceptResend(share=0.02)),
        qstack.Offer("deaf", lambda options: lambda speaker, data: []),
    ]


@qstack.hookimpl
def qstack_reconciliation():
    return [qstack.Offer("fewest-trips", lambda options: Cascade("original"))]
"""


def learned(text: str) -> list[float]:
    return [int(a) / int(b) for a, b in re.findall(r"learned (\d+) of (\d+) bits", text)]


@pytest.mark.parametrize(("name", "share"), [("intercept-resend", 0.5), ("breidbart", 0.399)])
def test_full_interception_is_refused_and_she_learns_what_is_published(qstack, name, share):
    said = qstack("keys", "attack", name)
    assert said.code == 0
    assert said.out.count("nothing secret would remain") == 2
    assert learned(said.out) == pytest.approx([share, share], abs=0.01)


def test_blinding_is_named_and_the_self_test_catches_it(qstack):
    said = qstack("keys", "attack", "blinding")
    assert said.code == 0
    sold, careful = said.out.splitlines()
    assert f"The key is hers, because this does not hold: {Assumption.DETECTORS}" in sold
    assert "accepted" in sold
    assert "the receiver does not see its own test light" in careful
    assert "accepted" not in careful
    assert learned(said.out) == [1.0, 1.0]


@pytest.mark.slow
def test_splitting_is_priced_and_a_changed_message_costs_the_block(qstack):
    split = qstack("keys", "attack", "photon-number-splitting", "--set", "single=0.6")
    for length, (eve, bits) in zip(
        re.findall(r"accepted, (\d+) secret bits", split.out),
        re.findall(r"learned (\d+) of (\d+)", split.out),
        strict=True,
    ):
        assert 0 < int(length) < int(bits) - int(eve)
    said = qstack("keys", "attack", "tampering", "--set", "number=5")
    assert said.code == 0
    assert "accepted" not in said.out


@pytest.mark.slow
def test_the_same_seed_says_the_same(qstack):
    runs = [qstack("keys", "attack", "blinding", "--seed", seed).out for seed in (4, 4, 5)]
    assert runs[0] == runs[1] != runs[2]


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    (tmp_path / "qstackfile.py").write_text(PLUGIN, encoding="utf-8")
    monkeypatch.chdir(tmp_path)


def test_attackers_and_schemes_of_a_plugin_are_used(qstack, plugin):
    said = qstack("keys", "attack", "shy", "--reconciliation", "fewest-trips")
    assert said.code == 0, said.err
    assert "intercept-resend on 2%" in said.out
    assert learned(said.out) == pytest.approx([0.01, 0.01], abs=0.002)
    deaf = qstack("keys", "attack", "deaf")
    assert deaf.code == 0, deaf.err
    assert deaf.out.count("an end heard nothing more") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["intercept-resned"], "Did you mean 'intercept-resend'?"),
        (["blinding", "--set", "shre=1"], "Did you mean 'share'?"),
        (["blinding", "--set", "share=2"], "attack.share"),
        (["blinding", "--set", "share"], "expected KEY=VALUE"),
        (["blinding", "--reconciliation", "casc"], "Did you mean 'cascade'?"),
        (["blinding", "--seed", "-1"], "-1"),
    ],
)
def test_attacks_that_cannot_be(qstack, arguments, message):
    said = qstack("keys", "attack", *arguments)
    assert said.code == 2
    assert message in said.err
    assert "Traceback" not in said.err
