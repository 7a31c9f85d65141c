"""Judge everything installed many times and see that the verdicts never differ.

Usage: ``python tests/mutation/flakes.py [--runs 200] [--profile link] [--jobs 2] [--write FILE]``

Every run is a process of its own with another ``PYTHONHASHSEED``; within it the subjects are judged in a shuffled order,
the tests of each suite are run in a shuffled order, and the global generators are seeded anew.  Profiles that take long
are judged in some of the runs only (`EVERY`).
"""

from __future__ import annotations

import argparse
import collections
import datetime as dt
import json
import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
EVERY = {"device": 2, "hardware": 5, "medium": 5, "reconciliation": 20}
"""Profiles that are judged in one run of so many; the others are judged in every run."""
HEAD = f"{'profile':<16}{'date':<10}{'runs':>6}{'different results':>19}  verdicts of each run; seeds from 0"


def once(seed: int, chosen: list[str]) -> str:
    """Judge everything in an order that depends on the seed; return all verdicts as text, in an order that does not."""
    from qstack import api  # noqa: PLC0415 - only the child processes need it
    from qstack.conformance import judge, profiles  # noqa: PLC0415 - only the child processes need it
    from qstack.conformance.specification import load  # noqa: PLC0415 - only the child processes need it

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the global generator, which nothing may use
    draw = random.Random(seed)
    tests_of = judge.tests_of

    def shuffled(suite: type) -> dict[str, tuple[str, ...]]:
        tests = list(tests_of(suite).items())
        draw.shuffle(tests)
        return dict(tests)

    judge.tests_of = shuffled
    specification = load(ROOT / "specs")
    every = profiles.everything(api.manager())
    subjects = [
        one for one in every if (one.profile.name in chosen if chosen else seed % EVERY.get(one.profile.name, 1) == 0)
    ]
    draw.shuffle(subjects)
    found = sorted(
        (subject.profile.name, subject.name, verdict.id, verdict.verdict)
        for subject in subjects
        for verdict in judge.judge(subject.profile.suite, subject.make, specification)
    )
    return json.dumps(found)


def judged(seed: int, chosen: list[str]) -> dict[str, str]:
    """Judge in a process of its own; return what was found for each profile, or what went wrong."""
    command = [
        sys.executable,
        __file__,
        "--once",
        str(seed),
        *(word for name in chosen for word in ("--profile", name)),
    ]
    environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
    done = subprocess.run(command, env=environment, text=True, capture_output=True, check=False)
    if done.returncode:
        return {"a run that failed": done.stderr}
    found: dict[str, list[list[str]]] = {}
    for profile, *verdict in json.loads(done.stdout):
        found.setdefault(profile, []).append(verdict)
    return {profile: json.dumps(verdicts) for profile, verdicts in found.items()}


def row(profile: str, counts: collections.Counter[str]) -> str:
    """Return what came of a profile in a line."""
    said = next(iter(counts))
    words = collections.Counter(one[-1] for one in json.loads(said)) if said.startswith("[") else {}
    told = ", ".join(f"{number} {word}" for word, number in sorted(words.items())) or said
    return f"{profile:<16}{dt.datetime.now(tz=dt.UTC).date()}{counts.total():>6}{len(counts):>19}  {told}"


def main() -> None:
    """Do it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--once", type=int, help="one run, with this seed")
    parser.add_argument("--profile", action="append", default=[], help="only these kinds of subjects; all if none")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="so many at a time")
    parser.add_argument(
        "--write", type=Path, help="write the result here; of other profiles the file keeps what it says"
    )
    given = parser.parse_args()
    if given.once is not None:
        sys.stdout.write(once(given.once, given.profile))
        return
    answers: dict[str, collections.Counter[str]] = {}
    with ThreadPoolExecutor(given.jobs) as pool:
        for found in pool.map(lambda seed: judged(seed, given.profile), range(given.runs)):
            for profile, answer in found.items():
                answers.setdefault(profile, collections.Counter())[answer] += 1
    rows = {profile: row(profile, counts) for profile, counts in answers.items()}
    sys.stdout.write("\n".join([HEAD, *rows.values()]) + "\n")
    if given.write:
        before = given.write.read_text().splitlines()[1:] if given.write.exists() else []
        kept = {line.split()[0]: line for line in before}
        given.write.write_text("\n".join([HEAD, *(one for _, one in sorted({**kept, **rows}.items()))]) + "\n")
    sys.exit(any(len(counts) != 1 for counts in answers.values()) or "a run that failed" in answers)


if __name__ == "__main__":
    main()
