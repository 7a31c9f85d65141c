"""Links that come and go, as a plan sees them: when they are up, and how much of what a run asks for they can still give."""

from __future__ import annotations

from collections.abc import Iterable

from qstack.plugin.contracts import LinkSheet


def times(sheet: LinkSheet, most: int = 4) -> str:
    """Return in words when pairs can come; empty for a link that never changes."""
    windows = sheet.windows
    if not sheet.phases:
        return ""
    if not windows:
        return "never up"
    shown = ", ".join(f"{start * 1e-12:.4g} to {end * 1e-12:.4g} s" for start, end in windows[:most])
    return f"up {shown}" + (f" and {len(windows) - most} times more" if len(windows) > most else "")


def rest(sheet: LinkSheet, start: int, end: int) -> float:
    """Return the share of the pairs of a run that a link gives from a time of it on: 0 if it is not up any more.

    Parameters
    ----------
    sheet
        Of the link.
    start, end
        Of what is asked for, and of the run [ps].
    """
    whole, part = (
        {row.parameter: (end - begin) / row.seconds_per_pair for row in sheet.rows_between(begin, end)}
        for begin in (0, start)
    )
    return max((part.get(parameter, 0.0) / pairs for parameter, pairs in whole.items()), default=0.0)


def dark(links: Iterable[tuple[str, LinkSheet]], start: int, end: int) -> str:
    """Return in words which links are not up at any time from one to another; empty if all are."""
    down = [(name, sheet) for name, sheet in links if sheet.phases and not sheet.rows_between(start, end)]
    if not down:
        return ""
    words = "; ".join(f"{name} is {times(sheet) or 'up always'}" for name, sheet in down)
    return f"no pair can come from {start * 1e-12:.4g} to {end * 1e-12:.4g} s: {words}."
