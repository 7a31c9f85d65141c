"""Verdicts as text for people."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from qstack.conformance.judge import Verdict, Word

WIDTH = 120
LINES = 30
"""Lines of a dialogue that a report shows; the older ones are left out."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One subject and what became of it."""

    name: str
    profile: str
    verdicts: tuple[Verdict, ...]
    version: str = "unknown"
    features: tuple[str, ...] | None = None
    seed: int = 0

    @property
    def reproduce(self) -> str:
        """Return the command that judges it again."""
        program = (" " in self.name or "/" in self.name) and not self.name.startswith("--connect ")
        how = f"--exec '{self.name}'" if program else self.name
        claims = "" if self.features is None else f" --features '{','.join(self.features)}'"
        return f"qstack conform {how} --profile {self.profile}{claims}{f' --seed {self.seed}' if self.seed else ''}"


def text(name: str, profile: str, verdicts: Sequence[Verdict], *, whole: bool = False) -> Iterator[str]:
    """Return the lines of a report: one for each verdict, and after a failure what a vendor needs to mend it.

    Parameters
    ----------
    name, profile
        Who was judged as what.
    verdicts
        What came of it.
    whole
        Show passes too, and dialogues at their full length.
    """
    yield f"{name} as {profile}"
    for verdict in verdicts:
        if verdict.verdict == "pass" and not whole:
            continue
        head = f"{verdict.id} ({verdict.level})"
        yield f"{head:<21} {verdict.verdict:<12} {verdict.test}"
        if verdict.verdict == "unsupported":
            yield f"{'':22}{verdict.detail.replace('-', ' ')} are not claimed"
        elif verdict.verdict in {"not run", "informational"}:
            yield f"{'':22}{verdict.detail}"
        elif verdict.verdict == "fail":
            lines = verdict.detail.splitlines()
            hidden = 0 if whole else max(0, len(lines) - LINES)
            if hidden:
                yield f"      ... {hidden} lines before; --whole shows them"
            for line in lines[hidden:]:
                yield f"   {line if whole or len(line) < WIDTH else line[: WIDTH - 4] + ' ...'}"
            yield textwrap.fill(verdict.text, WIDTH)
            yield f"{verdict.place}\n"
    yield f"{name}: {summary(verdicts)}"


OTHERS: Sequence[Word] = ("informational", "unsupported", "not run")
"""Verdicts that are neither pass nor fail, as a summary has them."""


def summary(verdicts: Sequence[Verdict]) -> str:
    """Return how many passed and failed, in words; others only where there are some."""
    count = Counter(v.verdict for v in verdicts)
    others = [f"{count[word]} {word}" for word in OTHERS if count[word]]
    return ", ".join([f"{count['pass']} passed", f"{count['fail']} failed", *others])


def end(verdicts: Sequence[Verdict], subjects: int) -> Iterator[str]:
    """Return the last lines of a judgement; of several subjects the very last has passes and failures only."""
    whole = summary(verdicts)
    if subjects == 1:
        yield whole
        return
    passed, failed, *others = whole.split(", ")
    yield ""
    yield ", ".join([f"{subjects} subjects", *others])
    yield f"{passed}, {failed}"
