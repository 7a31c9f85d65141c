"""Golden vectors: compute any of them, and judge a file of them.

The kinds, their parameters and outputs are those of the packaged ``data/vectors/vectors.json``.  Every kind calls the
functions that runs use; here is only the table that names them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from math import inf, isfinite, isnan
from pathlib import Path
from typing import Any, TypeAlias

from qstack.core.errors import ConfigError, PhysicsError, QstackError
from qstack.correction.codes import CODES, logical_error, parity_code_survival
from qstack.quantum import exact
from qstack.quantum.bounds import chsh_max
from qstack.quantum.cutoff import swap_asap_cutoff
from qstack.quantum.decoy import fibre_transmission, gllp_rate
from qstack.quantum.freespace import aperture_share, slant_range
from qstack.quantum.heralding import Arm, Detectors, double_click, single_click, success_probability
from qstack.quantum.memory import Decay, decay_pair, depolarising, t1_t2
from qstack.quantum.multiparty import ghz_star_fidelity
from qstack.quantum.purification import bbpssw, dejmps, double_selection, pumping, purification_factors
from qstack.quantum.states import Correlators, bell_from_correlators, correlators_from_bell, fidelity, werner
from qstack.quantum.swapping import swap, swap_chain, swap_factors, teleport_fidelity
from qstack.quantum.waiting import dephasing_swap_asap, mean_max_geometric, mean_nested_restart
from qstack.services.bell import Bell

Check: TypeAlias = Callable[[str, Any], Any]
Output: TypeAlias = dict[str, Any]


def _number(low: float, high: float, words: str, *, open_low: bool = False) -> Check:
    def check(name: str, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError(f"{name} = {value!r}: expected a number {words}")
        if isnan(value) or not low <= value <= high or (open_low and value == low):
            raise PhysicsError(f"{name} = {value}: expected a number {words}")
        return float(value)

    return check


def _integer(low: int, high: int) -> Check:
    def check(name: str, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ConfigError(f"{name} = {value!r}: expected an integer from {low} to {high}")
        if not low <= value <= high:
            raise PhysicsError(f"{name} = {value}: expected an integer from {low} to {high}")
        return value

    return check


def _choice(*allowed: str) -> Check:
    def check(name: str, value: object) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise ConfigError(f"{name} = {value!r}: allowed are {', '.join(allowed)}.{_nearest(value, allowed)}")
        return value

    return check


UNIT = _number(0, 1, "in [0, 1]")
CHANCE = _number(0, 1, "in (0, 1]", open_low=True)
POSITIVE = _number(0, inf, "above 0", open_low=True)
NOT_NEGATIVE = _number(0, inf, "not below 0")
DETECTORS = _choice("threshold", "number")


def _bell(name: str, value: object) -> Correlators:
    if not isinstance(value, list | tuple) or len(value) != 4:
        raise ConfigError(f"{name} = {value!r}: expected the four overlaps [Phi+, Phi-, Psi+, Psi-]")
    overlaps = [UNIT(f"{name}[{k}]", overlap) for k, overlap in enumerate(value)]
    if abs(sum(overlaps) - 1) > 1e-5:
        raise PhysicsError(f"{name} adds up to {sum(overlaps)}: the four overlaps add up to 1")
    return correlators_from_bell(overlaps)


def _half(name: str, value: object) -> Decay:
    half = _checked(name, value, {"T1": POSITIVE, "T2": POSITIVE, "t": NOT_NEGATIVE})
    return t1_t2(half["t"], half["T1"], half["T2"])


def _kept(result: tuple[float, Correlators], name: str = "p") -> Output:
    kept, pair = result
    if kept <= 0:
        raise PhysicsError("no attempt succeeds: there is no kept pair")
    return {name: kept, "bell": list(bell_from_correlators(pair))}


def _epl(alpha1: float, alpha2: float, coherence_v: float, q: float, m: float) -> Output:
    pair = exact.epl(exact.single_click_state(alpha1, coherence_v), exact.single_click_state(alpha2, coherence_v), q, m)
    return _kept((float(pair[0, 0]), exact.to_correlators(pair)) if pair[0, 0] > 0 else (0.0, (0.0, 0.0, 0.0)))


def _single_click(alpha: float, etaA: float, etaB: float, V: float, pd: float, sigma: float, detectors: str) -> Output:
    station = Detectors(pd, number_resolving=detectors == "number")
    outcomes = single_click((alpha, alpha), (Arm(etaA), Arm(etaB)), V, station, sigma)
    return {"p": success_probability(outcomes), "F": outcomes[0].fidelity}


def _double_click(etaA: float, etaB: float, V: float, pd: float, detectors: str) -> Output:
    outcomes = double_click((Arm(etaA), Arm(etaB)), V, Detectors(pd, number_resolving=detectors == "number"))
    by_bell = {outcome.bell: outcome.fidelity for outcome in outcomes}
    return {"p": success_probability(outcomes), "F_same": by_bell[Bell.PSI_PLUS], "F_diff": by_bell[Bell.PSI_MINUS]}


def _satellite(h_km: float, elev_deg: float, half_div_rad: float, D_rx_m: float) -> Output:
    slant = slant_range(h_km, elev_deg)
    return {"slant_km": slant, "eta_geom": aperture_share(slant, half_div_rad, D_rx_m)}


def _named(names: tuple[str, str], values: tuple[float, float]) -> Output:
    return dict(zip(names, values, strict=True))


NOISE: dict[str, Check] = {"q": UNIT, "m": UNIT}

KINDS: dict[str, tuple[dict[str, Check], Callable[..., Output]]] = {
    "swap_bell_diagonal": (
        {"c1": _bell, "c2": _bell, **NOISE},
        lambda c1, c2, q, m: {"bell": list(bell_from_correlators(swap(c1, c2, swap_factors(q, m))))},
    ),
    "swap_chain_werner": (
        {"F": UNIT, "segments": _integer(2, 64), **NOISE},
        lambda F, segments, q, m: {"F": fidelity(swap_chain(werner(F), segments, swap_factors(q, m)))},
    ),
    "purify_BBPSSW": (
        {"c1": _bell, "c2": _bell, **NOISE},
        lambda c1, c2, q, m: _kept(bbpssw(c1, c2, *purification_factors(q, m))),
    ),
    "purify_DEJMPS": (
        {"c1": _bell, "c2": _bell, **NOISE},
        lambda c1, c2, q, m: _kept(dejmps(c1, c2, *purification_factors(q, m))),
    ),
    "purify_EPL": ({"alpha1": UNIT, "alpha2": UNIT, "coherence_v": UNIT, **NOISE}, _epl),
    "double_selection": (
        {"F": UNIT, **NOISE},
        lambda F, q, m: _kept(double_selection([werner(F)] * 3, q, m)),
    ),
    "pumping_DEJMPS": (
        {"F": UNIT, "rounds": _integer(1, 64), **NOISE},
        lambda F, rounds, q, m: _kept(pumping(werner(F), werner(F), rounds, *purification_factors(q, m)), "p_all"),
    ),
    "memory_t1t2_pair": (
        {"c0": _bell, "A": _half, "B": _half},
        lambda c0, A, B: {"bell": list(bell_from_correlators(decay_pair(c0, A, B, sign=1)))},
    ),
    "memory_depolarising": (
        {"F0": UNIT, "T": POSITIVE, "t": NOT_NEGATIVE, "halves": _integer(1, 2)},
        lambda F0, T, t, halves: {
            "F": fidelity(decay_pair(werner(F0), depolarising(t, T), depolarising(t if halves == 2 else 0, T)))
        },
    ),
    "teleport_avg": (
        {"resource": _bell, **NOISE},
        lambda resource, q, m: {"F_avg": teleport_fidelity(resource, swap_factors(q, m))},
    ),
    "wait_max_geometric": (
        {"segments": _integer(1, 1024), "p": CHANCE},
        lambda segments, p: {"mean_slots": mean_max_geometric(segments, p)},
    ),
    "wait_nested_restart": (
        {"levels": _integer(0, 16), "p": CHANCE, "ps": CHANCE},
        lambda levels, p, ps: {"mean_slots": mean_nested_restart(levels, p, ps)},
    ),
    "wait_swap_asap_cutoff": (
        {"segments": _integer(2, 16), "p": CHANCE, "ps": CHANCE, "tcut": _integer(1, 1000)},
        lambda segments, p, ps, tcut: _named(("mean", "var"), swap_asap_cutoff(segments, p, ps, tcut)),
    ),
    "dephasing_swap_asap": (
        {"segments": _integer(2, 64), "p": CHANCE, "a": NOT_NEGATIVE},
        lambda segments, p, a: _named(("E_ends_measured", "E_ends_stored"), dephasing_swap_asap(segments, p, a)),
    ),
    "single_click": (
        {
            "alpha": UNIT,
            "etaA": UNIT,
            "etaB": UNIT,
            "V": UNIT,
            "pd": UNIT,
            "sigma": NOT_NEGATIVE,
            "detectors": DETECTORS,
        },
        _single_click,
    ),
    "double_click": (
        {"etaA": UNIT, "etaB": UNIT, "V": UNIT, "pd": UNIT, "detectors": DETECTORS},
        _double_click,
    ),
    "gllp_infinite_decoy": (
        {
            "km": NOT_NEGATIVE,
            "mu": POSITIVE,
            "al": NOT_NEGATIVE,
            "etaB": UNIT,
            "Y0": UNIT,
            "ed": UNIT,
            "f": _number(1, inf, "not below 1"),
        },
        lambda km, mu, al, etaB, Y0, ed, f: {"R": gllp_rate(etaB * fibre_transmission(km, al), mu, Y0, ed, f)},
    ),
    "satellite_geometry": (
        {
            "h_km": POSITIVE,
            "elev_deg": _number(0, 90, "in (0, 90]", open_low=True),
            "half_div_rad": POSITIVE,
            "D_rx_m": POSITIVE,
        },
        _satellite,
    ),
    "ghz_star": (
        {"n": _integer(3, 12), "F": UNIT, **NOISE},
        lambda n, F, q, m: {"F": ghz_star_fidelity(werner(F), n, q, m)},
    ),
    "qpc_loss": (
        {"n": _integer(1, 64), "m": _integer(1, 64), "eta": UNIT},
        lambda n, m, eta: {"P": parity_code_survival(n, m, eta)},
    ),
    "code_capacity": (
        {"code": _choice(*CODES), "p": UNIT},
        lambda code, p: {"P_ML": logical_error(CODES[code], p)},
    ),
    "chsh_max": ({"c": _bell}, lambda c: {"S": chsh_max(c)}),
}


def _nearest(word: object, known: Sequence[str]) -> str:
    close = get_close_matches(str(word), known, n=1)
    return f"  Did you mean {close[0]!r}?" if close else ""


def _checked(name: str, value: object, checks: Mapping[str, Check]) -> Output:
    """Return a group of parameters, each checked; nothing may be missing and nothing may be unknown."""
    if not isinstance(value, Mapping):
        raise ConfigError(f"{name} = {value!r}: expected an object with {', '.join(checks)}")
    for key in value:
        if key not in checks:
            raise ConfigError(
                f"{name}.{key}: unknown parameter; allowed are {', '.join(checks)}.{_nearest(key, list(checks))}"
            )
    missing = [key for key in checks if key not in value]
    if missing:
        raise ConfigError(f"{name}: missing {', '.join(missing)}")
    return {key: check(f"{name}.{key}", value[key]) for key, check in checks.items()}


def compute(kind: str, params: Mapping[str, Any]) -> Output:
    """Return the outputs of one kind of golden vector.

    Parameters
    ----------
    kind
        One of `KINDS`.
    params
        Exactly the parameters of this kind.

    Returns
    -------
    dict
        Output name to number or list of numbers.

    Raises
    ------
    NotImplementedError
        If the kind is unknown.
    ConfigError
        If a parameter is missing, unknown or of the wrong type.
    PhysicsError
        If a value is out of range, or there is no state to speak of.
    """
    if kind not in KINDS:
        raise NotImplementedError(
            f"{kind!r} is not a kind of vector.{_nearest(kind, list(KINDS))}  Known are {', '.join(KINDS)}"
        )
    checks, function = KINDS[kind]
    return function(**_checked(kind, params, checks))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one vector.

    Parameters
    ----------
    id, kind
        Of the vector.
    status
        "passed", "failed" or "unsupported".
    deviation
        Largest deviation, relative if the tolerance is; None if there is none to speak of.
    tolerance
        What was allowed.
    reason
        Why it did not pass, else None.
    """

    id: str
    kind: str
    status: str
    deviation: float | None
    tolerance: float
    reason: str | None = None


def run_file(path: str | Path) -> list[Verdict]:
    """Judge every vector of a file in the form of the packaged one.

    Raises
    ------
    ConfigError
        If the file is missing, empty, no JSON, or not of this form; says where.
    """
    return [_judge(vector) for vector in _load(Path(path))]


def _load(path: Path) -> list[Output]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text, at byte {error.start}") from error
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        what = f"{path}:{error.lineno}:{error.colno}: no JSON: {error.msg}" if text.strip() else f"{path}: empty file"
        raise ConfigError(what) from error
    except RecursionError as error:
        raise ConfigError(f"{path}: nested too deeply") from error
    if not isinstance(content, dict) or not isinstance(content.get("vectors"), list):
        raise ConfigError(f"{path}: expected an object with a list 'vectors'")
    if not content["vectors"]:
        raise ConfigError(f"{path}: 'vectors' is empty, there is nothing to check")
    for index, vector in enumerate(content["vectors"]):
        problem = _malformed(vector)
        if problem:
            raise ConfigError(f"{path}: vectors[{index}]: {problem}")
    vectors: list[Output] = content["vectors"]
    return vectors


def _malformed(vector: object) -> str | None:
    """Return what is wrong with the form of a vector, or None."""
    if not isinstance(vector, dict):
        return "expected an object"
    for key, kind in (("id", str), ("kind", str), ("params", dict), ("expected", dict)):
        if not isinstance(vector.get(key), kind):
            return f"'{key}' is missing or not {'text' if kind is str else 'an object'}"
    tolerances = [vector[key] for key in ("tol_abs", "tol_rel") if key in vector]
    if len(tolerances) != 1 or not _is_number(tolerances[0]) or tolerances[0] <= 0:
        return f"{vector['id']}: exactly one of 'tol_abs' and 'tol_rel' is needed, a number above 0"
    if not vector["expected"]:
        return f"{vector['id']}: 'expected' is empty, nothing would be compared"
    for name, value in vector["expected"].items():
        if not _numbers(value) or not all(map(_is_number, _numbers(value))):
            return f"{vector['id']}: expected.{name} = {value!r} is neither a number nor a list of numbers"
    return None


def _is_number(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and isfinite(value)


def _numbers(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _judge(vector: Output) -> Verdict:
    relative = "tol_rel" in vector
    tolerance = float(vector["tol_rel" if relative else "tol_abs"])

    def verdict(status: str, deviation: float | None = None, reason: str | None = None) -> Verdict:
        return Verdict(vector["id"], vector["kind"], status, deviation, tolerance, reason)

    try:
        results = compute(vector["kind"], vector["params"])
    except NotImplementedError as error:
        return verdict("unsupported", reason=str(error))
    except QstackError as error:
        return verdict("failed", reason=str(error))
    worst = 0.0
    for name, expected in vector["expected"].items():
        if name not in results:
            return verdict("failed", reason=f"no output {name!r}; there are {', '.join(results)}")
        wanted, found = _numbers(expected), _numbers(results[name])
        if len(wanted) != len(found):
            return verdict("failed", reason=f"{name}: {len(wanted)} numbers expected, {len(found)} computed")
        for want, have in zip(wanted, found, strict=True):
            distance = abs(have - want)
            worst = max(worst, distance if not relative or distance == 0 else distance / abs(want) if want else inf)
    if worst <= tolerance:
        return verdict("passed", worst)
    return verdict("failed", worst if isfinite(worst) else None, f"deviates by {worst:.3g}, allowed {tolerance:.3g}")
