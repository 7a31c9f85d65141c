"""Whatever a user gets wrong is told in one message: file, line, key, value, what is allowed, the nearest spelling."""

from __future__ import annotations

import re
from time import process_time

import pytest

import qstack as package

SCENARIO = [
    # what is changed, into what, and what the message holds
    ("  length: 20 km", "  length: -20 km", "bad.yaml:10", "network.links.0.length", "'-20 km'", "must be positive"),
    ("  length: 20 km", "  length: 0 km", "bad.yaml:10", "network.links.0.length", "must be positive"),
    ("  length: 20 km", "  length: 1e-9 m", "bad.yaml:10", "at least 1e-06 km"),
    ("  length: 20 km", "  length: 20", "bad.yaml:10", "'20': a length needs a unit: m, km."),
    ("  length: 20 km", "  length: 20 dB", "bad.yaml:10", "'dB' is not a unit of length; allowed: m, km."),
    ("  length: 20 km", "  length: 20 KM", "bad.yaml:10", "'KM' is not a unit of length"),
    ("  length: 20 km", "  length: 1e300 km", "bad.yaml:10", "at most 1000000 km"),
    ("  length: 20 km", "  length: 1e999999999999999999999 km", "bad.yaml:10", "so large a number"),
    ("  length: 20 km", "  length: .nan", "bad.yaml:10", "a number with a unit"),
    ("  length: 20 km", "  length: inf", "bad.yaml:10", "at most 1000000 km"),
    ("  length: 20 km", "  length: .inf", "bad.yaml:10", "at most 1000000 km"),
    ("  length: 20 km", "  length: true", "bad.yaml:10", "true: a length is text with a unit (m, km)"),
    ("  length: 20 km", "  length:", "bad.yaml:10", "null: a length is text with a unit"),
    ("  length: 20 km", "  length: [20 km]", "bad.yaml:10", "a length is text with a unit"),
    ("  loss: 7 dB", "  loss: -7 dB", "bad.yaml:14", "network.links.1.loss", "'-7 dB'", "must not be negative"),
    ("attenuation: 0.25 dB/km", "attenuation: 0.25 dB", "bad.yaml:16", "'dB' is not a unit of attenuation"),
    ("speed: 200000 km/s", "speed: 400000 km/s", "bad.yaml:17", "at most 299792.458 km/s"),
    ("speed: 200000 km/s", "speed: 0 km/s", "bad.yaml:17", "must be positive"),
    ("station: 0.5", "station: 1", "bad.yaml:18", "network.fibre.station", "'1'", "less than 1"),
    ("station: 0.5", "station: true", "bad.yaml:18", "true", "expected a number"),
    ("gate_noise: 0.001", "gate_noise: 1.1", "bad.yaml:23", "network.hardware.all.gate_noise", "'1.1'", "0 and 1"),
    ("gate_noise: 0.001", "gate_noise: -0.1", "bad.yaml:23", "'-0.1'", "between 0 and 1"),
    ("gate_noise: 0.001", "gate_noise: .nan", "bad.yaml:23", "'nan'", "a number from 0 to 1"),
    ("gate_noise: 0.001", "gate_noise: .inf", "bad.yaml:23", "'inf'", "between 0 and 1"),
    ("gate_noise: 0.001", "gate_noise: true", "bad.yaml:23", "true", "a number from 0 to 1"),
    ("gate_noise: 0.001", "gate_noise:", "bad.yaml:23", "null", "a number from 0 to 1"),
    ("gate_noise: 0.001", "gate_nois: 0.001", "bad.yaml:23", "network.hardware.all.gate_nois", "'gate_noise'"),
    ("memories: 2", "memories: 0", "bad.yaml:22", "network.hardware.all.memories", "'0'", "at least 1"),
    ("memories: 2", "memories: -2", "bad.yaml:22", "'-2'", "at least 1"),
    ("memories: 2", "memories: 2.5", "bad.yaml:22", "'2.5'", "expected an integer"),
    ("memories: 2", "memories: true", "bad.yaml:22", "true", "expected an integer"),
    ("memories: 2", "memories: 99999999999999999999", "bad.yaml:22", "at most 4096"),
    ("coherence_time: 1 s", "coherence_time: 21 s", "bad.yaml:24", "T2 exceeds 2 T1", "21 s", "10 s"),
    ("coherence_time: 1 s", "coherence_time: 0 s", "bad.yaml:27", "'0 s'", "a duration must be positive"),
    ("coherence_time: 1 s", "coherence_time: 1 sec", "bad.yaml:27", "'sec' is not a unit of duration", "ms, s, min, h"),
    ("coherence_time: 1 s", "coherence: 1 s", "bad.yaml:27", "Did you mean 'coherence_time'?"),
    ("kind: relaxing", "kind: relaxin", "bad.yaml:25", "memory.kind", "'relaxin'", "Did you mean 'relaxing'?"),
    ("kind: relaxing", "kind: 3", "bad.yaml:25", "'3' is not a kind of memory"),
    ("like: textbook", "like: textbok", "bad.yaml:21", "'textbok' is not a hardware platform", "'textbook'?"),
    ("like: textbook", "like: [textbook]", "bad.yaml:20", "expected the name of a platform"),
    ("medium: midpoint", "medium: midpiont", "bad.yaml:28", "network.medium", "'midpiont'", "mean 'midpoint'?"),
    ("channel: ideal", "channel: iddeal", "bad.yaml:29", "network.channel", "a classical channel", "mean 'ideal'?"),
    ("physical: reference", "physical: refrence", "bad.yaml:31", "stack.physical", "mean 'reference'?"),
    ("    use: reference", "    use: refrence", "bad.yaml:33", "stack.link.use", "a link layer", "mean 'reference'?"),
    ("    use: reference", "    use: 5", "bad.yaml:32", "stack.link", "the name of a link layer"),
    ("scheduler: wfq", "scheduler: wqf", "bad.yaml:34", "stack.link.scheduler", "'wqf'", "fcfs", "mean 'wfq'?"),
    ("scheduler: wfq", "scheduler: {use: wfq, weight: 3}", "bad.yaml:34", "stack.link.scheduler.weight", "not a key"),
    ("distillation: none", "distillation: nonne", "bad.yaml:35", "a distillation scheme", "mean 'none'?"),
    ("routing: shortest", "routing: shortst", "bad.yaml:37", "stack.network.routing", "a router", "mean 'shortest'?"),
    ("routing: shortest", "routing: 7", "bad.yaml:37", "stack.network.routing", "the name of a router"),
    ("routing: shortest", "routing: {weight: 7}", "bad.yaml:37", "which one?", "Installed: ", "widest"),
    ("swap: asap", "swap: assap", "bad.yaml:38", "stack.network.swap", "mean 'asap'?"),
    ("cutoff: 250 ms", "cutoff: nevr", "bad.yaml:39", "stack.network.cutoff", "'nevr'", "mean 'never'?"),
    ("cutoff: 250 ms", "cutoff: 250", "bad.yaml:39", "stack.network.cutoff"),
    ("cutoff: 250 ms", "cutoff: -250 ms", "bad.yaml:39", "stack.network.cutoff.after", "must be positive"),
    ("cutoff: 250 ms", "cutoff: {use: keeping, least: 2}", "bad.yaml:39", "stack.network.cutoff.least", "0 and 1"),
    ("app: pairs", "app: pears", "bad.yaml:42", "flows.0.app", "'pears' is not an application", "mean 'pairs'?"),
    ("from: Alice", "from: alice", "bad.yaml:43", "flows.0.from", "'alice' is not a node", "mean 'Alice'?"),
    ("from: Alice", "from: Zebra", "bad.yaml:43", "'Zebra' is not a node", "Nodes: Alice, Bob, Carol."),
    ("from: Alice", "from: 12", "bad.yaml:43", "flows.0.from", "'12'", "expected text"),
    ("from: Alice", "from:", "bad.yaml:43", "null", "expected text"),
    ("to: Carol", "to: Alice", "bad.yaml:44", "flows.0.to", "'Alice'", "two ends"),
    ("min_fidelity: 0.75", "min_fidelity: 75", "bad.yaml:45", "flows.0.min_fidelity", "'75'", "between 0 and 1"),
    ("min_fidelity: 0.75", "min_fidelity: 0.999", "bad.yaml:45", "out of reach over Alice - Bob - Carol", "Slowest"),
    ("number: 3", "number: 0", "bad.yaml:46", "flows.0.number", "at least 1"),
    ("number: 3", "number: 3.0", "bad.yaml:46", "'3.0'", "expected an integer"),
    ("number: 3", "number: 1e30", "bad.yaml:46", "flows.0.number"),
    ("number: 3", "number: 99999999999", "bad.yaml:46", "less than 2147483648"),
    ("start: 1 ms", "start: 20 s", "bad.yaml:47", "flows.0.start", "after the run has ended"),
    ("start: 1 ms", "start: -1 ms", "bad.yaml:47", "'-1 ms'", "must not be negative"),
    ("start: 1 ms", "start: 0.5 ps", "bad.yaml:47", "at least 1 ps"),
    ("until: 10 s", "until: -10 s", "bad.yaml:49", "run.until", "'-10 s': a duration must be positive."),
    ("until: 10 s", "until: inf", "bad.yaml:49", "a run must end"),
    ("until: 10 s", "until: 10", "bad.yaml:49", "'10'", "needs a unit: ps, ns, us"),
    ("until: 10 s", "until: soon", "bad.yaml:49", "'soon'", "a number with a unit"),
    ("until: 10 s", "until: 1 ns", "bad.yaml:47", "after the run has ended"),
    ("seed: 7", "seed: -7", "bad.yaml:50", "run.seed", "'-7'", "at least 0"),
    ("seed: 7", "seed: 7.0", "bad.yaml:50", "'7.0'", "expected an integer"),
    ("seed: 7", "seed: 7.5", "bad.yaml:50", "'7.5'", "expected an integer"),
    ("seed: 7", "seed: true", "bad.yaml:50", "true", "expected an integer"),
    ("seed: 7", 'seed: "7"', "bad.yaml:50", "'7'", "expected an integer"),
    ("seed: 7", "seed: 9223372036854775808", "bad.yaml:50", "less than 9223372036854775808"),
    ("seed: 7", f"seed: {'9' * 5000}", "bad.yaml"),
    ("tier: correlators", "tier: corelators", "bad.yaml:51", "run.tier", "mean 'correlators'?"),
    ("attempts: skip", "attempts: skp", "bad.yaml:52", "run.attempts", "skip, each", "mean 'skip'?"),
    ("    - Carol\n", "    - Carol\n    - Alice\n", "bad.yaml:7", "network.nodes.3", "a node of this name already"),
    ("    - Carol\n", "    - Carol\n    -\n", "bad.yaml:7", "network.nodes.3"),
    ("    - Carol\n", f"    - {'C' * 65}\n", "bad.yaml:6", "64 characters"),
    ("      b: Carol", "      b: Alice", "bad.yaml:11", "a link Bob - Alice already"),
    ("      b: Carol", "      b: Bob", "bad.yaml:11", "a link from 'Bob' to itself"),
    ("      b: Carol", "      b: carol", "bad.yaml:12", "network.links.1.b", "'carol' is not a node", "'Carol'?"),
    ("to: Carol", "to: Dave\n    to: Carol", "bad.yaml:45", "broken YAML", "to", "twice"),
    ("    - Carol\n", "    - Carol\n    - Dave\n", "flows.0"),
    ("  nodes:\n    - Alice\n    - Bob\n    - Carol\n", "  nodes: Alice\n", "bad.yaml:3", "'Alice'", "expected a list"),
    ("  nodes:\n    - Alice\n    - Bob\n    - Carol\n", "  nodes: []\n", "bad.yaml:3", "no nodes"),
    ("  nodes:\n    - Alice\n    - Bob\n    - Carol\n", "  chain: 3\n", "bad.yaml:3", "exactly one way|a mapping"),
    ("  nodes:\n    - Alice\n", "  topology: none.json\n  nodes:\n    - Alice\n", "exactly one way", "none.json"),
    ("  hardware:\n    all:\n", "  hardware:\n    at:\n", "bad.yaml:20", "expected a list"),
    ("run:\n  until: 10 s\n", "run:\n", "bad.yaml:48", "run.until", "is missing"),
    ("name: two links\n", "", "bad.yaml:1", "name", "is missing"),
    ("name: two links\n", "name: []\n", "bad.yaml:1", "a list: expected text"),
    ("name: two links\n", "name: ''\n", "bad.yaml:1", "must not be empty"),
    ("name: two links\n", "<<: 3\n", "bad.yaml"),
    ("name: two links\n", "? [a, b]\n: c\nname: x\n", "bad.yaml", "is not a key here"),
]


def change(good: str, old: str, new: str) -> str:
    assert good.count(old) >= 1
    head, _, tail = good.partition(old)
    return head + new + tail


@pytest.mark.requirement("QS-PL-011")
@pytest.mark.parametrize(("old", "new", "fragments"), [(o, n, f) for o, n, *f in SCENARIO])
def test_a_wrong_value(qstack, tmp_path, monkeypatch, good, old, new, fragments):
    monkeypatch.chdir(tmp_path)
    if old == "    - Carol\n" and "Dave" in new:  # a network that is cut
        good, fragments = good.replace("to: Carol", "to: Dave"), ("bad.yaml:45", "flows.0.to", "the network is cut")
    (tmp_path / "bad.yaml").write_text(change(good, old, new), encoding="utf-8")
    begin = process_time()
    said = qstack("check", "bad.yaml")
    assert process_time() - begin < 1
    assert (said.code, said.out) == (2, "")
    for fragment in fragments:
        assert any(part in said.err for part in fragment.split("|")), said.err
    assert re.search(r"^\d+ errors?; nothing was run\.$", said.err, re.MULTILINE)
    assert max(len(line) for line in said.err.splitlines()) < 250
    again = qstack("run", "bad.yaml", "--out", "out", "--trace", "trace.jsonl")
    assert (again.code, again.out, again.err) == (2, "", said.err)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.yaml"]


def test_the_good_scenario_is_good(qstack, tmp_path, good):
    (tmp_path / "good.yaml").write_text(good)
    said = qstack("check", tmp_path / "good.yaml")
    assert (said.code, said.err) == (0, "")
    assert "No errors." in said.out
    assert qstack("run", tmp_path / "good.yaml", "--quiet").code == 0


WHOLE = {
    "empty": ("", "is empty"),
    "spaces": ("  \n\n", "is empty"),
    "comments": ("# nothing\n# at all\n", "is empty"),
    "null": ("null\n", "is empty"),
    "text": ("hello\n", "expected a mapping"),
    "number": ("3\n", "expected a mapping"),
    "list": ("- name: x\n", "expected a mapping"),
    "tabs": ("name: x\nnetwork:\n\tchain: 3\n", "bad.yaml:3", "broken YAML", "indent with spaces"),
    "bracket": ("name: x\nnetwork: {chain: [1, 2\nrun: 3\n", "bad.yaml:", "broken YAML"),
    "quote": ("name: 'x\n", "bad.yaml:", "broken YAML"),
    "colon": ("name: a: b\n", "bad.yaml:1", "broken YAML"),
    "twice": ("name: x\nrun: {until: 1 s}\nname: y\n", "bad.yaml:3", "broken YAML", "name", "twice"),
    "two": ("name: x\n---\nname: y\n", "broken YAML"),
    "control": ("name: x\x00\n", "broken YAML"),
    "alias": ("name: *nobody\n", "bad.yaml:1", "broken YAML"),
    "itself": ("name: x\nnetwork: &a\n  links: *a\n", "bad.yaml:2|bad.yaml:3", "contains itself"),
    "laughs": (
        "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{b}: &{b} [{','.join(['*' + a] * 10)}]\n" for a, b in zip("abcdefg", "bcdefgh", strict=True)),
        "holds more than",
    ),
    "deep": ("name: " + "[" * 3000 + "]" * 3000 + "\n", "broken YAML", "too deep"),
    "tag": ("name: !!python/object:os.system x\n", "bad.yaml:1|bad.yaml"),
    "json": ('{"name": "x", "flows": [}', "bad.yaml:1", "broken YAML"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_wrong_file(qstack, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    text, *fragments = WHOLE[name]
    (tmp_path / "bad.yaml").write_text(text, encoding="utf-8", newline="\n")
    said = qstack("run", "bad.yaml", "--out", "out")
    assert (said.code, said.out) == (2, "")
    for fragment in fragments:
        assert any(part in said.err for part in fragment.split("|")), said.err
    assert "nothing was run." in said.err
    assert not (tmp_path / "out").exists()


def test_no_file_a_folder_and_no_text(qstack, tmp_path):
    (tmp_path / "latin.yaml").write_bytes("name: caf\xe9\n".encode("latin-1"))
    for path, words in (("none.yaml", "there is no such file"), (".", "is a folder"), ("latin.yaml", "not UTF-8")):
        said = qstack("check", tmp_path / path)
        assert said.code == 2
        assert f"{tmp_path / path}" in said.err
        assert words in said.err


def test_a_byte_order_mark_and_crlf_are_no_errors(qstack, tmp_path, good):
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbf" + good.replace("\n", "\r\n").encode())
    assert qstack("check", tmp_path / "bom.yaml").code == 0


def test_several_errors_are_told_at_once_in_the_order_of_lines(qstack, tmp_path, good):
    bad = good.replace("20 km", "-20 km").replace("seed: 7", "seed: x").replace("app: pairs", "ap: pairs")
    (tmp_path / "bad.yaml").write_text(bad)
    said = qstack("check", tmp_path / "bad.yaml")
    lines = [int(n) for n in re.findall(r"bad\.yaml:(\d+)", said.err)]
    assert lines == [10, 42, 50]
    assert said.err.endswith("3 errors; nothing was run.\n")


@pytest.mark.requirement("QS-PL-011")
def test_every_error_has_the_form_of_the_documentation(qstack, tmp_path, monkeypatch, good):
    monkeypatch.chdir(tmp_path)
    bad = good.replace("like: textbook", "like: textbok").replace("until: 10 s", "until: -120 s")
    (tmp_path / "scenario.yaml").write_text(bad)
    first, *more, place, end = qstack("check", "scenario.yaml").err.splitlines()
    installed = ", ".join(sorted(package.manager().platforms))  # whatever plugins are installed here
    assert first == "scenario.yaml:21 network.hardware.all.like  'textbok' is not a hardware platform."
    assert all(line.startswith(" " * 17) for line in more)
    assert " ".join(" ".join(more).split()) == f"Installed: {installed}. Did you mean 'textbook'?"
    assert place == "scenario.yaml:49 run.until  '-120 s': a duration must be positive."
    assert end == "2 errors; nothing was run."


KEY = re.compile(r"^(\s*(?:- )?)([a-z_]+):(?=\s|$)", re.MULTILINE)


def spoilt(text):
    """Yield every text with one key misspelt, its line, and the key."""
    for match in KEY.finditer(text):
        key = match[2]
        wrong = key[:-2] + key[-1] + key[-2] if len(key) > 4 and key[-1] != key[-2] else key + key[-1]
        yield text[: match.start(2)] + wrong + text[match.end(2) :], text[: match.start(2)].count("\n") + 1, key, wrong


@pytest.mark.slow
@pytest.mark.requirement("QS-PL-011")
def test_every_key_of_the_examples_misspelt_is_told_at_its_line(qstack, tmp_path, monkeypatch, examples):
    told_at_its_line(qstack, tmp_path, monkeypatch, examples)


@pytest.mark.requirement("QS-PL-011")
def test_every_key_misspelt_is_told_at_its_line(qstack, tmp_path, monkeypatch, good):
    told_at_its_line(qstack, tmp_path, monkeypatch, {"good": good})


def told_at_its_line(qstack, tmp_path, monkeypatch, texts):
    """Misspell every key of some scenarios in turn."""
    monkeypatch.chdir(tmp_path)
    for name, text in texts.items():
        cases = list(spoilt(text))
        assert len(cases) > 12
        for bad, line, key, wrong in cases:
            (tmp_path / "bad.yaml").write_text(bad, encoding="utf-8")
            said = qstack("check", "bad.yaml")
            assert said.code == 2, (name, wrong)
            told = [t for t in re.split(r"\n(?=bad\.yaml)", said.err) if t.startswith(f"bad.yaml:{line} ")]
            assert any("is not a key here" in t and f"Did you mean '{key}'?" in t for t in told), said.err
            assert any(f"{wrong}  " in t for t in told)


def test_examples_have_plain_keys_one_on_a_line(examples):
    assert len(examples) >= 2
    for text in examples.values():
        for line in text.splitlines():
            if line.strip() and not line.lstrip().startswith("#"):
                assert re.fullmatch(r"\s*(- )?[a-z_]+:( [^{}\[\]]+)?|\s*- [\w. ]+", line), line
