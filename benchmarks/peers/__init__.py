"""The same workload in other simulators, each in an interpreter of its own: their versions of numpy are not ours."""
