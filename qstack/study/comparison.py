"""Compare variants of one scenario over several runs, with confidence intervals.

Every variant runs with the same seed and the same shots, so whatever two variants share, they share its draws too; a
difference is taken run by run before it is averaged, which is far sharper than the difference of two averages.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan, nan, sqrt, tan
from pathlib import Path
from statistics import NormalDist, mean, stdev
from typing import Any

from qstack.core.errors import ConfigError
from qstack.scenario.problems import refusal
from qstack.study.experiment import Experiment
from qstack.study.result import FlowResult, Result, digest, to_json

SCHEMA = "qstack/comparison/1"
CONFIDENCE = 0.95


def _errors(flow: FlowResult) -> float:
    """Return the share of errors among revealed bits of both bases."""
    bits = sum(counts.bits for counts in flow.errors.values())
    return sum(counts.errors for counts in flow.errors.values()) / bits if bits else nan


QUANTITIES: Mapping[str, Callable[[FlowResult], float]] = {
    "rate_hz": lambda flow: flow.rate_hz,
    "fidelity": lambda flow: flow.fidelity.mean,
    "latency_s": lambda flow: float(flow.latencies_s.mean()) if flow.delivered else nan,
    "qber": _errors,
}
"""What is compared, of one flow of one run; NaN where the run cannot tell it."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to run the scenario: settings as ``--set`` takes them."""

    settings: tuple[str, ...]

    @property
    def label(self) -> str:
        """What tells it apart: last keys and values."""
        pairs = (setting.partition("=") for setting in self.settings)
        return ", ".join(f"{key.rpartition('.')[2]}={value.strip()}" for key, _, value in pairs)


@dataclass(slots=True)
class Series:
    """The runs of one variant: by flow and quantity one value a run, and what went wrong; `refused` if it cannot run."""

    variant: Variant
    experiment: Experiment | None
    refused: str = ""
    runs: dict[int, dict[str, dict[str, float]]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over runs and half the width of its 95 % interval; NaN where too few runs tell it."""

    mean: float
    half: float

    @property
    def sign(self) -> int:
        """1 or -1 if zero lies outside the interval, else 0."""
        return 0 if isnan(self.half) or abs(self.mean) <= self.half else 1 if self.mean > 0 else -1


def variants(varied: Sequence[str]) -> list[Variant]:
    """Return every combination of ``KEY=A,B,...``.

    Raises
    ------
    ConfigError
        If one is not of this form, or names fewer than two values in all.
    """
    choices = []
    for text in varied:
        key, equals, right = text.partition("=")
        values = _split(right)
        if not equals or not key or not all(values):
            raise refusal(f"--vary {text}", "expected KEY=A,B, such as stack.network.routing=shortest,widest.")
        choices.append([f"{key}={value}" for value in values])
    found = [Variant(settings) for settings in dict.fromkeys(itertools.product(*choices))]
    if len(found) < 2:
        raise refusal(f"--vary {' '.join(varied)}", "a comparison needs two variants or more: KEY=A,B.")
    return found


def _split(text: str) -> list[str]:
    """Cut a list of YAML values at its commas, but not inside of braces, brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        quote = "" if letter == quote else letter if not quote and letter in "'\"" else quote
        depth += 0 if quote else (letter in "{[") - (letter in "}]")
        if letter == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def plan(found: Iterable[Variant], load: Callable[[tuple[str, ...]], Experiment]) -> list[Series]:
    """Load every variant; one that the scenario, or the hardware, does not allow is kept with the reason.

    Raises
    ------
    ConfigError
        If no variant can be run: the reason of the first.
    """
    made = []
    errors = []
    for variant in found:
        try:
            made.append(Series(variant, load(variant.settings)))
        except ConfigError as error:
            errors.append(error)
            made.append(Series(variant, None, str(error)))
    if len(errors) == len(made):
        raise errors[0]
    return made


def run(
    series: Sequence[Series], runs: int, kept: Path | None, progress: Callable[[int, int], None] | None = None
) -> bool:
    """Fill the series, shot by shot, so that an interrupted comparison is a smaller comparison.

    Parameters
    ----------
    series
        What to run.
    runs
        Shots of each variant.
    kept
        A file of JSON lines: runs found there are not repeated, new ones are added as they end.
    progress
        Called with runs done and runs in all.

    Returns
    -------
    bool
        Whether it was interrupted.

    Raises
    ------
    ConfigError
        If the file cannot be read or written.
    """
    able = [(one, digest(to_json(one.experiment.resolved()))) for one in series if one.experiment]
    before = _read(kept) if kept else {}
    total = runs * len(able)
    for done, (shot, (one, key)) in enumerate(itertools.product(range(runs), able)):
        if progress:
            progress(done, total)
        record = before.get((key, shot))
        if record is None:
            assert one.experiment is not None
            result = one.experiment.run(shot=shot)
            if result.interrupted:
                return True
            record = _record(one, key, result)
            if kept:
                _append(kept, record)
        one.runs[shot] = {
            flow: {k: nan if v is None else v for k, v in of.items()} for flow, of in record["flows"].items()
        }
        one.failures += [f"shot {shot}: {failure}" for failure in record["failures"]]
    return False


def _record(one: Series, key: str, result: Result) -> dict[str, Any]:
    values = {
        flow.name: {name: None if isnan(value := of(flow)) else value for name, of in QUANTITIES.items()}
        for flow in result.flows
    }
    return {
        "schema": SCHEMA,
        "scenario": key,
        "variant": list(one.variant.settings),
        "seed": result.asked.seed,
        "shot": result.asked.shot,
        "flows": values,
        "failures": result.failures,
    }


def _read(path: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """Return what an earlier comparison has kept; a last line that was cut short is run again."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    except FileNotFoundError:
        return found
    except (OSError, UnicodeDecodeError) as error:
        raise refusal(f"--out {path}", f"cannot be read: {error}.") from error
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
            found[{SCHEMA: record["scenario"]}[record["schema"]], record["shot"]] = record
        except (json.JSONDecodeError, TypeError, KeyError) as error:
            if number == len(lines) and not line.endswith("\n"):
                path.write_text("".join(lines[:-1]), encoding="utf-8", newline="\n")
                break
            raise refusal(f"{path}:{number}", "is not a run of a comparison; choose another file.") from error
    return found


def _append(path: Path, record: dict[str, Any]) -> None:
    try:
        with path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(record, allow_nan=False) + "\n")
    except OSError as error:
        raise refusal(f"--out {path}", f"cannot be written: {error.strerror}.") from error


# -- statistics -----------------------------------------------------------------------------------------------------------


def interval(values: Sequence[float]) -> Interval:
    """Return the mean of independent values and half of its 95 % interval, by Student's t."""
    known = [value for value in values if not isnan(value)]
    if not known:
        return Interval(nan, nan)
    if len(known) < 2:
        return Interval(known[0], nan)
    return Interval(mean(known), student(len(known) - 1) * stdev(known) / sqrt(len(known)))


def student(freedom: int, confidence: float = CONFIDENCE) -> float:
    """Return the two-sided quantile of Student's t.

    Closed forms for 1 and 2 degrees of freedom; from 3 on the expansion in 1/n of Abramowitz and Stegun, 26.7.5, good
    to 0.15 % at 95 %.
    """
    tail = (1 - confidence) / 2
    if freedom == 1:
        return 1 / tan(3.141592653589793 * tail)
    if freedom == 2:
        return confidence / sqrt(2 * tail * (1 - tail))
    z, n = NormalDist().inv_cdf(1 - tail), freedom
    terms = (
        (z**3 + z) / (4 * n),
        (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2),
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n**3),
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * n**4),
    )
    return z + sum(terms)


def compared(series: Sequence[Series]) -> Iterator[tuple[str, Series, dict[str, tuple[Interval, Interval]]]]:
    """Give flow, series, and by quantity its mean and its paired difference from the first variant that could run."""
    able = [one for one in series if one.runs]
    for flow in next(iter(able[0].runs.values())) if able else ():
        for one in able:
            found = {}
            for quantity in QUANTITIES:
                shots = sorted(one.runs.keys() & able[0].runs.keys())
                mine, first = ([of.runs[shot][flow][quantity] for shot in shots] for of in (one, able[0]))
                differences = [a - b for a, b in zip(mine, first, strict=True)]
                found[quantity] = (interval(mine), interval(differences))
            yield flow, one, found
