"""What a link is made of and what it can do: arms, fibres, heralds, and the sheet that a medium makes of them."""

from __future__ import annotations

from dataclasses import dataclass

from qstack.services.strategies import Row

Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Arm:
    """Fibre between a node and a heralding station: transmission [1] and delay [ps]."""

    transmission: float
    delay: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """One announced Bell state of a heralding station: its share of the successes and the state it announces.

    Parameters
    ----------
    share
        Of the successes.
    bell
        Announced Bell index.
    correlators
        (x, y, z) = (<XX>, -<YY>, <ZZ>) in the frame of the announced Bell index.
    state
        The whole state where the correlators are only its twirl: T[i][j] = <s_i x s_j> with s = (I, X, Y, Z), i at the
        first end, in no frame.  Without it the state is Bell-diagonal.
    """

    share: float
    bell: int
    correlators: Triple
    state: tuple[tuple[float, ...], ...] | None = None

    @property
    def fidelity(self) -> float:
        """Overlap with the announced Bell state."""
        return (1 + sum(self.correlators)) / 4

    def spoiled(self, first: Triple, second: Triple) -> Outcome:
        """Return what is left after channels that multiply <X>, <Y> and <Z> of either half by these factors."""
        a, b = (1.0, *first), (1.0, *second)
        x, y, z = (value * p * q for value, p, q in zip(self.correlators, first, second, strict=True))
        state = self.state
        if state is not None:
            state = tuple(
                tuple(t * p * q for t, q in zip(row, b, strict=True)) for row, p in zip(state, a, strict=True)
            )
        return Outcome(self.share, self.bell, (x, y, z), state)


@dataclass(frozen=True, slots=True)
class Herald:
    """What one setting of the hardware gives.

    Parameters
    ----------
    parameter
        The setting, such as a bright-state population [1].
    probability
        Success probability per attempt.
    outcomes
        What a success announces; the shares sum to one.
    """

    parameter: float
    probability: float
    outcomes: tuple[Outcome, ...]

    @property
    def fidelity(self) -> float:
        """Mean overlap with the announced Bell state at emission."""
        return sum(outcome.share * outcome.fidelity for outcome in self.outcomes)


@dataclass(frozen=True, slots=True)
class Fibre:
    """A fibre between two nodes: length [km], loss of the whole fibre [dB], speed of light in it [km/s], station.

    ``station`` is the place of the heralding station as a fraction of the way from the first end; ``arm_losses`` [dB] are
    given where the loss is not in proportion to the way.
    """

    length: float
    loss: float
    speed: float
    station: float = 0.5
    arm_losses: tuple[float, float] | None = None

    @property
    def delay(self) -> int:
        """Time of flight from end to end [ps]."""
        return round(self.length / self.speed * 1e12)

    @property
    def arms(self) -> tuple[Arm, Arm]:
        """The fibre from either end to the station."""
        shares = (self.station, 1 - self.station)
        first = round(self.length * shares[0] / self.speed * 1e12)
        delays = (first, self.delay - first)
        losses = self.arm_losses or (self.loss * shares[0], self.loss * shares[1])
        a, b = (Arm(10 ** (-loss / 10), delay) for loss, delay in zip(losses, delays, strict=True))
        return a, b


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of time in which a link does not change: its end [ps] and one herald per setting, none in the dark."""

    until: int
    heralds: tuple[Herald, ...] = ()


@dataclass(frozen=True, slots=True)
class LinkSheet:
    """Everything that follows from two platforms and a fibre.

    Parameters
    ----------
    heralds
        One per setting.
    period
        Time between attempts of a lane [ps].
    emit, reply
        When, after the beginning of a cycle, each end's photon leaves and its answer arrives [ps].
    lanes
        Memories paired across the link.
    delay
        Time of a classical message [ps].
    phases
        Of a link that comes and goes: what it can do from one time to the next, from 0 on; after the last nothing.
        Then `heralds` says what to expect while it can do anything: the mean probability, and the worst state.
    """

    heralds: tuple[Herald, ...]
    period: int
    emit: tuple[int, int]
    reply: tuple[int, int]
    lanes: int
    delay: int
    phases: tuple[Phase, ...] = ()

    @property
    def windows(self) -> tuple[tuple[int, int], ...]:
        """From when to when pairs can come [ps]; nothing for a link that never changes."""
        found: list[tuple[int, int]] = []
        begin = 0
        for phase in self.phases:
            if any(herald.probability > 0 for herald in phase.heralds):
                if found and found[-1][1] == begin:
                    begin = found.pop()[0]
                found.append((begin, phase.until))
            begin = phase.until
        return tuple(found)

    @property
    def kept_cycle(self) -> int:
        """Time between attempts of a lane whose qubits are kept [ps]: the answer of one comes before the next."""
        return self.period * max(1, -(-max(self.reply) // self.period))

    @property
    def rows(self) -> tuple[Row, ...]:
        """The fidelity estimation unit's table: parameter, seconds per kept pair and lane, fidelity."""
        seconds = self.kept_cycle * 1e-12
        return tuple(Row(h.parameter, seconds / h.probability, h.fidelity) for h in self.heralds if h.probability > 0)

    def rows_between(self, start: int, end: int) -> tuple[Row, ...]:
        """Return the table with the mean pace over a span of time [ps], whether the link is up or not.

        A row with which no pair comes in that span is left out.
        """
        if not self.phases:
            return self.rows
        sums = [0.0] * len(self.heralds)
        begin = 0
        for phase in self.phases:
            within = max(0, min(phase.until, end) - max(begin, start))
            for row, herald in enumerate(phase.heralds):
                sums[row] += within * herald.probability
            begin = phase.until
        span = (end - start) * self.kept_cycle * 1e-12
        return tuple(Row(h.parameter, span / s, h.fidelity) for h, s in zip(self.heralds, sums, strict=True) if s > 0)
