"""qstack: the reference implementation of the quantum internet's protocol stack."""

__version__ = "0.1.0"
