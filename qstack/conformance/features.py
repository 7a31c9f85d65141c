"""Features: what a subject need not have, how it says that it has it, and how a liar is found out.

A test of an extended feature is marked with its name (`qstack.conformance.marks.extended`); everything else is core.  A
subject claims features by `features` of its offer or object, by ``--features``, or on the pipe; whoever says nothing is
judged by what it does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from qstack.conformance.judge import Verdict, tests_of
from qstack.conformance.marks import Claims, Disbelieved, claimed
from qstack.conformance.specification import Specification
from qstack.core.errors import ConfigError
from qstack.plugin.spelling import nearest

NONSENSE = "time-travel"
"""A feature that nobody has; asked for before anything else."""
HONEST = "QS-CF-340"
"""What a subject breaks that claims it."""


def features(suite: type) -> dict[str, list[str]]:
    """Return the extended features of a suite, each with the tests that are about it."""
    found: dict[str, list[str]] = {}
    for test in tests_of(suite):
        name = getattr(getattr(suite, test), "feature", None)
        if name is not None:
            found.setdefault(name, []).append(test)
    return dict(sorted(found.items()))


def named(words: str, suite: type, profile: str) -> tuple[str, ...]:
    """Return the features that a user claims for a subject, written ``a,b``; nothing between the commas is none.

    Raises
    ------
    ConfigError
        If the profile has no such feature.
    """
    known = features(suite)
    names = tuple(word.strip() for word in words.split(",") if word.strip())
    for name in names:
        if name not in known:
            allowed = f"allowed: {', '.join(known)}" if known else "it has none"
            raise ConfigError(f"--features {name}  is no feature of {profile}; {allowed}.{nearest(name, known)}")
    return names


def believed(
    suite: type, claims: Claims, known: Collection[str], specification: Specification
) -> tuple[type, list[Verdict]]:
    """Return the suite for a subject with these claims, and a verdict on the claims themselves where there are any.

    Parameters
    ----------
    suite
        Class of tests.
    claims
        What the subject says it has.
    known
        All features of all profiles.
    specification
        Where the texts stand.
    """
    if claims is None:
        return suite, []
    lie = _lie(claims, known)
    chapter, one = specification.find(HONEST)
    place = f'specs/{chapter.name}/{chapter.page.name}, section "{chapter.section(HONEST)}"'
    verdict = Verdict(HONEST, one.level, one.text, place, "fail" if lie else "pass", "asked for nonsense", lie)
    return told(suite, _disbelieved if lie else claims), [verdict]


def told(suite: type, claims: Claims) -> type:
    """Return the suite for a subject with these claims, whatever they are worth."""
    kept: Any = staticmethod(claims) if callable(claims) else claims
    return type(suite.__name__, (suite,), {"features": kept})


def _disbelieved(feature: str) -> bool:
    raise Disbelieved(f"{feature}: the subject claims what nobody has, so none of its claims is believed")


def _lie(claims: Claims, known: Collection[str]) -> str:
    """Return what is wrong with the claims of a subject, or nothing."""
    try:
        if claimed(claims, NONSENSE):
            return f" - no claim, but it says that it has '{NONSENSE}', which nobody has"
        strange: list[object] = [name for name in claims if name not in known] if isinstance(claims, Iterable) else []
    except Exception as error:  # noqa: BLE001 - the subject may raise anything, and the run goes on
        return f" - no answer to whether it has '{NONSENSE}', but {type(error).__name__}: {error}"
    if strange:
        return f" - no claim, but it says that it has {strange[0]!r}, which no profile knows.{nearest(str(strange[0]), known)}"
    return ""


def listed(suite: type, claims: Claims) -> tuple[str, ...] | None:
    """Return which of a suite's features a subject claims; None where it says nothing, or nothing that is believed."""
    if claims is None:
        return None
    try:
        return tuple(name for name in features(suite) if claimed(claims, name))
    except Exception:  # noqa: BLE001 - as above; the verdict says so
        return None
