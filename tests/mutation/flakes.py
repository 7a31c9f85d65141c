"""Judge everything installed many times and see that the verdicts never differ.

Usage: ``python tests/mutation/flakes.py [--runs 200] [--write FILE]``

Every run is a process of its own with another ``PYTHONHASHSEED``; within it the subjects are judged in a shuffled order,
the tests of each suite are run in a shuffled order, and the global generators are seeded anew.
"""

from __future__ import annotations

import argparse
import collections
import datetime as dt
import hashlib
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]


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
    subjects = [one for one in every if not chosen or one.profile.name in chosen]
    draw.shuffle(subjects)
    found = sorted(
        (subject.profile.name, subject.name, verdict.id, verdict.verdict)
        for subject in subjects
        for verdict in judge.judge(subject.profile.suite, subject.make, specification)
    )
    return json.dumps(found)


def main() -> None:
    """Do it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--once", type=int, help="one run, with this seed")
    parser.add_argument("--profile", action="append", default=[], help="only these kinds of subjects; all if none")
    parser.add_argument("--write", type=Path, help="write the result here, with the date")
    given = parser.parse_args()
    if given.once is not None:
        sys.stdout.write(once(given.once, given.profile))
        return
    chosen = [word for name in given.profile for word in ("--profile", name)]
    answers: collections.Counter[str] = collections.Counter()
    for seed in range(given.runs):
        command = [sys.executable, __file__, "--once", str(seed), *chosen]
        environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
        done = subprocess.run(command, env=environment, text=True, capture_output=True, check=False)
        answers[done.stdout if done.returncode == 0 else done.stderr] += 1
    verdicts = json.loads(next(iter(answers))) if len(answers) == 1 else []
    words = collections.Counter(verdict for *_, verdict in verdicts)
    lines = [
        f"{dt.datetime.now(tz=dt.UTC).date()}, {given.runs} runs, seeds 0 to {given.runs - 1}",
        f"profiles: {', '.join(given.profile) or 'all'}",
        f"different results: {len(answers)}",
        *(
            f"sha256 {hashlib.sha256(answer.encode()).hexdigest()[:16]}: {number} runs"
            for answer, number in answers.items()
        ),
        f"subjects: {len({tuple(one[:2]) for one in verdicts})}, verdicts of each run: {dict(words)}",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    if given.write:
        given.write.write_text("\n".join(lines) + "\n")
    sys.exit(len(answers) != 1)


if __name__ == "__main__":
    main()
