"""Data sheets are read when somebody wants them, and a bad one blames its plugin then."""

from __future__ import annotations

import pytest
from plugin_kit import plugin

import qstack
from qstack.core.errors import PluginError
from qstack.hardware.models import RelaxingMemory, TextbookInterface
from qstack.plugin.contracts import load_platforms
from qstack.plugin.manager import Manager

GOOD = """
name: good
title: A good one
memory: {kind: relaxing, relaxation_time: inf, coherence_time: 1 s}
interface: {kind: textbook, probability: 0.1, fidelity: 0.97, attempt_period: 1 ms, herald_after: 0 ms}
"""
SOURCE = """
from qstack.hardware.models import RelaxingMemory, TextbookInterface
from qstack.plugin.contracts import load_platforms

@hookimpl
def qstack_hardware():
    return load_platforms(Path({folder!r}), [RelaxingMemory, TextbookInterface])
"""


@pytest.fixture
def manager(tmp_path):
    """A manager with a plugin of three sheets, two of them bad."""
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(GOOD.replace("name: good", "name: bad").replace("0.97", "1.97"))
    (tmp_path / "other.yaml").write_text(GOOD)
    return Manager([plugin(SOURCE.format(folder=str(tmp_path)))])


def test_names_are_known_without_reading(tmp_path):
    (tmp_path / "broken.yaml").write_text("name: [")
    manager = Manager([plugin(SOURCE.format(folder=str(tmp_path)))])
    assert list(manager.platforms) == ["broken"]
    assert "broken" in manager.platforms
    assert "good" not in manager.platforms
    assert len(manager.platforms) == 1
    with pytest.raises(PluginError, match=r"plugin 'acme' 1.0: broken.yaml is not YAML"):
        manager.platforms["broken"]


def test_a_sheet_is_read_once(manager):
    platform = manager.platforms["good"]
    assert isinstance(platform, qstack.Platform)
    assert platform.title == manager.found["hardware"]["", "good"].thing.title == "A good one"
    assert manager.platforms["good"] is platform


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("bad", r"plugin 'acme' 1.0: bad.yaml is not a platform: interface.fidelity: .*must lie between 0 and 1"),
        ("other", r"plugin 'acme' 1.0: other.yaml is not a platform: its name is 'good', not 'other'"),
    ],
)
def test_a_bad_sheet_blames_its_plugin(manager, name, words):
    with pytest.raises(PluginError, match=words):
        manager.platforms[name]


def test_a_sheet_whose_name_no_scenario_could_write_is_refused(tmp_path):
    (tmp_path / "No Name.yaml").write_text(GOOD)
    with pytest.raises(PluginError, match="a name is lower case"):
        Manager([plugin(SOURCE.format(folder=str(tmp_path)))])


def test_folder_without_sheets_offers_nothing(tmp_path):
    assert load_platforms(tmp_path, [RelaxingMemory, TextbookInterface]) == []
