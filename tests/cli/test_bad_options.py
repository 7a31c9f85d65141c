"""Options, manifests, plugins and traces that are wrong: one message, and the right exit code."""

from __future__ import annotations

import json

import pytest

import qstack as package

OPTIONS = [
    (["--set", "nonsense"], "--set nonsense", "expected KEY=VALUE"),
    (["--set", "=3"], "expected KEY=VALUE"),
    (["--set", "run..seed=3"], "expected KEY=VALUE"),
    (["--set", "run.seed=x"], "--set run.seed=x", "'x'", "expected an integer"),
    (["--set", "run.seed={"], "--set run.seed={", "broken YAML"),
    (["--set", "run.sede=3"], "--set run.sede=3", "run.sede", "Did you mean 'seed'?"),
    (["--set", "run.seed.deep=3"], "'run.seed' holds no keys"),
    (["--set", "flows.3.number=3"], "'3' is not an entry here; allowed: pairs."),
    (["--set", "flows.pears.number=3"], "allowed: pairs.", "Did you mean 'pairs'?"),
    (["--set", "flows.².number=3"], "is not an entry here"),
    (["--set", "network.links.7.length=3 km"], "allowed: 0 to 1."),
    (["--set", "network.hardware.all.memories=0"], "network.hardware.all.memories", "at least 1"),
    (["--set", "stack.link.scheduler=nope"], "stack.link.scheduler", "'nope' is not a scheduler"),
    (["--set", "flows="], "--set flows=", "expected a list"),
    (["--until", "nonsense"], "--until nonsense", "run.until", "a number with a unit"),
    (["--until", "-3 s"], "--until -3 s", "must be positive"),
    (["--until", "3"], "--until 3", "needs a unit"),
    (["--seed", "x"], "--seed", "not a valid integer"),
    (["--seed", "-1"], "--seed"),
    (["--seed", "1.5"], "--seed", "not a valid integer"),
    (["--seed", str(1 << 63)], "--seed"),
    (["--nope"], "No such option"),
    (["--out", "good.yaml"], "--out"),
    (["--out", "good.yaml/below"], "--out good.yaml/below", "cannot be written"),
    (["--trace", "good.yaml/below.jsonl"], "--trace good.yaml/below.jsonl", "cannot be written"),
    (["--trace", "trace.txt"], "trace.txt", "allowed endings: .jsonl"),
]


@pytest.mark.parametrize(("arguments", "fragments"), [(a, f) for a, *f in OPTIONS])
def test_a_wrong_option(qstack, tmp_path, monkeypatch, good, arguments, fragments):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.yaml").write_text(good)
    said = qstack("run", "good.yaml", *arguments)
    assert (said.code, said.out) == (2, "")
    for fragment in fragments:
        assert fragment in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["good.yaml"]


def test_a_mapping_and_a_seed_of_a_program_are_read_as_carefully(good):
    with pytest.raises(package.ConfigError, match=r"scenario.* name  is missing"):
        package.load({"network": {}})
    with pytest.raises(package.ConfigError, match="--seed -1"):
        package.load({"name": "x", "network": {}, "flows": [], "run": {"until": "1 s"}}, seed=-1)
    with pytest.raises(package.ConfigError, match="expected a mapping"):
        package.load({"name": "x", "network": 3, "flows": [], "run": {"until": "1 s"}})


def manifest_of(qstack, folder, good):
    (folder / "good.yaml").write_text(good)
    assert qstack("run", folder / "good.yaml", "--quiet", "--out", folder / "out").code == 0
    path = folder / "out" / "manifest.json"
    return path, json.loads(path.read_text())


def test_replay_of_what_is_no_manifest(qstack, tmp_path, good):
    path, manifest = manifest_of(qstack, tmp_path, good)
    short = {key: value for key, value in manifest.items() if key != "plugins"}
    cases = {
        "none.json": (None, "there is no such file"),
        "empty.json": ("", "broken JSON"),
        "list.json": ("[]", "is not a manifest"),
        "other.json": ('{"schema": "other"}', "is not a manifest"),
        "short.json": (json.dumps(short), "plugins  is missing"),
        "wrong.json": (json.dumps(manifest | {"plugins": ["x"]}), "plugins  a list: expected a mapping"),
        "seed.json": (json.dumps(manifest | {"seed": "x"}), "seed  'x': expected an integer"),
        "summary.json": ((path.parent / "summary.json").read_text(), "is not a manifest"),
    }
    for name, (text, words) in cases.items():
        if text is not None:
            (tmp_path / name).write_text(text)
        said = qstack("replay", tmp_path / name)
        assert (said.code, said.out) == (2, ""), name
        assert words in said.err
        assert str(tmp_path / name) in said.err


def test_replay_of_an_edited_manifest(qstack, tmp_path, good):
    path, manifest = manifest_of(qstack, tmp_path, good)
    manifest["scenario"]["flows"][0]["number"] = 2
    path.write_text(json.dumps(manifest))
    said = qstack("replay", path)
    assert said.code == 2
    assert "was changed: its digest does not fit" in said.err


def test_replay_with_another_seed_is_refused(qstack, tmp_path, good):
    path, manifest = manifest_of(qstack, tmp_path, good)
    path.write_text(json.dumps(manifest | {"seed": manifest["seed"] + 1}))
    said = qstack("replay", path)
    assert (said.code, said.out) == (2, "")
    assert "its seed is 8, but that of the scenario inside is another one" in said.err


def test_replay_with_another_summary_says_so(qstack, tmp_path, good):
    path, manifest = manifest_of(qstack, tmp_path, good)
    path.write_text(json.dumps(manifest | {"summary_sha256": "0" * 64, "versions": {"numpy": "0.1"}}))
    said = qstack("replay", path)
    assert said.code == 1
    assert "The summary differs from the recorded run (" in said.err
    assert "numpy 0.1 then" in said.err


def test_replay_without_a_plugin(qstack, tmp_path, good):
    path, manifest = manifest_of(qstack, tmp_path, good)
    manifest["plugins"]["acme-memories"] = "3.1"
    path.write_text(json.dumps(manifest))
    said = qstack("replay", path)
    assert said.code == 3
    assert "plugins that are not installed here: acme-memories 3.1" in said.err


def test_a_broken_inline_plugin(qstack, tmp_path, good):
    (tmp_path / "good.yaml").write_text(good)
    (tmp_path / "qstackfile.py").write_text("import nothing_of_this_name\n")
    said = qstack("check", tmp_path / "good.yaml")
    assert said.code == 3
    assert "qstackfile.py" in said.err
    assert "nothing_of_this_name" in said.err


def test_a_trace_that_is_none(qstack, tmp_path):
    for text, words in (("{}", "is not a record of a trace"), ("x", "broken JSON"), ("", "no delivered pair")):
        (tmp_path / "trace.jsonl").write_text(text)
        said = qstack("trace", tmp_path / "trace.jsonl")
        assert (said.code, said.out) == (2, "")
        assert words in said.err
    assert qstack("trace", tmp_path / "none.jsonl").code == 2
