"""What is wrong with a topology file is told like what is wrong with a scenario, with the file's name."""

from __future__ import annotations

import json

import pytest

TOPOLOGY = {"name": "t", "nodes": [{"id": "A"}, {"id": "B"}], "links": [{"a": "A", "b": "B", "length_km": 5}]}

TOPOLOGIES = {
    "broken": ('{"name": "t",\n "nodes": [}', "net.json:2", "broken JSON"),
    "tabs": ('{"name": "t",\n\t"nodes": 3, "links": []}', "net.json", "expected a list"),
    "twice": ('{"name": "t", "name": "u", "nodes": [], "links": []}', "net.json", "'name' stands twice"),
    "deep": ("[" * 100_000, "net.json", "broken JSON"),
    "digits": ('{"name": ' + "9" * 5000 + "}", "net.json", "broken JSON"),
    "a list": ("[]", "net.json", "a list: expected a mapping"),
    "no nodes": (json.dumps(TOPOLOGY | {"nodes": [], "links": []}), "net.json:1", "there are no nodes"),
    "missing": ('{"name": "t", "nodes": []}', "net.json:1", "links", "is missing"),
    "node twice": (
        json.dumps(TOPOLOGY | {"nodes": [{"id": "A"}, {"id": "B"}, {"id": "A"}]}, indent=1),
        "net.json:10",
        "nodes.2",
        "a node of this name already",
    ),
    "link twice": (
        json.dumps(TOPOLOGY | {"links": TOPOLOGY["links"] * 2}, indent=1),
        "net.json:17",
        "links.1",
        "a link A - B already",
    ),
    "unknown end": (
        json.dumps(TOPOLOGY | {"links": [{"a": "A", "b": "b", "length_km": 5}]}, indent=1),
        "net.json:14",
        "links.0.b",
        "'b' is not a node",
        "Did you mean 'B'?",
    ),
    "negative": (
        json.dumps(TOPOLOGY | {"links": [{"a": "A", "b": "B", "length_km": -5}]}, indent=1),
        "net.json:15",
        "links.0.length_km",
        "'-5'",
    ),
    "nan": ('{"name": "t", "nodes": [{"id": "A"}], "links": [{"a": "A", "b": "A", "length_km": NaN}]}', "net.json:1"),
    "long": (json.dumps(TOPOLOGY | {"nodes": [{"id": "A" * 65}]}), "net.json:1", "64 characters"),
    "unknown key": (json.dumps(TOPOLOGY | {"lnks": []}), "net.json:1", "Did you mean 'links'?"),
    "not utf-8": (b'{"name": "\xe9"}', "net.json", "not UTF-8"),
}


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_a_wrong_topology(qstack, tmp_path, good, name):
    text, *fragments = TOPOLOGIES[name]
    (tmp_path / "net.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    (tmp_path / "bad.yaml").write_text(with_topology(good, "net.json").replace("seed: 7", "seed: x"))
    said = qstack("check", tmp_path / "bad.yaml")
    assert said.code == 2
    for fragment in (*fragments, "run.seed"):  # the scenario's own errors are told too
        assert fragment in said.err
    assert said.err.endswith("errors; nothing was run.\n")


def with_topology(good: str, name: str) -> str:
    head, _, rest = good.partition("  nodes:")
    return f"{head}  topology: {name}\n  fibre:{rest.partition('  fibre:')[2]}"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("topologies/delft_eindhoven_pth.json", "Did you mean 'topologies/delft_eindhoven_path.json'?"),
        ("none.json", "is not a file beside the scenario or in the packaged data"),
        ("topologies", "is not a file"),
        ("''", "is not a file"),
        ("n" * 5000, "is not a file"),
    ],
)
def test_a_missing_topology(qstack, tmp_path, good, name, words):
    (tmp_path / "bad.yaml").write_text(with_topology(good, name))
    said = qstack("check", tmp_path / "bad.yaml")
    assert said.code == 2
    assert "bad.yaml:3 network.topology" in said.err
    assert words in said.err
