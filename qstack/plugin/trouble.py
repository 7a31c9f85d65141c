"""Who is to blame: one sentence about an exception that came out of a plugin."""

from __future__ import annotations

import traceback
from pathlib import Path

from qstack.core.errors import QstackError


def told(error: BaseException) -> str:
    """Return an exception as a user should read it: its kind, what it says, and in which file and line it arose.

    Errors that qstack raises on purpose speak for themselves and are returned as they are.
    """
    if isinstance(error, QstackError):
        return str(error)
    text = str(error).strip().splitlines()
    what = f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
    if isinstance(error, SyntaxError):  # says itself where it is
        return what
    frames = traceback.extract_tb(error.__traceback__)
    return f"{what} ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else what
