"""How a program is changed: one expression or statement at a time, to something that would run as well."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Add,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitXor: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
WORDS = {"waiting", "__repr__"}
"""Methods that say something to people and that no peer or neighbour hears of."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: its number in the file, where it is, and what it does, in words."""

    number: int
    line: int
    code: str
    change: str
    module: ast.Module
    place: int
    replacement: ast.AST

    def tree(self) -> ast.Module:
        """Return the changed program."""
        changed = copy.deepcopy(self.module)
        target = list(ast.walk(changed))[self.place]
        for parent in ast.walk(changed):
            for name, value in ast.iter_fields(parent):
                if value is target:
                    setattr(parent, name, copy.deepcopy(self.replacement))
                elif isinstance(value, list):
                    value[:] = [copy.deepcopy(self.replacement) if one is target else one for one in value]
        return ast.fix_missing_locations(changed)


def mutants(source: str) -> Iterator[Mutant]:
    """Return every mutant of a program, in the order of its text."""
    module = ast.parse(source)
    lines = source.splitlines()
    skipped = set(_skipped(module))
    found = [
        (node.lineno, node.col_offset, place, change, replacement)
        for place, node in enumerate(ast.walk(module))
        if isinstance(node, ast.expr | ast.stmt) and node not in skipped
        for change, replacement in _changes(node)
    ]
    found.sort(key=lambda one: one[:4])
    for number, (line, _, place, change, replacement) in enumerate(found):
        yield Mutant(number, line, lines[line - 1].strip(), change, module, place, replacement)


def _skipped(module: ast.Module) -> Iterator[ast.AST]:
    """Return what is not changed: annotations, decorators, words for people, imports, and errors of the program itself."""
    for node in ast.walk(module):
        parts: list[ast.AST | None] = []
        if isinstance(node, ast.FunctionDef):
            parts = [node.returns, *node.decorator_list, *(arg.annotation for arg in node.args.args)]
            parts += [arg.annotation for arg in node.args.kwonlyargs]
            if node.name in WORDS:
                parts.append(node)
        elif isinstance(node, ast.AnnAssign):
            parts = [node.annotation]
        elif isinstance(node, ast.ClassDef):
            parts = [*node.decorator_list]
        elif isinstance(node, ast.Assert | ast.Import | ast.ImportFrom | ast.JoinedStr):
            parts = [node]
        for part in parts:
            if part is not None:
                yield from ast.walk(part)


def _changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Return what may be done to one node: words, and what stands in its place."""
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        yield "condition -> not", _with(node, ast.UnaryOp(ast.Not(), node.test))
    elif isinstance(node, ast.stmt):
        yield from _statement(node)
    elif isinstance(node, ast.Constant):
        yield from _constant(node)
    elif isinstance(node, ast.BoolOp):
        swapped = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield f"{_word(node.op)} -> {_word(swapped)}", ast.BoolOp(swapped, node.values)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "not x -> x", node.operand
    elif isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in COMPARISONS:
        other = COMPARISONS[type(node.ops[0])]
        yield f"{_word(node.ops[0])} -> {_word(other())}", ast.Compare(node.left, [other()], node.comparators)
    elif isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        other_op = ARITHMETIC[type(node.op)]
        yield f"{_word(node.op)} -> {_word(other_op())}", ast.BinOp(node.left, other_op(), node.right)


def _statement(node: ast.stmt) -> Iterator[tuple[str, ast.AST]]:
    """Return what may be done to a statement: it is left out, or returns nothing; names stay bound."""
    said = isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant)
    bound = isinstance(node, ast.Assign) and not isinstance(node.targets[0], ast.Name | ast.Tuple)
    if said or bound or isinstance(node, ast.AugAssign | ast.Delete | ast.Continue | ast.Break):
        yield f"without {ast.unparse(node)[:60]}", ast.Pass()
    elif isinstance(node, ast.Return) and node.value is not None and ast.unparse(node.value) != "()":
        yield "returns nothing", ast.Return(ast.Tuple([], ast.Load()))


def _with(node: ast.If | ast.While | ast.IfExp, test: ast.expr) -> ast.AST:
    changed = copy.copy(node)
    changed.test = test
    return changed


def _constant(node: ast.Constant) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node.value, bool):
        yield f"{node.value} -> {not node.value}", ast.Constant(not node.value)
    elif isinstance(node.value, int):
        yield f"{node.value} -> {node.value + 1}", ast.Constant(node.value + 1)


def _word(operator: ast.AST) -> str:
    return type(operator).__name__
