"""Quantum key distribution: post-processing, finite-key accounting, key store."""
