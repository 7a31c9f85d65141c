"""Eavesdroppers: attacks as objects, each of which tells the test what it learned."""
