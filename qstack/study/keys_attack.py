"""Somebody at a decoy-state link: what Eve learned, and what the two ends made of it.

Parts, attackers and reconciliation come through their hooks.  An attacker with `tap` sits on the fibre; any other is a
wire that the messages of the post-processing go through.
"""

from __future__ import annotations

import os
from math import ceil

from qstack.keys import bb84, pulses
from qstack.keys.eve.report import Report, assess, assess_wire
from qstack.keys.randomness import stream
from qstack.keys.secret import Secret
from qstack.keys.session import Link
from qstack.keys.store.simulated import open_terms
from qstack.study.keys_link import KeyLink

SELF_TEST = 0.01
"""Share of the gates in which a careful receiver shines light on its own detectors."""
FIRST_OCTETS = 48


def attacked(link: KeyLink, *, careful: bool, seed: int) -> Report:
    """Run a block with somebody at the link.

    Parameters
    ----------
    link
        With its attacker, from `qstack.study.keys_link.read_link`.
    careful
        Whether the receiver tests its own detectors.
    seed
        Of pulses, of Eve and of what is public; the first secret is of the operating system.
    """
    attacker = link.attack.make()
    setup = link.setup(max(link.self_test, SELF_TEST) if careful else 0.0)
    number = bb84.pulses_for(setup, link.block)
    scheme = link.reconciliation.make
    terms = open_terms(setup.source, bb84.expected(setup, number), scheme)
    entropy = stream(seed, 0, "public").bytes
    session = Link.between("alice", "bob", terms, Secret(os.urandom(FIRST_OCTETS)), entropy, scheme)
    on_fibre = hasattr(attacker, "tap")
    gates = ceil(bb84.gates(setup, number))
    tapped = pulses.sample(setup, gates, seed, 0, attacker if on_fibre else None)
    if on_fibre:
        return assess(attacker, tapped, session.run_block(tapped.experiment))
    session.wire = attacker
    return assess_wire(link.attack.name, session.run_block(tapped.experiment))
