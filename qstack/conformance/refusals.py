"""What a subject has to refuse: the one question that suites of layers ask alike."""

from __future__ import annotations

from qstack.conformance.transcript import Transcript
from qstack.core.errors import LocalProtocolError, ProtocolError, RemoteProtocolError
from qstack.core.nouns import Noun


def refuses(t: Transcript, noun: Noun, error: type[ProtocolError] = RemoteProtocolError) -> None:
    """Expect that a noun is the error of its sender.

    Raises
    ------
    TranscriptError
        If it is taken.
    """
    try:
        t >> noun
    except error:
        return
    raise t.mismatch(f"- a {error.__name__}", t.open)


def misuse(t: Transcript, noun: Noun) -> None:
    """Expect that a noun is the error of the local user.

    Raises
    ------
    TranscriptError
        If it is taken.
    """
    refuses(t, noun, LocalProtocolError)
