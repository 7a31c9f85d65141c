"""The link medium of the reference: two nodes, a fibre, a heralding station on it."""

from __future__ import annotations

from dataclasses import replace

from qstack.plugin.contracts import Fibre, LinkSheet, Platform


def midpoint(a: Platform, b: Platform, fibre: Fibre) -> LinkSheet:
    """Return what a link with a heralding station can do.

    What stands between the nodes, and so the timing, is for their interfaces to say.

    Raises
    ------
    PhysicsError
        If the two platforms do not fit together, or nothing can ever succeed.
    """
    arms = fibre.arms
    return LinkSheet(
        heralds=a.interface.herald(b.interface, arms),
        period=max(a.interface.period(arms), b.interface.period(arms)),
        emit=a.interface.emit(arms),
        reply=a.interface.reply(arms),
        lanes=min(a.memories, b.memories),
        delay=fibre.delay,
    )


def sender_receiver(a: Platform, b: Platform, fibre: Fibre) -> LinkSheet:
    """Return what a link can do whose station stands at its second end: the first sends, the second receives.

    Raises
    ------
    PhysicsError
        As `midpoint`.
    """
    return midpoint(a, b, replace(fibre, station=1.0))
