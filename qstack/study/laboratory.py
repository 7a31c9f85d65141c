"""Published experiments as models: what each is taken to be, in the formulas that runs use.

Every number comes from `qstack.study.inputs`: set-up, published value, or an assumption that says why.  Nothing here was
fitted to an outcome, and no outcome stands here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import exp, sqrt
from statistics import mean

from qstack.quantum import heralding, sources
from qstack.quantum.bounds import bbm92_fraction, chsh_max
from qstack.quantum.decoy import fibre_transmission, gllp_rate
from qstack.quantum.freespace import (
    air_transmission,
    aperture_share,
    elevation,
    pass_half,
    pointing_transmission,
    slant_range,
)
from qstack.quantum.heralding import Arm, Detectors
from qstack.quantum.states import Correlators, bell_from_correlators, fidelity, werner
from qstack.quantum.waiting import mean_max_geometric
from qstack.study.inputs import Inputs, Values
from qstack.study.laboratory_nv import (
    FIDELITY,
    RATE,
    hermans,
    humphreys,
    kalb,
    listed,
    pompili_stack,
    pompili_three,
    single_click,
    stolk,
)

MICIUS = "satellite_micius"
OTHERS = "other_devices"
OVERLAP = (OTHERS, "ensemble.indistinguishability")
"""Overlap of photons of two ensembles, of another set-up."""
PAIRS = ("spdc", "pulsed_sagnac.pairs_per_pulse")
"""Mean pairs of a dim source, of another set-up; by how much another may be brighter is a choice and no uncertainty."""
LIGHT_IN_FIBRE = 2e5
"""[km/s]"""

# -- ions, atoms, ensembles: two clicks, and one ------------------------------------------------------------------------


def _two_clicks(i: Inputs, emitter: float, eta: float, overlap: float | None = None) -> Correlators:
    visibility = i.given_or("visibility", 0.95, 0.04, "good overlap is usual") if overlap is None else overlap
    dark = i("p_dark") if i.has("p_dark") else 0.0
    arm = Arm(eta, emitter)
    return heralding.mean_correlators(heralding.double_click((arm, arm), visibility, Detectors(dark)))


def stephenson(i: Inputs) -> Values:
    """Two strontium ions: attempts times success, and two ion-photon pairs."""
    why = "free-space ion and photon; not in the set-up; another Sr+ ion, at 1092 nm, has 0.949 (arXiv:2506.11257)"
    emitter = i.given_or("ion_photon_fidelity", 0.98, 0.03, why)
    p = i("p_attempt")
    return [(RATE, {}, p * i("attempt_rate")), (FIDELITY, {}, fidelity(_two_clicks(i, emitter, sqrt(2 * p))))]


def krutyanskiy_link(i: Inputs) -> Values:
    """Two calcium ions in cavities; the detectors see a photon with the root of twice the success probability."""
    state = _two_clicks(i, i("ion_photon_fidelity"), sqrt(2 * i("p_attempt")))
    return [(FIDELITY, {}, fidelity(state))]


def krutyanskiy_repeater(i: Inputs) -> Values:
    """One node with two ions: each photon is tried until it is detected, then the ions are swapped.

    A cycle is a flight to the end of the spool, the answer, initialisation and a gate.  The coherence of the ion that
    waits falls as a Gaussian with the memory time; the wait is the difference of two geometric numbers of cycles.
    """
    lengths = i.chosen("fibre_length")
    p = mean(i("p_link0") * fibre_transmission(length, i("attenuation_telecom")) for length in lengths)
    cycle = 2 * max(lengths) / i("light_speed_fibre") + i("init_time") + i("gate_1q_time")
    rate = 1 / (mean_max_geometric(2, p) * cycle)
    memory = i("memory_time", "T2_repeater_protocol")
    kept = (
        p
        / (2 - p)
        * (1 + 2 * sum((1 - p) ** n * exp(-((n * cycle / memory) ** 2)) for n in range(1, int(6 * memory / cycle))))
    )
    w = (4 * i("ion_photon_fidelity") - 1) / 3
    measured = (4 * i("bsm_fidelity", "swap_bsm_fidelity") - 1) / 3
    state: Correlators = (w * w * measured * kept, w * w * measured * kept, w * w * measured)
    return [(FIDELITY, {"pair": "end-to-end"}, fidelity(state)), (RATE, {"pair": "end-to-end"}, rate)]


def van_leent(i: Inputs) -> Values:
    """Two rubidium atoms: one published success probability, carried to other fibres, and dephasing of both atoms.

    An atom waits for its photon's flight and for the answer.  The longest fibre is the one the probability belongs to.
    """
    totals = i.chosen("fibre_total")
    longest = max(totals)
    emitter = i.given_or("atom_photon_fidelity", 0.94, 0.02, "atom and photon before conversion; not in the set-up")
    anchor, attenuation, coherence = i("p_attempt_33km"), i("attenuation"), i("T2")
    preparation = 1 / i("attempt_rate_33km") - longest / 2 / LIGHT_IN_FIBRE
    out: Values = []
    for total in totals:
        p = anchor / fibre_transmission(longest - total, attenuation)
        x, y, z = _two_clicks(i, emitter, sqrt(2 * p))
        waited = exp(-2 * (total / LIGHT_IN_FIBRE) / coherence)
        out.append((FIDELITY, {"fibre_km": total}, fidelity((x * waited, y * waited, z))))
        if total in (min(totals), longest):
            out.append((RATE, {"fibre_km": total}, p / (preparation + total / 2 / LIGHT_IN_FIBRE)))
    return out


def liu(i: Inputs) -> Values:
    """Two links of ensembles: the shorter has the larger success probability and attempts more often.

    The state is that of one excitation in two memories, at an assumed excitation and the overlap of other ensembles.
    """
    chi = i.given_or("excitation", 0.03, 0.015, "not in the set-up; write pulses of this order are usual")
    visibility = i.borrowed("visibility", *OVERLAP)
    phase = i.given_or("phase_std", 0.2, 0.1, "phase locking of this order [rad]")
    chances, rates = sorted(listed(i("p_attempt"))), sorted(listed(i("attempt_rate")))
    lengths = sorted(i.chosen("node_separation"), reverse=True)
    out: Values = []
    for p, rate, length in zip(chances, rates, lengths, strict=True):
        arm = sources.SqueezedArm(chi, min(1.0, p / (2 * chi)))
        state = heralding.mean_correlators(
            sources.absorptive_single_click((arm, arm), visibility, heralding.READY, phase)
        )
        out += [(FIDELITY, {"separation_km": length}, fidelity(state)), (RATE, {"separation_km": length}, p * rate)]
    return out


def yu(i: Inputs) -> Values:
    """Two ensembles and two photons: pairs that are post-selected by their retrieval; a cycle is a flight and its answer."""
    emitter = i.borrowed("atom_photon_fidelity", OTHERS, "ensemble.photon_fidelity")
    half = i.chosen("fibre_length")[0] / 2 / LIGHT_IN_FIBRE
    state = _two_clicks(i, emitter, sqrt(2 * i("p_attempt")), i.borrowed("visibility", *OVERLAP))
    preparation = i.given_or("preparation", 30e-6, 20e-6, "cooling and pumping between attempts [s]")
    return [
        (FIDELITY, {"heralded": "Psi+"}, fidelity(state)),
        (FIDELITY, {"heralded": "Psi-"}, fidelity(state)),
        ("seconds_between_events", {}, (2 * half + preparation) / i("p_attempt")),
    ]


def knaut(i: Inputs) -> Values:
    """Two SiV centres that reflect one photon in turn: each gate onto the spin, and each onto the nucleus, costs once.

    A reflection is taken to be as good as the gate onto the nucleus.
    """
    gate = (4 * i("gate_electron_to_nucleus_fidelity") - 1) / 3
    electron = i.borrowed("spin_photon_fidelity", "siv_harvard_2024", "gate_electron_to_nucleus_fidelity")
    pair = ((4 * electron - 1) / 3) ** 2
    noise = i.given_or("conversion_noise_share", 0.1, 0.05, "share of false clicks behind 17 dB and two converters")
    return [
        (FIDELITY, {"qubits": "electrons", "distance_m": i.chosen("distance_short")[0]}, fidelity(werner_of(pair))),
        (
            FIDELITY,
            {"qubits": "nuclei", "loop_km": i.chosen("loop_length")[0]},
            fidelity(werner_of(pair * gate**2 * (1 - noise))),
        ),
        (
            RATE,
            {"distance_m": i.chosen("distance_short")[0]},
            "photons per pulse and the share of time spent on attempts are not given",
        ),
    ]


def werner_of(w: float) -> Correlators:
    """Return the correlators of a Werner parameter."""
    return (w, w, w)


def lago_rivera(i: Inputs) -> Values:
    """Two praseodymium memories with pair sources, one click; retrieval selects pairs that were stored."""
    mean_pairs = i.borrowed("mean_pairs", *PAIRS, doubt=0.5)
    visibility = i.given_or("visibility", 0.85, 0.07, "photons filtered to the memory's bandwidth")
    phase = i.given_or("phase_std", 0.3, 0.1, "phase locking of this order [rad]")
    eta = i.given_or("detection", 0.05, 0.03, "heralding photon, filters included")
    arm = sources.SqueezedArm(mean_pairs, eta)
    state = heralding.mean_correlators(sources.absorptive_single_click((arm, arm), visibility, heralding.READY, phase))
    return [
        (FIDELITY, {"kind": "effective"}, fidelity(state)),
        (RATE, {"events": "heralds"}, "brightness, filters and duty cycle are not given"),
    ]


# -- pairs and pulses ---------------------------------------------------------------------------------------------------


def berlin(i: Inputs) -> Values:
    """A down-conversion source, one photon at hand and one at the end of a fibre that carries classical light too."""
    source = i.borrowed("pair_fidelity", "spdc", "bulk_ktp.fidelity")
    brightness = i.borrowed("mean_pairs", *PAIRS, doubt=0.5)
    detection = i.given_or("detection", 0.2, 0.1, "collection and detector")
    attenuation = i.borrowed("attenuation", "fibre", "o_band_liu")
    noise = i.given_or("noise_click", 1e-6, 5e-7, "dark clicks and Raman light in a window of 1 ns")
    out: Values = []
    for length in i.chosen("fibre_range"):
        far = detection * fibre_transmission(length, attenuation)
        state = sources.coincidence(
            bell_from_correlators(werner(source)), brightness, (detection, far), (noise, noise)
        ).correlators
        out += [(FIDELITY, {"fibre_km": length}, fidelity(state)), ("chsh", {"fibre_km": length}, chsh_max(state))]
    return [*out, ("downtime", {}, "failures and recalibration of a field trial are outside the models")]


def micius(i: Inputs) -> Values:
    """Pairs from one satellite to two stations: the losses of a pass are taken as equally likely between the two given."""
    low, high = sorted(listed(i("loss_two_links")))
    pairs = i("pair_rate")
    source = i.given_or("pair_fidelity", 0.907, 0.02, "of the source in orbit")
    optics = i.given_or("polarisation_contrast", 0.98, 0.01, "of two telescopes")
    noise = i.given_or("noise_rate", 1000.0, 500.0, "background and dark counts per station [Hz]")
    window = i.given_or("window", 2.5e-9, 5e-10, "of a coincidence [s]")
    losses = [low + (high - low) * (k + 0.5) / 40 for k in range(40)]
    real = mean(pairs * 10 ** (-loss / 10) for loss in losses)
    single = mean(pairs * 10 ** (-loss / 20) for loss in losses) + noise
    accidental = single**2 * window
    share = real / (real + accidental)
    x, y, z = werner_of((4 * source - 1) / 3 * optics * share)
    error = (1 - z) / 2
    detected = real + accidental
    baseline = {"baseline_km": i.chosen("baseline")}
    return [
        ("chsh", baseline, chsh_max((x, y, z))),
        (FIDELITY, baseline, fidelity((x, y, z))),
        (RATE, {**baseline, "pairs": "detected"}, detected),
        ("qber", baseline, error),
        ("key_rate_bit_s", {**baseline, "key": "asymptotic"}, max(0.0, detected / 2 * bbm92_fraction(error, error))),
    ]


def backbone(i: Inputs) -> Values:
    """A satellite that sends decoy pulses down during a pass over 60 degrees, averaged over the time above 10 degrees."""
    altitude = i.borrowed("altitude", MICIUS, "orbit_altitude", same_device=True)
    half = i.borrowed("half_divergence", MICIUS, "divergence_full", factor=1e-6 / 2, same_device=True)
    aperture = i.borrowed("aperture", MICIUS, "ground_aperture", same_device=True)
    fixed = i.given_or("optics", 0.1, 0.03, "telescope, filters, coupling and detectors")
    zenith = i.given_or("zenith_loss", 3.0, 1.0, "clear night air [dB]")
    jitter = i.given_or("jitter", 1.2e-6, 4e-7, "pointing [rad]")
    clock = i.borrowed("pulse_rate", OTHERS, "micius.pulse_rate", same_device=True)
    dark = i.given_or("dark", 1e-6, 5e-7, "clicks per pulse without a photon")
    error = i.given_or("optical_error", 0.01, 0.005, "polarisation")
    end = pass_half(altitude, 60.0, 10.0)
    rates = []
    for k in range(61):
        up = elevation(altitude, 60.0, end * (k / 61))
        reach = slant_range(altitude, up)
        eta = (
            fixed
            * aperture_share(reach, half, aperture)
            * air_transmission(zenith, up)
            * pointing_transmission(jitter, half)
        )
        rates.append(clock * gllp_rate(eta, 0.5, dark, error, 1.16))
    return [("key_rate_bit_s", {"average": "over a pass"}, mean(rates))]


# -- protocols without a model of their own -----------------------------------------------------------------------------


def double_click(i: Inputs) -> Values:
    """Any double-click link that gives its success probability; a rate, if it gives attempts per second."""
    p = i("p_attempt")
    emitter = i.given_or("ion_photon_fidelity", 0.95, 0.03, "emitter and photon; not in the set-up")
    state = _two_clicks(i, emitter, sqrt(2 * p))
    rate: float | str = p * i("attempt_rate") if i.has("attempt_rate") else "attempts per second are not given"
    return [("success_probability", {}, p), (FIDELITY, {}, fidelity(state)), (RATE, {}, rate)]


BY_ID: Mapping[str, Callable[[Inputs], Values]] = {
    "humphreys2018": humphreys,
    "pompili2021_three_node": pompili_three,
    "hermans2022_teleport": hermans,
    "pompili2022_stack": pompili_stack,
    "kalb2017_distillation": kalb,
    "stephenson2020": stephenson,
    "krutyanskiy2023_230m": krutyanskiy_link,
    "krutyanskiy2023_repeater": krutyanskiy_repeater,
    "vanleent2022": van_leent,
    "liu2024_hefei": liu,
    "yu2020": yu,
    "knaut2024": knaut,
    "stolk2024": stolk,
    "lago_rivera2021": lago_rivera,
    "berlin_2025": berlin,
    "chen2021_backbone": backbone,
    "micius_2017_2020": micius,
}
"""Experiments that are more than one link."""

BY_PROTOCOL: Mapping[str, Callable[[Inputs], Values]] = {
    "single_click": single_click,
    "double_click": double_click,
    "double_downlink": micius,
    "source_midpoint": berlin,
    "serial_reflection": knaut,
    "single_click_with_memory": lago_rivera,
}
"""Models of any experiment of a protocol."""
