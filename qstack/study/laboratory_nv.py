"""Published experiments with NV centres, and any single-click link, as models; see `qstack.study.laboratory`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import exp, expm1, radians, sqrt
from statistics import mean
from typing import Any

from qstack.quantum import exact, heralding
from qstack.quantum.decoy import fibre_transmission
from qstack.quantum.heralding import Arm, Detectors
from qstack.quantum.memory import attempts
from qstack.quantum.photons import caught_in_window, dark_click
from qstack.quantum.states import Correlators, fidelity
from qstack.quantum.swapping import swap, swap_factors, teleport_fidelity
from qstack.services.bell import Bell
from qstack.study.inputs import Inputs, Values

RATE = "rate_hz"
FIDELITY = "fidelity"
DELFT = "nv_delft_2019"
"""Published values of an NV centre that stand for what a later set-up does not say."""


def _dark(i: Inputs) -> float:
    """Return the dark clicks of a station per detector and window."""
    if i.has("p_dark"):
        return float(i("p_dark"))
    return dark_click(i("dark_rate"), i("time_window"))


def _click(i: Inputs, alpha: float, etas: tuple[float, float]) -> tuple[float, Correlators]:
    """Return success probability and state of one attempt with one click."""
    double = i.borrowed("p_double_excitation", DELFT, "p_double_excitation")
    phase = i.borrowed("phase_std", DELFT, "phase_std")
    known = i.has("electron_init_fidelity")
    init = i("electron_init_fidelity") if known else 1 - 3 / 4 * i("electron_init_depolarising_p")
    a, b = (Arm(eta, init, double) for eta in etas)
    found = heralding.single_click((alpha, alpha), (a, b), i("visibility"), Detectors(_dark(i)), radians(phase))
    return heralding.success_probability(found), heralding.mean_correlators(found)


def _detection(i: Inputs) -> float:
    return float(i("p_detect", "total_detection_efficiency", "p_detect_excluding_attenuation"))


def listed(value: Any) -> Sequence[float]:
    """Return one value or several as a list."""
    return value if isinstance(value, list) else [value]


def humphreys(i: Inputs) -> Values:
    """Two NV centres: links at each bright-state population, and one pair per clock period.

    Deterministic delivery: attempts begin with the clock, the first pair waits for its end, at the population that makes
    the mean best; without a pair the two spins are fully mixed.
    """
    eta, period = _detection(i), i("attempt_period")
    out: Values = []
    for alpha in listed(i("alpha")):
        p, state = _click(i, alpha, (eta, eta))
        out += [(RATE, {"alpha": alpha}, p / period), (FIDELITY, {"alpha": alpha}, fidelity(state))]
    if i.has("delivery_clock_period"):
        clock, coherence = i("delivery_clock_period"), i("electron_T2_remote_pair")
        best = max(delivered(*_click(i, k / 100, (eta, eta)), period, clock, coherence) for k in range(2, 50, 2))
        out.append((FIDELITY, {"delivery": "deterministic", "clock_s": clock}, best))
    return out


def delivered(p: float, state: Correlators, period: float, clock: float, coherence: float) -> float:
    """Return the mean fidelity at the end of a clock period when the first pair waits for it."""
    rate = p / period
    failed = exp(-rate * clock)
    x, y, z = state
    gap = rate - 1 / coherence  # mean of exp(-(clock - t)/T) over the time t of the first pair
    kept = rate * (exp(-clock / coherence) - failed) / gap if gap else rate * clock * failed
    return (1 - failed) * (1 + z) / 4 + kept * (x + y) / 4 + failed / 4


def _readout(i: Inputs) -> tuple[float, float, float]:
    """Return the mean readout error, and the chance that a reported 0, and a reported 1, is wrong."""
    zero, one = i("readout_error_0"), i("readout_error_1")
    return (zero + one) / 2, one / (1 - zero + one), zero / (1 - one + zero)


def _repeater(i: Inputs, alpha: float) -> tuple[float, Correlators, Callable[[float], Correlators]]:
    """Return rate and state of a link, and the end-to-end state after a swap whose bits are wrong with probability m.

    The first pair is mapped onto a carbon spin (two gates) and waits while the second is tried, up to a quarter of the
    attempts that its coherence lasts; the second comes equally likely at each of them.
    """
    eta = _detection(i)
    p, link = _click(i, alpha, (eta, eta))
    period = i.borrowed("attempt_period", DELFT, "attempt_period")
    lasting = i("memory_attempts_1e")
    most = round(lasting / 4)
    waited = mean(attempts(n, -expm1(-1 / lasting) / 2).xy for n in range(most))
    gate = i("ec_gate_depolarising_p")
    mapping = (1 - gate) ** 2 * (1 - i("carbon_init_depolarising_p"))
    stored: Correlators = (link[0] * waited * mapping, link[1] * waited * mapping, link[2] * mapping)
    q = 1 - (1 - gate) ** 2
    return p / period, link, lambda m: swap(stored, link, swap_factors(q, m))


def pompili_three(i: Inputs) -> Values:
    """Three NV centres: links and a swap at the middle one; the best outcome has both bits read as 0."""
    alpha = i.given_or("alpha", 0.07, 0.02, "not in the set-up; populations of this order were usual")
    rate, link, joined = _repeater(i, alpha)
    average, good, _ = _readout(i)
    return [
        (RATE, {"link": "each"}, rate),
        (FIDELITY, {"link": "each"}, fidelity(link)),
        (FIDELITY, {"pair": "end-to-end", "outcome": "best"}, fidelity(joined(good))),
        (FIDELITY, {"pair": "end-to-end", "outcome": "average"}, fidelity(joined(average))),
    ]


def hermans(i: Inputs) -> Values:
    """Teleportation over a swapped pair; both Bell measurements are used where their bits are surest."""
    alpha = i.given_or("alpha", 0.06, 0.02, "not in the set-up; populations of this order were usual")
    _, _, joined = _repeater(i, alpha)
    _, good, _ = _readout(i)
    q = 1 - (1 - i("ec_gate_depolarising_p")) ** 2
    pair = joined(good)
    return [
        (FIDELITY, {"state": "teleported, average"}, teleport_fidelity(pair, swap_factors(q, good))),
        (FIDELITY, {"pair": "end-to-end"}, fidelity(pair)),
    ]


def pompili_stack(i: Inputs) -> Values:
    """A link layer that picks the largest population which promises what was asked for; and what it then delivers.

    It picks by the values as they are published; what is delivered follows from what they may truly be.
    """
    low, high = i.chosen("requested_fidelity_range")
    populations = [k / 500 for k in range(2, 300)]
    believed = i.unmoved()
    eta = _detection(believed)
    promised = [fidelity(_click(believed, alpha, (eta, eta))[1]) for alpha in populations]
    best = promised.index(max(promised))
    out: Values = []
    for k in range(7):
        asked = low + (high - low) * k / 6
        enough = [n for n, f in enumerate(promised) if f >= asked and n >= best]
        alpha = populations[enough[-1] if enough else best]
        true = _detection(i)
        out.append((FIDELITY, {"requested": round(asked, 6)}, fidelity(_click(i, alpha, (true, true))[1])))
    return out


def kalb(i: Inputs) -> Values:
    """Two single-click pairs of the given fidelity, the first in carbon, distilled by keeping both bits 1 (EPL).

    A raw pair has the coherence that visibility and phase allow; what lacks to its fidelity are bright pairs.  The
    second comes equally likely at each attempt until the carbon's coherence has fallen to 1/e.
    """
    raw = i("raw_pair_fidelity")
    phase = i.borrowed("phase_std", DELFT, "phase_std")
    coherence = sqrt(i("visibility")) * heralding.phase_factor(radians(phase))
    alpha = max(0.0, 1 - 2 * raw / (1 + coherence))
    i("memory_attempts_1e")
    gate = 1 - (1 - i("ec_gate_depolarising_p")) ** 2
    average, _, _ = _readout(i)
    fresh = exact.single_click_state(alpha, coherence)
    stored = exact.single_click_state(alpha, coherence * -expm1(-1.0))
    pair = exact.epl(stored, fresh, gate, average)
    return [(FIDELITY, {"rounds": 1}, fidelity(exact.to_correlators(pair, Bell.PSI_PLUS)))]


def stolk(i: Inputs) -> Values:
    """Two NV centres with converters, over installed fibre of unequal arms."""
    losses, converted = listed(i("loss")), listed(i("conversion_efficiency"))
    caught = caught_in_window(i("tau_emission"), i("time_window"))
    emitted = i("p_zero_phonon") * i("collection_efficiency") * i("detector_efficiency") * caught
    etas = tuple(emitted * c * 10 ** (-loss / 10) for c, loss in zip(converted, losses, strict=True))
    p, state = _click(i, i("alpha"), (etas[0], etas[1]))
    rate = p / i("attempt_period")
    return [
        ("success_probability", {}, p),
        (FIDELITY, {}, fidelity(state)),
        (RATE, {"delivery": "heralded"}, rate),
        (RATE, {"delivery": "post-selected"}, "which events were post-selected is not in the set-up"),
    ]


def single_click(i: Inputs) -> Values:
    """Any single-click link that gives populations, a detection probability and an attempt period."""
    eta, period = _detection(i), i("attempt_period")
    out: Values = []
    for alpha in listed(i("alpha")):
        p, state = _click(i, alpha, (eta, eta))
        out += [
            ("success_probability", {"alpha": alpha}, p),
            (RATE, {"alpha": alpha}, p / period),
            (FIDELITY, {"alpha": alpha}, fidelity(state)),
        ]
    return out


def success_row(row: Mapping[str, Any], parameters: Mapping[str, Any]) -> float:
    """Return the success probability of one configuration of a list made for single-click links.

    The list was made with the supplement of Humphreys et al., Nature 558, 268 (2018), which also counts attempts in which
    both detectors click: a share of order alpha eta, below 1e-3 of the successes here.
    """
    cavity = "cavity" if row["cavity"] else "no_cavity"
    wave = "converted" if row["conversion"] else "unconverted"
    emitted = parameters["p_zero_phonon"][cavity] * parameters["collection_efficiency"]
    emitted *= parameters["detector_efficiency"] * (parameters["conversion_efficiency"] if row["conversion"] else 1)
    emitted *= caught_in_window(parameters["tau_emission_s"][cavity], parameters["time_window_s"])
    attenuation, alpha = parameters["attenuation_dB_per_km"][wave], parameters["alpha"]
    a, b = (Arm(emitted * fibre_transmission(length, attenuation)) for length in row["length_km"])
    station = Detectors(parameters["p_dark_per_detector"])
    return heralding.success_probability(heralding.single_click((alpha, alpha), (a, b), 1.0, station))
