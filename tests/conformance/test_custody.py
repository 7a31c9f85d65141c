"""Python subjects that crash, hang or end the process: each gets a verdict that says so, and the run goes on."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from itertools import count
from pathlib import Path

import pytest

from qstack.conformance import custody
from qstack.conformance.custody import cpu_seconds, held
from qstack.conformance.judge import judge
from qstack.conformance.policies import SchedulerSuite
from qstack.conformance.specification import load

SPECIFICATION = load(Path(__file__).parents[2] / "specs")
CHOSEN, ALIKE = "QS-L2-290", "QS-L2-050"

pytestmark = pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="processes cannot be copied here"
)


class Spoilt:
    """A scheduler whose second test goes well: what it does at the first question of a test it does once."""

    def __init__(self, act, flag):
        self.act, self.flag = act, flag

    def __call__(self):
        def choose(ready, turn):
            if not self.flag.exists():
                self.flag.touch()
                return self.act(ready, turn)
            return 0

        return choose


def hang(ready, turn):
    while True:
        try:
            time.sleep(60)
        except BaseException:  # noqa: BLE001 - it will not be stopped
            continue


def deep(ready, turn):
    return deep(ready, turn)


OBJECTS = {
    "hangs": (hang, " - no end of the test within 0.5 s"),
    "hangs where nothing interrupts it": (lambda ready, turn: 3 ** (1 << 40), " - no end of the test within 0.5 s"),
    "ends the process": (
        lambda ready, turn: os._exit(3),
        " - no end of the process, but it has ended with exit code 3",
    ),
    "is killed": (
        lambda ready, turn: os.kill(os.getpid(), signal.SIGKILL),
        " - no end of the process, but it has ended with signal 9",
    ),
    "raises": (lambda ready, turn: 1 // 0, " - no exception, but ZeroDivisionError: "),
    "leaves": (lambda ready, turn: sys.exit(3), " - no exception, but SystemExit: 3"),
    "never comes back": (deep, " - no exception, but RecursionError: "),
}


def verdicts(make, timeout=0.5):
    with held(SchedulerSuite, make, timeout, alone=False) as run:
        return {v.id: v for v in judge(SchedulerSuite, make, SPECIFICATION, run=run)}


@pytest.mark.requirement("QS-CF-009", "QS-CF-262", "QS-CF-265")
@pytest.mark.parametrize("name", OBJECTS)
def test_a_subject_that_misbehaves_gets_a_verdict_and_the_run_goes_on(name, tmp_path):
    act, words = OBJECTS[name]
    found = verdicts(Spoilt(act, tmp_path / "done"))
    assert found[CHOSEN].verdict == "fail"
    assert found[CHOSEN].detail.startswith(words)
    assert found[ALIKE].verdict == "pass"


def slow(ready, turn):
    """Work for half a second of the processor, as on a machine that others use too: two thirds of the clock's."""
    until = time.process_time() + 0.5
    while time.process_time() < until:
        pause = time.process_time() + 0.02
        while time.process_time() < pause:
            pass
        time.sleep(0.01)
    return 0


@pytest.mark.requirement("QS-CF-265")
@pytest.mark.skipif(not cpu_seconds(os.getpid()), reason="the system does not tell what a process has used")
@pytest.mark.parametrize(("timeout", "verdict"), [(0.65, "pass"), (0.3, "fail")])
def test_a_busy_machine_does_not_count_against_a_subject(tmp_path, timeout, verdict):
    found = verdicts(Spoilt(slow, tmp_path / "done"), timeout)
    assert found[CHOSEN].verdict == verdict


@pytest.mark.requirement("QS-CF-265")
@pytest.mark.parametrize(("standing", "verdict"), [(1.0, "pass"), (0.0, "fail")])
def test_who_waits_for_a_processor_is_not_idle(tmp_path, monkeypatch, standing, verdict):
    clock = count(1)
    monkeypatch.setattr(custody, "cpu_seconds", lambda pid: 0.0)
    monkeypatch.setattr(custody, "queued_seconds", lambda pid: standing * next(clock))
    found = verdicts(Spoilt(lambda ready, turn: time.sleep(1.5) or 0, tmp_path / "done"), 1.0)
    assert found[CHOSEN].verdict == verdict


def test_what_a_subject_prints_is_no_part_of_the_report(capfd):
    def loud(ready, turn):
        print("noise")  # noqa: T201 - that is the point
        os.write(1, b"noise")
        return 0

    found = verdicts(lambda: loud)
    assert found[CHOSEN].verdict == found[ALIKE].verdict == "pass"
    assert "noise" not in capfd.readouterr().out


def test_a_subject_in_custody_leaves_no_process():
    before = set(multiprocessing.active_children())
    verdicts(lambda: lambda ready, turn: 0)
    assert set(multiprocessing.active_children()) == before


def test_verdicts_are_those_of_a_judgement_here():
    def wrong():
        return lambda ready, turn: len(ready)

    here = judge(SchedulerSuite, wrong, SPECIFICATION)
    assert list(verdicts(wrong).values()) == here
    with held(SchedulerSuite, wrong, 5, alone=True) as run:
        assert judge(SchedulerSuite, wrong, SPECIFICATION, run=run) == here
