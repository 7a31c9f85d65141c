"""Golden vectors, and what `validate` says about good and bad files."""

from __future__ import annotations

import copy
import json
from importlib.resources import files

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from qstack.cli.validate import command
from qstack.core.errors import ConfigError, PhysicsError
from qstack.validation import KINDS, compute, run_file

PACKAGED = files("qstack") / "data" / "vectors" / "vectors.json"
FILE = json.loads(PACKAGED.read_text())
VECTORS = {vector["id"]: vector for vector in FILE["vectors"]}


@pytest.mark.parametrize("name", VECTORS)
def test_vector(name):
    vector = VECTORS[name]
    results = compute(vector["kind"], vector["params"])
    tolerance = {"abs": vector["tol_abs"], "rel": 0} if "tol_abs" in vector else {"rel": vector["tol_rel"], "abs": 0}
    assert set(results) == set(vector["expected"])
    for output, expected in vector["expected"].items():
        assert results[output] == pytest.approx(expected, **tolerance)


def test_every_kind_is_known_and_has_vectors():
    assert set(KINDS) == set(FILE["conventions"]["kinds"]) == {v["kind"] for v in FILE["vectors"]}


@pytest.mark.parametrize(
    ("kind", "params", "output", "expected"),
    [
        ("swap_chain_werner", {"F": 0.95, "segments": 4, "q": 0, "m": 0}, "F", 0.819125925926),
        ("purify_DEJMPS", {"c1": [0.9, 0.1, 0, 0], "c2": [1, 0, 0, 0], "q": 0, "m": 0}, "p", 0.9),
        ("purify_EPL", {"alpha1": 0.1, "alpha2": 0.1, "coherence_v": 1, "q": 0, "m": 0}, "p", 0.405),
        ("memory_depolarising", {"F0": 1, "T": 2, "t": 2, "halves": 2}, "F", 0.351501462427),
        ("wait_nested_restart", {"levels": 3, "p": 0.1, "ps": 0.5}, "mean_slots", 242.348372423),
        ("wait_swap_asap_cutoff", {"segments": 2, "p": 0.1, "ps": 1, "tcut": 20}, "mean", 15.4320052965),
        ("dephasing_swap_asap", {"segments": 2, "p": 0.1, "a": 0.01}, "E_ends_stored", 0.840782876463),
        (
            "gllp_infinite_decoy",
            {"km": 100, "mu": 0.48, "al": 0.21, "etaB": 0.045, "Y0": 1.7e-6, "ed": 0.033, "f": 1.22},
            "R",
            1.71844447639e-5,
        ),
        ("code_capacity", {"code": "Shor [[9,1,3]]", "p": 0.01}, "P_ML", 1.26270347e-3),
        ("qpc_loss", {"n": 5, "m": 3, "eta": 0.9}, "P", 0.993575099305),
    ],
)
def test_closed_form_values(kind, params, output, expected):
    assert compute(kind, params)[output] == pytest.approx(expected, rel=1e-8)


def test_unknown_kind_names_the_known_ones():
    with pytest.raises(NotImplementedError, match=r"Did you mean 'purify_DEJMPS'.*chsh_max"):
        compute("purify_DEJMP", {})


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"V": None}, ConfigError, "single_click: missing V"),
        ({"vis": 0.5}, ConfigError, "unknown parameter"),
        ({"etA": 0.5}, ConfigError, "Did you mean 'etaA'"),
        ({"alpha": "0.1"}, ConfigError, "expected a number"),
        ({"alpha": True}, ConfigError, "expected a number"),
        ({"alpha": 1.5}, PhysicsError, r"alpha = 1.5: .*\[0, 1\]"),
        ({"pd": float("nan")}, PhysicsError, "pd = nan"),
        ({"sigma": -1}, PhysicsError, "sigma"),
        ({"detectors": "treshold"}, ConfigError, "Did you mean 'threshold'"),
        ({"alpha": 0, "pd": 0}, PhysicsError, "no attempt can succeed"),
    ],
)
def test_bad_parameters(changes, error, words):
    params = VECTORS["single_click-101-14"]["params"] | changes
    with pytest.raises(error, match=words):
        compute("single_click", {key: value for key, value in params.items() if value is not None})


@pytest.mark.parametrize(
    ("kind", "params", "error", "words"),
    [
        ("chsh_max", {"c": [0.9, 0.1, 0.1, 0.1]}, PhysicsError, "add up to 1"),
        ("chsh_max", {"c": [0.9, 0.1]}, ConfigError, "four overlaps"),
        ("chsh_max", {"c": [1.1, -0.1, 0, 0]}, PhysicsError, r"c\[0\]"),
        ("chsh_max", [1], ConfigError, "expected an object"),
        ("ghz_star", {"n": 3.0, "F": 1, "q": 0, "m": 0}, ConfigError, "integer from 3 to 12"),
        ("ghz_star", {"n": 13, "F": 1, "q": 0, "m": 0}, PhysicsError, "integer from 3 to 12"),
        ("wait_max_geometric", {"segments": 2, "p": 0}, PhysicsError, r"\(0, 1\]"),
        ("code_capacity", {"code": "Shor", "p": 0.1}, ConfigError, "allowed are"),
        ("purify_EPL", {"alpha1": 1, "alpha2": 1, "coherence_v": 1, "q": 0, "m": 0}, PhysicsError, "no kept pair"),
        ("purify_BBPSSW", {"c1": [1, 0, 0, 0], "c2": [0, 0, 1, 0], "q": 0, "m": 0}, PhysicsError, "no kept pair"),
        (
            "memory_t1t2_pair",
            {"c0": [1, 0, 0, 0], "A": {"T1": 1, "T2": 2.1, "t": 0}, "B": {"T1": 1, "T2": 1, "t": 0}},
            PhysicsError,
            "T2 <= 2 T1",
        ),
        (
            "memory_t1t2_pair",
            {"c0": [1, 0, 0, 0], "A": {"T1": 1, "T2": 1}, "B": {"T1": 1, "T2": 1, "t": 0}},
            ConfigError,
            "memory_t1t2_pair.A: missing t",
        ),
    ],
)
def test_bad_parameters_of_other_kinds(kind, params, error, words):
    with pytest.raises(error, match=words):
        compute(kind, params)


def written(tmp_path, vectors):
    path = tmp_path / "some.json"
    path.write_text(json.dumps({"vectors": vectors}))
    return path


def some(**changes):
    return copy.deepcopy(FILE["vectors"][0]) | changes


def test_verdicts(tmp_path):
    vectors = [
        some(id="a"),
        some(id="b", expected={"bell": [0.7, 0.1, 0.1, 0.1]}),
        some(id="c", kind="no_such_kind"),
        some(id="d", params={}),
        some(id="e", expected={"F": 0.7}),
        some(id="f", expected={"bell": [1.0]}),
    ]
    verdicts = run_file(written(tmp_path, vectors))
    assert [v.status for v in verdicts] == ["passed", "failed", "unsupported", "failed", "failed", "failed"]
    assert verdicts[1].deviation == pytest.approx(0.0559884, abs=1e-6)
    for verdict, words in zip(verdicts[2:], ("no_such_kind", "missing", "no output 'F'", "1 numbers"), strict=True):
        assert words in verdict.reason


def test_relative_tolerance_around_zero(tmp_path):
    vector = {"id": "z", "kind": "chsh_max", "params": {"c": [0.25] * 4}, "expected": {"S": 0.0}, "tol_rel": 1e-9}
    assert run_file(written(tmp_path, [vector]))[0].status == "passed"
    vector["params"] = {"c": [0.28, 0.24, 0.24, 0.24]}
    assert run_file(written(tmp_path, [vector]))[0].status == "failed"


def run(*arguments):
    return CliRunner().invoke(command, [str(a) for a in arguments])


def test_command_passes_the_packaged_file():
    result = run(PACKAGED)
    assert result.exit_code == 0
    assert result.output.splitlines()[-1] == "88 passed, 0 failed"


def test_command_as_json(tmp_path):
    vectors = [some(), some(kind="no_such_kind"), some(expected={"bell": [1, 0, 0, 0]})]
    result = run(written(tmp_path, vectors), "--json")
    lines = [json.loads(line) for line in result.output.splitlines()]
    assert result.exit_code == 1
    assert [line["status"] for line in lines[:-1]] == ["passed", "unsupported", "failed"]
    assert lines[-1] == {"passed": 1, "failed": 1, "unsupported": 1}


def test_unsupported_kinds_are_listed_and_never_passed(tmp_path):
    result = run(written(tmp_path, [some(kind="no_such_kind"), some(kind="no_such_kind")]))
    assert result.exit_code == 1
    assert "Not supported: no_such_kind (2)" in result.output
    assert result.output.splitlines()[-1] == "0 passed, 0 failed"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read"),
        ("", "empty file"),
        ("{\n  'a': 1}", ":2:3: no JSON"),
        (b"\xff\xfe", "not UTF-8"),
        ("[" * 100_000, "nested too deeply"),
        ("[]", "'vectors'"),
        ('{"vectors": 3}', "'vectors'"),
        ('{"vectors": []}', "nothing to check"),
        ({"vectors": [3]}, r"vectors[0]: expected an object"),
        ({"vectors": [some(), some(id=7)]}, "vectors[1]: 'id' is missing or not text"),
        ({"vectors": [some(params=[])]}, "'params' is missing or not an object"),
        ({"vectors": [some(tol_abs=0)]}, "exactly one of"),
        ({"vectors": [some(tol_rel=1e-9)]}, "exactly one of"),
        ({"vectors": [some(expected={})]}, "nothing would be compared"),
        ({"vectors": [some(expected={"bell": []})]}, "neither a number nor a list"),
        ({"vectors": [some(expected={"bell": "0.7"})]}, "neither a number nor a list"),
        ({"vectors": [some(expected={"bell": float("nan")})]}, "neither a number nor a list"),
    ],
)
def test_unusable_files(tmp_path, content, words):
    path = tmp_path / "bad.json"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    result = run(path)
    assert result.exit_code == 2
    assert words in result.stderr
    assert "Traceback" not in result.output
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_folder_is_no_file(tmp_path):
    assert run(tmp_path).exit_code == 2


unit = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0, 1e-12]))
chance = st.one_of(st.floats(0.02, 1), st.just(1.0))
positive = st.floats(1e-6, 1e6)
waits = st.floats(0, 1e6)
noise = {"q": unit, "m": unit}


@st.composite
def bells(draw):
    weights = [draw(unit) for _ in range(4)]
    return [w / sum(weights) for w in weights] if sum(weights) > 1e-6 else [1, 0, 0, 0]


@st.composite
def halves(draw):
    t1 = draw(positive)
    return {"T1": t1, "T2": t1 * draw(st.floats(1e-3, 2)), "t": draw(waits)}


CLICKS = {"etaA": unit, "etaB": unit, "V": unit, "pd": unit, "detectors": st.sampled_from(["threshold", "number"])}
RANGES = {
    "swap_bell_diagonal": {"c1": bells(), "c2": bells(), **noise},
    "swap_chain_werner": {"F": unit, "segments": st.integers(2, 64), **noise},
    "purify_BBPSSW": {"c1": bells(), "c2": bells(), **noise},
    "purify_DEJMPS": {"c1": bells(), "c2": bells(), **noise},
    "purify_EPL": {"alpha1": unit, "alpha2": unit, "coherence_v": unit, **noise},
    "double_selection": {"F": unit, **noise},
    "pumping_DEJMPS": {"F": unit, "rounds": st.integers(1, 64), **noise},
    "memory_t1t2_pair": {"c0": bells(), "A": halves(), "B": halves()},
    "memory_depolarising": {"F0": unit, "T": positive, "t": waits, "halves": st.integers(1, 2)},
    "teleport_avg": {"resource": bells(), **noise},
    "wait_max_geometric": {"segments": st.integers(1, 1024), "p": st.one_of(chance, st.floats(1e-9, 1e-3))},
    "wait_nested_restart": {"levels": st.integers(0, 3), "p": st.one_of(chance, st.floats(1e-9, 1)), "ps": chance},
    "wait_swap_asap_cutoff": {"segments": st.integers(2, 4), "p": chance, "ps": chance, "tcut": st.integers(1, 4)},
    "dephasing_swap_asap": {"segments": st.integers(2, 8), "p": chance, "a": st.floats(0, 10)},
    "single_click": {"alpha": unit, "sigma": st.floats(0, 10), **CLICKS},
    "double_click": CLICKS,
    "gllp_infinite_decoy": {
        "km": st.floats(0, 1000),
        "mu": st.floats(1e-3, 2),
        "al": st.floats(0, 1),
        "etaB": unit,
        "Y0": unit,
        "ed": unit,
        "f": st.floats(1, 2),
    },
    "satellite_geometry": {
        "h_km": st.floats(100, 40000),
        "elev_deg": st.floats(0.1, 90),
        "half_div_rad": st.floats(1e-7, 1e-3),
        "D_rx_m": st.floats(0.01, 10),
    },
    "ghz_star": {"n": st.integers(3, 12), "F": unit, **noise},
    "qpc_loss": {"n": st.integers(1, 64), "m": st.integers(1, 64), "eta": unit},
    "code_capacity": {"code": st.sampled_from(["[[5,1,3]]", "Steane [[7,1,3]]"]), "p": unit},
    "chsh_max": {"c": bells()},
}
LARGE = {"mean_slots", "mean", "var", "slant_km", "S"}


@pytest.mark.parametrize("kind", RANGES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_parameters_in_range(kind, data):
    """Whatever the schema allows gives finite numbers that a probability, an overlap or a time can have."""
    params = {name: data.draw(values, label=name) for name, values in RANGES[kind].items()}
    results, reason = {}, "no attempt"
    try:
        results = compute(kind, params)
    except PhysicsError as error:
        reason = str(error)
    assert "no attempt" in reason or "never agree" in reason  # the only thing that may be wrong with allowed values
    if "bell" in results and results.get("p", 1) < 1e-6:
        return  # a state conditioned on what almost never happens keeps few digits
    for name, value in results.items():
        for number in value if isinstance(value, list) else [value]:
            assert -1e-9 <= number <= (1e25 if name in LARGE else 1 + 1e-9), name
    if "bell" in results:
        assert sum(results["bell"]) == pytest.approx(1)


def test_ranges_cover_every_kind():
    assert {kind: set(values) for kind, values in RANGES.items()} == {
        kind: set(checks) for kind, (checks, _) in KINDS.items()
    }
