"""Verdicts as files: YAML for machines, JUnit XML for pipelines, a page for browsers, a badge for a README.

The same verdicts give the same bytes: there is no date in them.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from qstack.conformance.page import COLOURS, as_page
from qstack.conformance.report import Judged, summary
from qstack.conformance.specification import Specification
from qstack.core.errors import ConfigError
from qstack.plugin.spelling import nearest


def own_version() -> str:
    """Return which judge this is."""
    try:
        return version("qstack-reference")
    except PackageNotFoundError:
        return "unknown"


def as_yaml(judged: Sequence[Judged], specification: Specification) -> str:
    """Return the report that `compare` reads."""
    content = {
        "judge": f"qstack-reference {own_version()}",
        "specification": {"requirements": sum(1 for _ in specification), "digest": specification.digest},
        "subjects": [
            {
                "implementation": one.name,
                "version": one.version,
                "profile": one.profile,
                **({"features": list(one.features)} if one.features is not None else {}),
                "reproduce": one.reproduce,
                "results": {
                    v.id: {
                        "verdict": v.verdict,
                        "level": v.level,
                        **({"test": v.test} if v.test else {}),
                        **({"detail": v.detail} if v.detail else {}),
                    }
                    for v in one.verdicts
                },
            }
            for one in judged
        ],
        "summary": summary([v for one in judged for v in one.verdicts]),
    }
    out = StringIO()
    writer = YAML()
    writer.width = 120
    writer.dump(content, out)
    return out.getvalue()


def as_junit(judged: Sequence[Judged], specification: Specification) -> str:
    """Return the report as JUnit XML: a suite for each subject, a case for each requirement."""
    root = ET.Element("testsuites", name=f"qstack {specification.digest[:12]}")
    for one in judged:
        words = [v.verdict for v in one.verdicts]
        suite = ET.SubElement(
            root,
            "testsuite",
            name=f"{one.name} as {one.profile}",
            tests=str(len(words)),
            failures=str(words.count("fail")),
            skipped=str(sum(word not in {"pass", "fail"} for word in words)),
        )
        for v in one.verdicts:
            case = ET.SubElement(
                suite, "testcase", classname=f"{one.profile}.{one.name}", name=f"{v.id} {v.test}".strip()
            )
            if v.verdict == "fail":
                ET.SubElement(case, "failure", message=v.text).text = _printable(v.detail)
            elif v.verdict != "pass":
                ET.SubElement(case, "skipped", message=f"{v.verdict}: {_printable(v.detail)}")
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _printable(text: str) -> str:
    """Return a text without what XML does not allow."""
    return "".join(c if c in "\n\t" or ord(c) >= 32 else f"\\x{ord(c):02x}" for c in text)


def as_html(judged: Sequence[Judged], specification: Specification) -> str:
    """Return the report as one page that needs nothing else."""
    return as_page(judged, f"qstack-reference {own_version()}", specification.digest)


def as_badge(judged: Sequence[Judged], specification: Specification) -> str:
    """Return a badge with how many requirements passed, green if none failed."""
    words = [v.verdict for one in judged for v in one.verdicts]
    failures = words.count("fail")
    text = f"{words.count('pass')} passed" + (f", {failures} failed" if failures else "")
    colour = COLOURS["fail" if failures else "pass"][0]
    right = 14 + 7 * len(text)
    about = f"qstack {specification.digest[:7]}"
    left, right = (16 + 6 * len(words) for words in (about, text))
    halves = ((about, left / 2, 6 * len(about)), (text, left + right / 2, 6 * len(text)))
    drawn = "".join(f'<text x="{x:g}" y="14" textLength="{length}">{words}</text>' for words, x, length in halves)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" aria-label="{about}: {text}">'
        f'<title>{about}: {text}</title><clipPath id="r"><rect width="{left + right}" height="20" rx="4"/></clipPath>'
        f'<g clip-path="url(#r)"><rect width="{left}" height="20" fill="#44464d"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{colour}"/></g>'
        f'<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">{drawn}</g></svg>\n'
    )


WRITERS: Mapping[str, Callable[[Sequence[Judged], Specification], str]] = {
    ".html": as_html,
    ".svg": as_badge,
    ".xml": as_junit,
    ".yaml": as_yaml,
}


def check(file: Path) -> None:
    """Refuse a file that no report can become, before the judge begins.

    Raises
    ------
    ConfigError
        If its name does not say which report it is, or its folder is not there.
    """
    if file.suffix not in WRITERS:
        hint = nearest(file.suffix, WRITERS)
        raise ConfigError(f"--report {file}  '{file.suffix}' is no report; allowed: {', '.join(WRITERS)}.{hint}")
    if not file.parent.is_dir():
        raise ConfigError(f"--report {file}  cannot be written: there is no folder {file.parent}.")


def write(file: Path, judged: Sequence[Judged], specification: Specification) -> None:
    """Write one report.

    Raises
    ------
    ConfigError
        If it cannot be written.
    """
    try:
        file.write_text(WRITERS[file.suffix](judged, specification), encoding="utf-8", newline="\n")
    except OSError as error:
        raise ConfigError(f"--report {file}  cannot be written: {error.strerror}.") from error


# -- comparing --------------------------------------------------------------------------------------------------------


def read(file: Path) -> tuple[str, dict[tuple[str, str, str], str]]:
    """Return the digest and every verdict of a YAML report.

    Raises
    ------
    ConfigError
        If it is none.
    """
    try:
        content: Any = YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8"))
        found = {
            (str(one["implementation"]), str(one["profile"]), str(number)): str(result["verdict"])
            for one in content["subjects"]
            for number, result in one["results"].items()
        }
        digest = str(content["specification"]["digest"])
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"{file}  cannot be read: {getattr(error, 'strerror', None) or error}.") from error
    except (YAMLError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{file}  is not a report that `qstack conform --report {file.name}` has written.") from error
    return digest, found


def compare(old: Path, new: Path) -> tuple[list[str], bool]:
    """Return what changed between two YAML reports, and whether something that passed passes no more.

    Raises
    ------
    ConfigError
        If one of them is no report.
    """
    (before, first), (after, second) = read(old), read(new)
    lines = [] if before == after else [f"specification {before[:12]} -> {after[:12]}"]
    count = {"gained": 0, "lost": 0, "changed": 0}
    for key in sorted(first.keys() | second.keys()):
        was, now = first.get(key, "absent"), second.get(key, "absent")
        if was == now:
            continue
        word = "lost" if was == "pass" else "gained" if now == "pass" else "changed"
        count[word] += 1
        lines.append(f"{word:<8} {key[2]}  {key[0]} as {key[1]}: {was} -> {now}")
    lines.append(", ".join(f"{number} {word}" for word, number in count.items()))
    return lines, count["lost"] > 0
