"""Reconciliation: two strings that nearly agree become one."""
