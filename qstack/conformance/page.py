"""A judgement as a page that needs nothing else: failures with their dialogues first, everything else folded below."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape

from qstack.conformance.judge import RANK, Verdict, Word
from qstack.conformance.report import Judged, summary

COLOURS: dict[Word, tuple[str, str]] = {
    "pass": ("#256c38", "#7bd08f"),
    "fail": ("#a8201a", "#ff8f85"),
    "informational": ("#1f5f99", "#86bdf0"),
    "unsupported": ("#5f5f66", "#b0b0b8"),
    "not run": ("#7a5c00", "#e2c35b"),
}
"""Of each verdict on a light and on a dark page; all reach a contrast of 4.5 to 1 (WCAG 2.2, AA)."""
PAGE: dict[str, tuple[str, str]] = {
    "paper": ("#ffffff", "#17181c"),
    "ink": ("#1d1e22", "#e6e6ea"),
    "soft": ("#5f5f66", "#b0b0b8"),
    "line": ("#d9d9de", "#3a3b42"),
    "box": ("#f5f5f7", "#22242a"),
}
RULES = """
*{box-sizing:border-box}
body{font:16px/1.5 system-ui,"DejaVu Sans",sans-serif;max-width:68rem;margin:0 auto;padding:1.5rem 1rem 4rem;color:var(--ink);
background:var(--paper)}
h1{font-size:1.6rem;margin:0 0 .3rem}h2{font-size:1.25rem;margin:2.6rem 0 .2rem;padding-top:.8rem;border-top:1px solid var(--line)}
p{margin:.3rem 0}a{color:inherit}.soft{color:var(--soft)}
code,pre{font-family:ui-monospace,"DejaVu Sans Mono",monospace;font-size:.86em}
pre{margin:.7rem 0 0;padding:.7rem .9rem;overflow-x:auto;background:var(--box);border:1px solid var(--line);border-radius:6px;line-height:1.45}
table{border-collapse:collapse;width:100%;margin:.6rem 0}td,th{text-align:left;vertical-align:top;padding:.35rem .7rem .35rem 0;
border-bottom:1px solid var(--line)}th{font-weight:600;color:var(--soft)}
td.n{text-align:right;font-variant-numeric:tabular-nums}td.id,td.word,td.level,b{white-space:nowrap}
article{margin:1rem 0;padding:.8rem 1rem;border:1px solid var(--line);border-left:5px solid var(--fail);border-radius:6px}
summary{cursor:pointer;margin:.6rem 0;color:var(--soft)}b{font-weight:600}
.wrong{color:var(--fail)}.wanted{color:var(--pass)}
@media(max-width:40rem){.level{display:none}}
"""


def as_page(judged: Sequence[Judged], judge: str, digest: str) -> str:
    """Return the page.

    Parameters
    ----------
    judged
        Every subject and what became of it.
    judge, digest
        Who judged, by which specification.
    """
    every = [v for one in judged for v in one.verdicts]
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>Conformance: {escape(summary(every))}</title><style>{_style()}</style></head><body>",
        f"<h1>Conformance</h1><p>{_counts(every)}</p>",
        f'<p class="soft">Judged by {escape(judge)}, specification <code>{digest[:12]}</code>.</p>',
    ]
    if len(judged) > 1:
        parts += _contents(judged)
    for place, one in enumerate(judged, 1):
        parts += _subject(f"s{place}", one)
    return "\n".join([*parts, "</body></html>", ""])


def _style() -> str:
    tables = {word.replace(" ", "-"): pair for word, pair in COLOURS.items()} | PAGE
    light, dark = (";".join(f"--{name}:{pair[k]}" for name, pair in tables.items()) for k in (0, 1))
    words = "".join(f".{name}{{color:var(--{name})}}" for name in tables)
    return f":root{{color-scheme:light dark;{light}}}@media(prefers-color-scheme:dark){{:root{{{dark}}}}}{words}{RULES}"


def _word(word: Word, text: str = "") -> str:
    return f'<b class="{word.replace(" ", "-")}">{text or word}</b>'


def _counts(verdicts: Sequence[Verdict]) -> str:
    count = Counter(v.verdict for v in verdicts)
    said: list[tuple[Word, str]] = [("pass", "passed"), ("fail", "failed"), *((word, word) for word in RANK[2:])]
    return ", ".join(
        _word(word, f"{count[word]} {text}") if count[word] else f"0 {text}"
        for word, text in said
        if count[word] or word in RANK[:2]
    )


def _row(*cells: tuple[str, str], anchor: str = "") -> str:
    """Return a row of a table; a cell is its class and what stands in it."""
    name = f' id="{anchor}"' if anchor else ""
    shown = "".join(f'<td class="{kind}">{text}' if kind else f"<td>{text}" for kind, text in cells)
    return f"<tr{name}>{shown}</tr>"


def _contents(judged: Sequence[Judged]) -> Iterator[str]:
    """Return a line for each subject, those with failures first."""
    yield '<table><tr><th>subject<th>as<th class="level">version<th>verdicts</tr>'
    order = sorted(enumerate(judged, 1), key=lambda item: all(v.verdict != "fail" for v in item[1].verdicts))
    for place, one in order:
        name = f'<a href="#s{place}">{escape(one.name)}</a>'
        yield _row(("", name), ("", escape(one.profile)), ("level", escape(one.version)), ("", _counts(one.verdicts)))
    yield "</table>"


def _subject(place: str, one: Judged) -> Iterator[str]:
    yield f'<section><h2 id="{place}">{escape(one.name)} <span class="soft">as {escape(one.profile)}</span></h2>'
    yield f'<p>{_counts(one.verdicts)} <span class="soft">version {escape(one.version)}</span></p>'
    if one.features is not None:
        yield f'<p class="soft">Claims {escape(", ".join(one.features)) or "no feature"}.</p>'
    yield f"<p><code>{escape(one.reproduce)}</code></p>"
    for v in one.verdicts:
        if v.verdict == "fail":
            yield from _failure(place, v)
    others = sorted((v for v in one.verdicts if v.verdict != "fail"), key=lambda v: (RANK.index(v.verdict), v.id))
    if others:
        shown = "" if len(others) < len(one.verdicts) else " open"
        yield f"<details{shown}><summary>{len(others)} verdicts without a failure</summary><table>"
        for v in others:
            detail = f'<br><span class="soft">{escape(v.detail)}</span>' if v.detail else ""
            yield _row(
                ("id", f"<code>{v.id}</code>"),
                ("level", v.level),
                ("word", _word(v.verdict)),
                ("", f"{escape(v.text)}{detail}"),
                anchor=f"{place}-{v.id}",
            )
        yield "</table></details>"
    yield "</section>"


def _failure(place: str, v: Verdict) -> Iterator[str]:
    yield f'<article id="{place}-{v.id}"><p><code>{v.id}</code> {_word("fail")} <span class="soft">{v.level}</span></p>'
    yield f"<p>{escape(v.text)}</p>"
    yield f'<p class="soft">{escape(v.place)}; test <code>{escape(v.test)}</code></p>'
    if v.detail:
        dialogue = "\n".join(map(_line, v.detail.splitlines()))
        yield f"<pre>{dialogue}</pre>"
    yield "</article>"


def _line(line: str) -> str:
    """Return a line of a dialogue; what was wanted and what came instead stand out."""
    kind = {"-": "wanted", "+": "wrong"}.get(line.strip()[:1])
    return f'<span class="{kind}">{escape(line)}</span>' if kind else escape(line)
