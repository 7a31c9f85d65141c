"""The lives of a node: its process goes on when its device has ended it.

    LIVING --device gone, hangs, speaks nonsense/ended--> WAITING --again/a new NodeHost--> LIVING

A life that ends takes everything with it that was agreed, as the end of the process would: neighbours see its connections
end, and the next life has a later start number.  Only flows that were complete stay complete.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from qstack.core.errors import HostError
from qstack.hosts.sockets import NodeHost


async def live(make: Callable[[list[int] | None], NodeHost], again: float | None) -> None:
    """Run a node until cancelled, one life after the other.

    Parameters
    ----------
    make
        Makes a host from the numbers of the flows that are not complete; None for all.
    again
        Time between the end of one life and the next [s]; None for one life only.

    Raises
    ------
    HostError
        What has ended the only life, or the first if it never came to listen: then it is the user who has to do something.
    """
    flows: list[int] | None = None
    served = False
    told = ""
    while True:
        host = make(flows)
        try:
            await host.run()
        except HostError as error:
            served |= host.listening
            if again is None or not served:
                raise
            if host.listening or str(error) != told:
                told = str(error)
                host.report("ended", why=told)
        flows = host.open
        await asyncio.sleep(again or 0.0)
