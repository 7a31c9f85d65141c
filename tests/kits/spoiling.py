"""Layers that break a rule: the reference with other answers to some nouns.

A spoiler is a function ``spoil(inner, noun, context)`` that gives the answers; `inner` is the handler it spoils.
"""

from __future__ import annotations

from pathlib import Path

from qstack.conformance.judge import failed, judge
from qstack.conformance.specification import load
from qstack.core.errors import ProtocolError
from qstack.core.layer import Layer
from qstack.core.nouns import Send

SPECIFICATION = load(Path(__file__).parents[2] / "specs")


def failures(suite, make):
    """Return the numbers of what a suite finds wrong, SHOULDs included."""
    return {verdict.id for verdict in failed(judge(suite, make, SPECIFICATION), strict=True)}


class Spoilt(Layer):
    """Layers as one, with other answers to nouns of some kinds; to all where there is no kind."""

    name = "spoilt"

    def __init__(self, layers, kinds, spoil):
        self.table = {kind: handler for layer in layers for kind, handler in layer.handlers().items()}
        for kind in kinds or self.table:
            self.table[kind] = lambda noun, ctx, inner=self.table[kind]: list(spoil(inner, noun, ctx))

    def handlers(self):
        return self.table


def edit(kind, change, where=lambda noun, ctx: True):
    """Change every answer of a kind, inside its Send too; what is changed into None is left out."""

    def spoil(inner, noun, ctx):
        for answer in inner(noun, ctx):
            content = answer.message if isinstance(answer, Send) else answer
            changed = change(content) if isinstance(content, kind) and where(noun, ctx) else content
            if changed is not None:
                yield Send(answer.peer, changed) if isinstance(answer, Send) else changed

    return spoil


def without(kind, where=lambda noun, ctx: True):
    """Leave answers of a kind out."""
    return edit(kind, lambda answer: None, where)


def more(extra):
    """Append what ``extra(answers, noun, context)`` gives."""

    def spoil(inner, noun, ctx):
        answers = list(inner(noun, ctx))
        return [*answers, *extra(answers, noun, ctx)]

    return spoil


def twice(kind):
    """Say answers of a kind a second time."""
    return more(lambda answers, noun, ctx: [a for a in answers if isinstance(a, kind)])


def swallow(inner, noun, ctx):
    """Take a broken peer's word, and a user's, for one that falls."""
    try:
        return list(inner(noun, ctx))
    except ProtocolError:
        return []


def nothing(inner, noun, ctx):
    """Do nothing at all."""
    return ()
