"""Named benchmarks with their parameters in one table: ``python -m benchmarks --json``."""
