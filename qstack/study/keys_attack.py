"""Somebody at a decoy-state link: what Eve learned, and what the two ends made of it.

Attackers and reconciliation come through their hooks.  An attacker with `tap` sits on the fibre; any other is a wire
that the messages of the post-processing go through.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from pydantic import Field, ValidationError

from qstack.keys import bb84, pulses
from qstack.keys.alice import Entropy
from qstack.keys.authentication import KeyPool
from qstack.keys.end import Party
from qstack.keys.eve.report import Report, assess
from qstack.keys.ledger import Block, Rejected
from qstack.keys.models import Receiver, Setup, Source
from qstack.keys.randomness import stream
from qstack.keys.secret import Secret
from qstack.keys.session import Link, Outcome
from qstack.keys.store.simulated import EFFICIENCY
from qstack.keys.terms import Proof, Terms, leak_limit
from qstack.plugin.contracts import Options, Selection, chosen
from qstack.plugin.manager import Manager
from qstack.scenario.override import parse
from qstack.scenario.problems import Origin, from_validation, report

SIFTED = 200_000
SELF_TEST = 0.01
"""Share of the gates in which a careful receiver shines light on its own detectors."""


class Trial(Options):
    """Who attacks, and how errors are corrected meanwhile."""

    attack: chosen("eavesdroppers", "an eavesdropper")  # type: ignore[valid-type]  # a type made at run time
    reconciliation: chosen("reconciliation", "a reconciliation scheme") = Field(  # type: ignore[valid-type]  # as above
        "cascade", validate_default=True
    )


def read_trial(manager: Manager, name: str, reconciliation: str, settings: Iterable[str]) -> Trial:
    """Return a trial with the options of an attack set as ``KEY=VALUE``.

    Raises
    ------
    ConfigError
        When there is no such attack or scheme, or an option does not fit.
    """
    options = {setting.key: setting.value for setting in map(parse, settings)}
    data = {"attack": {"use": name, **options}, "reconciliation": reconciliation}
    try:
        return Trial.model_validate(data, context={"plugins": manager})
    except ValidationError as error:
        raise report(from_validation(error, Trial), Origin("qstack keys attack", {})) from None


def attacked(trial: Trial, *, careful: bool, seed: int) -> Report:
    """Run a block with somebody at the link.

    Parameters
    ----------
    trial
        From `read_trial`.
    careful
        Whether the receiver tests its own detectors.
    seed
        Of pulses, of Eve and of what is public; the first secret is of the operating system.
    """
    attacker = trial.attack.make()
    setup = Setup(
        source=Source(intensities=(0.3, 0.09, 0.0), probabilities=(0.2, 0.48, 0.32), p_key=0.8),
        receiver=Receiver(p_key=0.8, self_test=SELF_TEST if careful else 0.0),
    )
    number = bb84.pulses_for(setup, SIFTED)
    link = _link(setup, number, trial.reconciliation, stream(seed, 0, "public").bytes)
    on_fibre = hasattr(attacker, "tap")
    tapped = pulses.sample(setup, number, seed, 0, attacker if on_fibre else None)
    if on_fibre:
        return assess(attacker, tapped, link.run_block(tapped.experiment))
    link.wire = attacker
    return _on_wire(trial.attack.name, link.run_block(tapped.experiment))


def _link(setup: Setup, number: int, reconciliation: Selection, entropy: Entropy) -> Link:
    """Return a link of variable length whose errors a scheme of the hook corrects."""
    mean = bb84.expected(setup, number)
    key = sum(mean.key)
    limit = leak_limit(sum(mean.key_errors) / key, EFFICIENCY, key, both_ways=True)
    secret = Secret(os.urandom(48))
    schemes: list[Any] = [reconciliation.make() for _ in range(2)]
    terms = Terms(proof=Proof.TWO_DECOYS, source=setup.source, leak_limit=limit, reconciliation=str(schemes[0].name))
    alice, bob = (
        Party(*names, terms, scheme, KeyPool(secret))
        for names, scheme in zip((("alice", "bob"), ("bob", "alice")), schemes, strict=True)
    )
    return Link(alice, bob, entropy)


def _on_wire(name: str, outcome: Outcome) -> Report:
    """Return the account of an attack on messages: what is public is known to everybody, and nothing else is learned."""
    ends = outcome.alice, outcome.bob
    refusals = [str(end.reason) for end in ends if isinstance(end, Rejected)]
    ledger = next((end.ledger for end in ends if end is not None), None)
    verdict = "; ".join(refusals) or ("accepted" if isinstance(ends[0], Block) else "an end heard nothing more")
    length = ends[0].ledger.length if isinstance(ends[0], Block) and not refusals else 0
    return Report(
        attack=name,
        key_bits=ledger.key_bits if ledger else 0,
        learned=0.0,
        leak=ledger.leak if ledger else 0,
        length=length,
        verdict=verdict,
        broken=None,
    )
