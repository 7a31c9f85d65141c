"""The nearest right spelling, for messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, words: Iterable[str]) -> str:
    """Return ``"  Did you mean 'x'?"`` for the nearest of some words, or nothing if none is near."""
    lowered = {w.lower(): w for w in words}
    close = difflib.get_close_matches(word.lower(), list(lowered), n=1, cutoff=0.6)
    return f"  Did you mean '{lowered[close[0]]}'?" if close else ""
