"""The runner of mutants: every mutant differs from its source in one place and can still be read."""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = '''\
"""Words."""


class Thing:
    """More words."""

    def waiting(self) -> int:
        return 1 + 1

    def grow(self, by: int = 2) -> int:
        if by < 3 and not self.small:
            self.size = by * 2
            yield self.size
        return by
'''


@pytest.fixture
def operators(monkeypatch):
    spec = importlib.util.spec_from_file_location("mutation_operators", Path(__file__).parent / "operators.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def test_each_kind_of_change_and_no_other(operators):
    changes = [(mutant.line, mutant.change) for mutant in operators.mutants(SOURCE)]
    assert sorted(changes) == sorted(
        [
            (10, "2 -> 3"),
            (11, "condition -> not"),
            (11, "And -> Or"),
            (11, "Lt -> LtE"),
            (11, "3 -> 4"),
            (11, "not x -> x"),
            (12, "without self.size = by * 2"),
            (12, "Mult -> Add"),
            (12, "2 -> 3"),
            (13, "without yield self.size"),
            (14, "returns nothing"),
        ]
    )


@pytest.mark.parametrize("name", ["link/schedulers.py", "network/circuit.py"])
def test_every_mutant_of_a_layer_differs_and_compiles(operators, name):
    source = (ROOT / "qstack" / name).read_text()
    usual = ast.dump(ast.parse(source))
    some = list(operators.mutants(source))[::7]
    assert some
    for mutant in some:
        tree = mutant.tree()
        compile(tree, name, "exec")
        assert ast.dump(tree) != usual
