"""Quantum key distribution: from clicks to secret bits with an account.

=====================  ==================================================================================
`models`, `bb84`       data sheets of a link; its expected counts, and the same sampled click by click
`pulses`, `light`      the same pulse by pulse, where `eve` may act
`bbm92`                pairs of the stack
`rates`, `finite`      asymptotic rates (never a key); finite-key bounds
`terms`                what both ends agree on before a block
`alice`, `bob`         the two ends, state machines over bytes; `session` runs both in one process
`channel`, `framing`   encodes, counts what is disclosed, lengths included; authenticates
`reconcile`            Cascade and LDPC behind one protocol
`amplify`, `hashing`   Toeplitz hashing; the universal hash of verification and authentication
`authentication`       the pool of authentication key; `signatures` for when it is dry
`ledger`, `secret`     the account of a block, and its bits
`eve`                  eavesdroppers
=====================  ==================================================================================

A key in six lines::

    setup = Setup()
    pulses = bb84.pulses_for(setup, 1_000_000)
    mean = bb84.expected(setup, pulses)
    terms = announce(mean, Terms(proof="two-decoys", source=setup.source, leak_limit=0.3))
    outcome = run_block(bb84.sample(setup, pulses, seed=7), terms, Secret(os.urandom(48)))
    outcome.alice.key.take(256), outcome.alice.ledger
"""
