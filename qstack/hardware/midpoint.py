"""The link medium of the reference: two nodes, a fibre, a heralding station on it."""

from __future__ import annotations

from qstack.plugin.contracts import Fibre, LinkSheet, Platform


def midpoint(a: Platform, b: Platform, fibre: Fibre) -> LinkSheet:
    """Return what a link with a heralding station can do.

    Emissions are staggered so that both photons arrive together; the nearer node emits later and hears earlier.

    Raises
    ------
    PhysicsError
        If the two platforms do not fit together, or nothing can ever succeed.
    """
    arms = fibre.arms
    slowest = max(arms[0].delay, arms[1].delay)
    return LinkSheet(
        heralds=a.interface.herald(b.interface, arms),
        period=max(a.interface.period(arms), b.interface.period(arms)),
        emit=(slowest - arms[0].delay, slowest - arms[1].delay),
        reply=a.interface.reply(arms),
        lanes=min(a.memories, b.memories),
        delay=fibre.delay,
    )
