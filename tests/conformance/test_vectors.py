"""Vectors are in step with what they were made of, the reference replays them, and another subject is found out."""

from __future__ import annotations

import json
import math
from pathlib import Path

import jsonschema
import pytest

from qstack import api
from qstack.cli import invoke
from qstack.conformance import lines, vectors
from qstack.conformance.judge import tests_of as suite_tests
from qstack.conformance.profiles import PROFILES, find
from qstack.core.errors import WireError
from qstack.plugin.contracts import Platform
from qstack.plugin.links import Arm
from qstack.wire.codec import LAYOUTS, encode

FOLDER = Path(__file__).parents[2] / "specs" / "vectors"
NAMES = (*(f"{profile}.json" for profile in vectors.REFERENCES), "codec.json", "physics.json")


@pytest.fixture(scope="module")
def manager():
    return api.manager()


@pytest.fixture(scope="module")
def made(manager):
    return vectors.files(manager)


def content(name):
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


def alike(one, other):
    """Compare data; the last digits of a float depend on the machine."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return one == other


@pytest.mark.requirement("QS-CF-266")
@pytest.mark.parametrize("name", NAMES)
def test_what_is_published_is_what_the_command_writes(name, made):
    assert alike(content(name), json.loads(made[name])), "write them again: qstack spec vectors specs/vectors"


def test_nothing_else_is_published():
    assert {path.name for path in FOLDER.iterdir()} == {*NAMES, "README.md", "vectors.schema.json"}


def test_the_comparison_can_fail():
    assert not alike({"a": [1.0, "x"]}, {"a": [1.1, "x"]})
    assert not alike({"a": [1.0, "x"]}, {"a": [1.0, "y"]})
    assert not alike([1], [1, 2])


@pytest.mark.parametrize("name", NAMES)
def test_files_have_the_form_that_is_published(name):
    jsonschema.validate(content(name), json.loads((FOLDER / "vectors.schema.json").read_text(encoding="utf-8")))


@pytest.mark.parametrize("profile", vectors.REFERENCES)
def test_the_reference_replays_its_dialogues(profile, manager):
    data = content(f"{profile}.json")
    subject = find(manager, vectors.REFERENCES[profile], profile)
    assert vectors.differing(subject.make, data) == []
    told = {test["test"] for test in data["tests"]}
    everything = {
        name
        for name in suite_tests(PROFILES[profile].suite)
        if not hasattr(getattr(PROFILES[profile].suite, name), "course")
    }
    assert told <= everything
    assert 4 * len(told) >= 3 * len(everything) or profile == "router"


def test_another_layer_answers_otherwise(manager):
    data = content("link.json")
    found = vectors.differing(find(manager, "reference", "network").make, data)
    assert len(found) == len(data["tests"])
    assert "step 0: " in found[0]


def test_messages_become_their_bytes_and_back():
    data = content("codec.json")
    own = {lines.name_of(cls) for cls in LAYOUTS if cls.__module__.startswith("qstack.wire")}
    assert {one["message"]["noun"] for one in data["messages"]} == own
    for one in data["messages"]:
        message = lines.noun_of(one["message"])
        assert encode(message).hex() == one["hex"]
        assert vectors.read(type(message), bytes.fromhex(one["hex"])) == message
    kinds = lines.kinds()
    for one in data["refused"]:
        with pytest.raises(WireError):
            vectors.read(kinds[one["kind"]], bytes.fromhex(one["hex"]))


def test_models_made_from_their_sheets_declare_the_same(manager):
    for one in content("physics.json")["platforms"]:
        sheet = {key: one[key] for key in ("name", "memory", "interface")}
        made = Platform.model_validate(sheet, context={"plugins": manager})
        for told in one["decay"]:
            decay = made.memory.decay(told["age_s"])
            assert [decay.xy, decay.z, decay.shift] == pytest.approx([told["xy"], told["z"], told["shift"]])
        links = [link for link in one["links"] if "heralds" in link]
        assert links
        for link in links:
            arms = tuple(Arm(arm["transmission"], int(arm["delay"])) for arm in link["arms"])
            heralds = made.interface.herald(made.interface, arms)
            assert [h.probability for h in heralds] == pytest.approx([h["probability"] for h in link["heralds"]])
            assert [str(at) for at in made.interface.reply(arms)] == link["reply"]


def test_the_command_writes_them(tmp_path, capsys):
    assert not invoke(["spec", "vectors", str(tmp_path / "out")])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(NAMES)
    assert f"Written: {tmp_path / 'out' / 'codec.json'}" in capsys.readouterr().out
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as ended:
        raise SystemExit(invoke(["spec", "vectors", str(tmp_path / "file")]))
    assert ended.value.code == 2


def test_a_folder_that_cannot_be_made_is_told(tmp_path, capsys):
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert invoke(["spec", "vectors", str(tmp_path / "file" / "below")]) == 2
    assert "file/below  cannot be written: Not a directory." in capsys.readouterr().err
