"""A pool that is dry: refuse, or sign until key has grown again."""

from __future__ import annotations

import pytest

from qstack.core.errors import ConfigError
from qstack.keys import bbm92
from qstack.keys.authentication import KeyPool
from qstack.keys.bbm92 import Pairs
from qstack.keys.end import Party
from qstack.keys.eve.middle import Edit
from qstack.keys.ledger import Assumption, Reason
from qstack.keys.messages import Tag, decode
from qstack.keys.randomness import stream
from qstack.keys.secret import Secret
from qstack.keys.session import Link, reconciler, straight
from qstack.keys.signatures import MlDsa, public_key
from qstack.keys.terms import Proof, Terms

pytest.importorskip("cryptography.hazmat.primitives.asymmetric.mldsa")

TERMS = Terms(proof=Proof.PAIRS, leak_limit=0.25)
CLICKS = [bbm92.sample(Pairs(x=0.99, y=0.98, z=0.99, p_key=0.7), 20_000, 3, block) for block in range(4)]
SEEDS = bytes(range(32)), bytes(range(100, 132))
POINT = bytes(range(16))


def make_link(*, signers=True, first=POINT, bob_seed=SEEDS[1]):
    names = ("delft", "leiden")

    def party(side, seed):
        signer = MlDsa(seed, public_key(SEEDS[1 - side])) if signers else None
        pool = KeyPool(Secret(first))
        return Party(names[side], names[1 - side], TERMS, reconciler(TERMS.reconciliation), pool, signer)

    return Link(party(0, SEEDS[0]), party(1, bob_seed), stream(1, 0, "public").bytes)


def test_without_a_signer_a_dry_pool_stops_everything():
    outcome = make_link(signers=False).run_block(CLICKS[0])
    assert outcome.alice.reason is Reason.OUT_OF_KEY


def test_signed_blocks_fill_the_pool_and_then_tags_take_over():
    link = make_link()
    signed = []
    for clicks in CLICKS:
        outcome = link.run_block(clicks)
        assert outcome.accepted, (outcome.alice, outcome.bob)
        assert outcome.alice.key == outcome.bob.key
        signed.append(Assumption.SIGNED in outcome.alice.ledger.assumptions)
        assert (Assumption.AUTHENTIC in outcome.bob.ledger.assumptions) != signed[-1]
        assert outcome.alice.ledger.authentication_bits == (0 if signed[-1] else 256)
    assert signed == [True, True, False, False]


def test_a_signature_by_anybody_else_is_refused():
    outcome = make_link(bob_seed=bytes(32)).run_block(CLICKS[0])
    assert outcome.alice.reason is Reason.AUTHENTICATION


@pytest.mark.parametrize("number", [0, 1, 2, 4])
def test_a_changed_message_is_noticed(number):
    link = make_link()
    link.wire = Edit(number)
    assert not link.run_block(CLICKS[0]).accepted


def test_a_forged_signature_is_refused():
    link = make_link()

    def forge(speaker, data):
        return straight(speaker, data[:-1] + bytes([data[-1] ^ 1]) if isinstance(decode(data), Tag) else data)

    link.wire = forge
    outcome = link.run_block(CLICKS[0])
    assert Reason.AUTHENTICATION in {outcome.alice.reason, outcome.bob.reason}


def test_signing_cannot_be_forced_while_there_is_key():
    """An attacker who empties one end's pool must not talk the other end out of its tags."""
    link = make_link(first=POINT + bytes(64))
    link.alice.pool.spend(1)
    outcome = link.run_block(CLICKS[0])
    assert outcome.bob.reason is Reason.OUT_OF_KEY


def test_keys_of_the_wrong_size_are_not_shown():
    with pytest.raises(ConfigError, match="a seed of 31") as caught:
        MlDsa(b"\xaa" * 31, public_key(SEEDS[0]))
    assert "aa" not in str(caught.value)
    assert repr(MlDsa(SEEDS[0], public_key(SEEDS[1]))) == "MlDsa(<private key>)"
