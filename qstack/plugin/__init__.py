"""Hook specifications, base contracts and the manager that names culprits."""
