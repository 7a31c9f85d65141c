"""A stack without a transport layer: its application takes pairs from the network layer itself.

The yardstick for what sessions cost; see `benchmarks.sessions`.
"""

from __future__ import annotations

from qstack import Offer, Options, hookimpl
from qstack.application.layer import Application
from qstack.core.layer import Context, Layer, Outputs, on
from qstack.plugin.sites import FlowEnd, Site
from qstack.services.device import Free
from qstack.services.l3_network import Connect, Connected, Disconnected, Lost, Pair
from qstack.services.l5_application import Consumed, Finished, Start

QSTACK_API = (1, 0)


class Nothing(Layer):
    """No transport layer."""

    name = "transport"


class BarePairs(Application):
    """Does with pairs of the network layer what the application `pairs` does with those of a session."""

    name = "bare-pairs"

    def __init__(self, end: FlowEnd) -> None:
        super().__init__(end.flow, end.peer)
        self.end = end

    @on(Start)
    def start(self, req: Start, ctx: Context) -> Outputs:
        """Ask for a circuit."""
        return (Connect(self.flow, self.peer, self.end.min_fidelity, self.end.number),)

    @on(Connected)
    def connected(self, ind: Connected, ctx: Context) -> Outputs:
        """Nothing to do until pairs come."""
        return ()

    @on(Pair)
    def pair(self, ind: Pair, ctx: Context) -> Outputs:
        """Report the pair and let it go."""
        return Consumed(self.flow, ind.pair, ind.bell, ind.qubit, ind.estimate, ind.asked), Free(ind.qubit)

    @on(Lost)
    def lost(self, ind: Lost, ctx: Context) -> Outputs:
        """A pair that was let go of is gone already."""
        return ()

    @on(Disconnected)
    def disconnected(self, ind: Disconnected, ctx: Context) -> Outputs:
        """The circuit is gone."""
        return (Finished(self.flow, ind.reason),)


def _nothing(options: Options, site: Site) -> Layer:
    return Nothing()


def _bare(options: Options, end: FlowEnd) -> Application:
    return BarePairs(end)


@hookimpl
def qstack_layers() -> list[Offer]:
    """Offer the absence of a transport layer."""
    return [Offer("none", _nothing, summary="no transport layer", level="transport")]


@hookimpl
def qstack_applications() -> list[Offer]:
    """Offer an application for it."""
    return [Offer("bare-pairs", _bare, summary="pairs straight from the network layer")]
