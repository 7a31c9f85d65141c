"""Programs that misbehave on purpose: each gets a verdict in words within its time, the run goes on, and nothing is left."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qstack.cli import invoke as called
from qstack.conformance import process
from qstack.conformance.custody import held
from qstack.conformance.judge import judge
from qstack.conformance.policies import SchedulerSuite
from qstack.conformance.program import Program, Trouble
from qstack.conformance.specification import load

ROOT = Path(__file__).parents[2]
SPECIFICATION = load(ROOT / "specs")
CHOSEN, ALIKE = "QS-L2-290", "QS-L2-050"
PATIENCE_S = 3.0
"""For those of whom nothing but time tells; the others are given plenty of it, for the machine may be busy."""
PLENTY_S = 60.0
PROC = Path("/proc")

START = """\
import json, os, signal, sys, time
def say(text):
    sys.stdout.buffer.write(text if isinstance(text, bytes) else text.encode()); sys.stdout.flush()
def hear():
    return json.loads(sys.stdin.readline())
def reply(question, **content):
    say(json.dumps({"re": question["re"], **content}) + "\\n")
def greet():
    reply(hear(), protocol=1, features=[])
def sleep():
    while True: time.sleep(60)
"""
HONEST = """
while True:
    q = hear()
    reply(q, index=0) if q["do"] == "choose" else reply(q)
"""

ENDLESS = {
    "stands still": ("os.kill(os.getpid(), signal.SIGSTOP)", "no answer to 'scheduler' within 3 s"),
    "says a little for long": (
        "end = time.time() + 8\nwhile time.time() < end: say(' '); time.sleep(0.01)\nreply(q)",
        "no answer to 'scheduler' within 3 s, only half a line: b'   ",
    ),
    "complains for long": (
        "end = time.time() + 8\nwhile time.time() < end: os.write(2, b'oh' * 9999)\nreply(q)",
        "no answer to 'scheduler' within 3 s",
    ),
    "says one endless line": ("while True: say('x' * 65536)", "the answer to 'scheduler' is longer than 1048576 bytes"),
}
"""Programs that always say something, or nothing at all, and never answer.  Of each: what it does once, at its second question, and what is
said of it.  Afterwards it is honest."""

LEAVING = {
    "leaves somebody behind": (
        "os.fork() and os._exit(0); sleep()",
        "no answer to 'scheduler' within 3 s; it has ended, and what it has started keeps the pipe open",
    ),
    "leaves somebody who hides": (
        "if os.fork() == 0:\n    os.setsid()\n    sleep()\nos._exit(0)",
        "it has ended, and what it has started keeps the pipe open",
    ),
}
"""Programs that start another one."""

NUMBERS = {
    "is no number": (
        "reply(q); reply(hear(), index=float('nan'))",
        'is not a line of JSON: b\'{"re": 3, "index": NaN}',
    ),
    "is infinite": ('reply(q); hear(); say(\'{"re": 3, "index": -Infinity}\\n\')', "is not a line of JSON"),
    "is too large": ('reply(q); hear(); say(\'{"re": 3, "index": 1e400}\\n\')', "is not a line of JSON"),
}
"""Answers with numbers that JSON does not have."""

LYING = {
    "refuses with a lie": (
        "reply(q, refused='local', why='no\\x1b[2J\\nQS-L2-290 (MUST) pass')",
        "LocalProtocolError: no\\x1b[2J\\nQS-L2-290 (MUST) pass",
    ),
    "dies with a lie": ("sys.exit('no\\x1b[2J')", "(exit code 1: no\\x1b[2J)"),
}
"""Texts that would write the verdict."""

ODD = {
    "says one long line": ("say('x' * (1 << 21) + '\\n')", "the answer to 'scheduler' is longer than 1048576 bytes"),
    # Twice, unasked, or to another question: which of them depends on when the judge asks the next one.
    "answers for ever": ("while True: say('{\"re\": 2}\\n')", ': b\'{"re": 2}'),
    "closes its output": ("os.close(1); sleep()", "it closed its output before it answered 'scheduler'"),
    "is killed": ("os.kill(os.getpid(), signal.SIGKILL)", "it ended before it answered 'scheduler' (exit code -9)"),
    "has too many digits": (
        "reply(q); hear(); say('{\"re\": 3, \"index\": ' + '1' * 5000 + '}\\n')",
        "is not a line of JSON",
    ),
    "has many digits": ("reply(q); reply(hear(), index=10**4000)", "index = 1000"),
    "is a truth": ("reply(q); reply(hear(), index=True)", "index = True: expected int"),
    "is deep": ("say('[' * 100_000 + ']' * 100_000 + '\\n')", "is not a line of JSON: b'[["),
    "has a deep part": (
        "reply(q); hear(); say('{\"re\": 3, \"index\": ' + '[' * 500 + ']' * 500 + '}\\n')",
        "index = [[[",
    ),
    "is half a character": ('say(\'{"re": 2, "x": "\\\\ud800"}\\n\')', "is not a line of JSON"),
    "is no text": ('say(b\'{"re": 2, "x": "\\xff"}\\n\')', "is not a line of JSON"),
    "is of another size": ("say('{\"re\": 2}'.encode('utf-16')); say('\\n'); sleep()", "is not a line of JSON"),
    "is empty": ("say('\\n')", "is not a line of JSON: b''"),
    "has no number": ("say('{}\\n')", "question 2, is for another one: b'{}'"),
    "has a true number": ("q = dict(q, re=True); reply(q)", "question 2, is for another one"),
    "has a broken number": ("say('{\"re\": 2.0}\\n')", "question 2, is for another one"),
    "has a listed number": ("say('{\"re\": [2]}\\n')", "question 2, is for another one"),
    "refuses with a list": ("reply(q, refused=[])", "it refuses 'scheduler' as []"),
}
"""Everything else that is no answer."""


def once(tmp_path: Path, body: str, patience: float = PLENTY_S) -> Program:
    """Return a scheduler that misbehaves in its first process only."""
    flag = tmp_path / "done"
    indented = "".join(f"    {line}\n" for line in f"q = hear()\n{body}".splitlines())
    script = f"{START}greet()\nif not os.path.exists({str(flag)!r}):\n    open({str(flag)!r}, 'w').close()\n{indented}"
    (tmp_path / "subject.py").write_text(script + HONEST, encoding="utf-8")
    return Program(f"{sys.executable} -S {tmp_path / 'subject.py'}", "scheduler", patience)


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that nobody has asked after since it ended does not."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def left_behind() -> list[int]:
    """Return the processes of subjects of this judge."""
    found = []
    for place in PROC.glob("[1-9]*/environ"):
        try:
            if f"{process.MARK}={os.getpid()}-".encode() in place.read_bytes():
                found.append(int(place.parent.name))
        except OSError:
            continue
    return [pid for pid in found if alive(pid)]


def told_and_gone_on(what: tuple[str, str], tmp_path: Path, patience: float = PLENTY_S) -> None:
    """Expect that a trouble is told in time, that the next test goes well, and that nothing is left."""
    body, words = what
    program = once(tmp_path, body, patience)
    begun = time.monotonic()
    first, second = (judge(SchedulerSuite, program.subject, SPECIFICATION, [number])[0] for number in (CHOSEN, ALIKE))
    assert time.monotonic() - begun < 3 * PLENTY_S
    program.close()
    assert first.verdict == "fail"
    assert words in first.detail
    assert all(character.isprintable() or character == "\n" for character in first.detail)
    assert (second.verdict, second.detail) == ("pass", "")
    if PROC.is_dir():
        assert left_behind() == []


@pytest.mark.requirement("QS-CF-441")
@pytest.mark.parametrize("name", ENDLESS)
def test_who_always_says_something_is_not_waited_for(name, tmp_path):
    told_and_gone_on(ENDLESS[name], tmp_path, PATIENCE_S)


@pytest.mark.requirement("QS-CF-440")
@pytest.mark.parametrize("name", LEAVING)
def test_nobody_is_left_behind(name, tmp_path):
    told_and_gone_on(LEAVING[name], tmp_path, PATIENCE_S)


@pytest.mark.requirement("QS-CF-443")
@pytest.mark.parametrize("name", NUMBERS)
def test_what_is_no_number_of_json_is_told(name, tmp_path):
    told_and_gone_on(NUMBERS[name], tmp_path)


@pytest.mark.requirement("QS-CF-442")
@pytest.mark.parametrize("name", LYING)
def test_nobody_writes_his_own_verdict(name, tmp_path):
    told_and_gone_on(LYING[name], tmp_path)


@pytest.mark.requirement("QS-CF-261", "QS-CF-262")
@pytest.mark.parametrize("name", ODD)
def test_whatever_is_no_answer_is_told(name, tmp_path):
    told_and_gone_on(ODD[name], tmp_path)


@pytest.mark.requirement("QS-CF-441")
@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("sleep()", "no answer to 'long' within 3 s, and the question was not read"),
        ("os.read(0, 1); say('{\"re\": 2}\\n'); sleep()", "it answered 'long' before it had read the question"),
        ("os.close(0); sleep()", "it is gone, and 'long' was not read"),
    ],
)
def test_who_does_not_read_is_not_waited_for(body, words, tmp_path):
    (tmp_path / "subject.py").write_text(f"{START}greet()\n{body}", encoding="utf-8")
    program = Program(f"{sys.executable} -S {tmp_path / 'subject.py'}", "scheduler", PATIENCE_S)
    with pytest.raises(Trouble, match=words):
        program.ask("long", text="x" * (1 << 21))
    assert left_behind() == []


def test_who_complains_much_may_still_be_right(tmp_path):
    (tmp_path / "subject.py").write_text(f"{START}os.write(2, b'oh' * (1 << 21))\ngreet()\n{HONEST}", encoding="utf-8")
    program = Program(f"{sys.executable} -S {tmp_path / 'subject.py'}", "scheduler", 120.0)
    assert {v.verdict for v in judge(SchedulerSuite, program.subject, SPECIFICATION)} <= {"pass", "unsupported"}
    assert len(program.complaints()) == process.KEPT
    program.close()


@pytest.mark.requirement("QS-CF-444")
def test_an_answer_that_comes_too_late_is_no_answer_to_the_next_test(tmp_path):
    program = once(tmp_path, "time.sleep(9); reply(q)")
    first, second = (
        judge(SchedulerSuite, program.subject, SPECIFICATION, [number], seconds=6.0)[0] for number in (CHOSEN, ALIKE)
    )
    program.close()
    assert first.detail == " - no end of the test within 6 s, waiting for the answer to 'scheduler'"
    assert second.verdict == "pass"


@pytest.mark.requirement("QS-CF-440")
@pytest.mark.skipif(not PROC.is_dir(), reason="needs /proc")
@pytest.mark.parametrize("wish", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_judgement_that_is_ended_leaves_nobody(wish, tmp_path):
    (tmp_path / "subject.py").write_text(
        f"{START}greet()\nos.fork() or os.setsid()\nopen(str(os.getpid()), 'w').close()\nsleep()", encoding="utf-8"
    )
    command = [
        sys.executable,
        "-c",
        "from qstack.cli import main; main()",
        "conform",
        "--profile",
        "scheduler",
        "--exec",
    ]
    with subprocess.Popen(
        [*command, f"{sys.executable} -S subject.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    ) as judging:
        for _ in range(600):
            both = [int(path.name) for path in tmp_path.iterdir() if path.name.isdecimal()]
            if len(both) == 2:
                break
            time.sleep(0.1)
        judging.send_signal(wish)
        said = judging.communicate(timeout=60)[1]
    assert len(both) == 2
    assert (judging.returncode, said.strip()) == (1, b"interrupted")
    assert [pid for pid in both if alive(pid)] == []


def forking(ready, turn):
    """Start somebody who hangs, and tell who it is."""
    pid = os.fork()
    if pid == 0:
        while True:
            time.sleep(60)
    raise ValueError(f"started {pid}")


@pytest.mark.requirement("QS-CF-440")
@pytest.mark.skipif(not PROC.is_dir() or "fork" not in multiprocessing.get_all_start_methods(), reason="needs /proc")
def test_nothing_that_an_object_started_is_left():
    with held(SchedulerSuite, lambda: forking, 20.0, alone=False) as run:
        word, detail = run("test_a_ready_request_is_chosen")
        pid = int(detail.rpartition(" ")[2])
        assert word == "fail"
        assert alive(pid)
    for _ in range(100):
        if not alive(pid):
            return
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    raise AssertionError(f"process {pid} is left")


@pytest.mark.requirement("QS-CF-442")
def test_an_object_cannot_write_into_the_report(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("writes_lies.py").write_text(
        "def make():\n    def choose(ready, turn):\n        raise ValueError('no\\x1b[2J\\x00\\ud800')\n    return choose\n",
        encoding="utf-8",
    )
    with pytest.raises(SystemExit):
        called(["conform", "writes_lies:make", "--profile", "scheduler", "--report", "it.xml", "--report", "it.yaml"])
    assert r"ValueError: no\x1b[2J\x00\ud800" in capsys.readouterr().out
    assert r"no\x1b[2J\x00\ud800" in Path("it.xml").read_text(encoding="utf-8")


@pytest.mark.requirement("QS-CF-442")
def test_a_version_is_shown_as_it_may_be_shown(tmp_path):
    start = START.replace("features=[])", "features=[], version='1\\x1b[2J' + 'x' * 99)")
    (tmp_path / "subject.py").write_text(f"{start}greet()\n{HONEST}", encoding="utf-8")
    program = Program(f"{sys.executable} -S {tmp_path / 'subject.py'}", "scheduler", 120.0)
    judge(SchedulerSuite, program.subject, SPECIFICATION, [ALIKE])
    program.close()
    assert program.told() == r"1\x1b[2J" + "x" * 55
