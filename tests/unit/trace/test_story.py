"""The story of a pair: everything it goes back to, nothing it does not."""

from __future__ import annotations

import pytest

import qstack
from qstack.trace.sinks import JsonLines, Memory, read
from qstack.trace.story import flows_of, line, story


@pytest.fixture(scope="module")
def records():
    sink = Memory()
    qstack.load(
        {
            "name": "x",
            "network": {"chain": {"segments": 3, "length": "20 km"}, "hardware": {"all": "textbook"}},
            "flows": [
                {"name": "a", "from": "n0", "to": "n3", "number": 5},
                {"name": "b", "from": "n2", "to": "n1", "number": 4},
            ],
            "run": {"until": "10 s", "seed": 4},
        }
    ).run(trace=sink)
    return sink.records


def test_pairs_by_flow(records):
    assert flows_of(records) == {0: set(range(5)), 1: set(range(4))}


@pytest.mark.parametrize("pair", range(5))
def test_a_story_holds_both_ends_of_every_link_and_every_swap(records, pair):
    told = story(records, pair, 0)
    nouns = [record["noun"] for record in told]
    assert nouns.count("Consumed") == 2
    assert nouns.count("Swap") == 2
    assert nouns.count("Herald") >= nouns.count("Ok") >= 6  # three links, two ends each; earlier pairs renew requests
    assert {record["node"] for record in told} == {"n0", "n1", "n2", "n3"}
    assert nouns[0] == "Start"
    times = [int(record["time_ps"]) for record in told]
    assert times == sorted(times)
    ids = {record["id"] for record in told}
    assert all(record["cause"] is None or record["cause"] in ids for record in told)


def test_a_story_leaves_other_pairs_out(records):
    for record in story(records, 2, 0):
        if record["noun"] == "Consumed":
            assert (record["fields"]["flow"], record["fields"]["pair"]) == (0, 2)
    assert len(story(records, 2, 0)) < len(records) / 2


def test_every_cause_came_before(records):
    seen = set()
    for record in records:
        assert record["cause"] is None or record["cause"] in seen
        seen.add(record["id"])
    roots = {record["noun"] for record in records if record["cause"] is None}
    assert "Start" in roots
    assert "Herald" not in roots
    assert "Swapped" not in roots


def test_lines_are_written_and_read_again(records, tmp_path):
    path = tmp_path / "deep" / "trace.jsonl"
    sink = JsonLines(path)
    for record in records:
        sink.write(record)
    sink.close()
    assert list(read(path)) == records
    text = line(records[0])
    assert "Start(flow=0)" in text
    assert "n0" in text


def test_a_broken_line_is_named(tmp_path):
    path = tmp_path / "trace.jsonl"
    path.write_text('{"id": 1}\n')
    with pytest.raises(qstack.ConfigError, match=r"trace\.jsonl:1  is not a record"):
        list(read(path))
