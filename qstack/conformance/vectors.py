"""Vectors for implementations in any language: dialogues with layers, messages and their bytes, physics of models.

A dialogue is what goes over the pipe (`qstack.conformance.program`) when a suite judges the reference: the questions of
the judge, each with its answer.  It shows one way to conform: what the texts leave open another subject may do
otherwise, and the suites, not the vectors, say whether it may.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, fields, replace
from itertools import chain, product
from pathlib import Path
from typing import Any, cast

from qstack.conformance import lines
from qstack.conformance.hardware import AGES_S, FIBRES
from qstack.conformance.judge import tests_of
from qstack.conformance.marks import Informational
from qstack.conformance.pipe import Answerer
from qstack.conformance.profiles import PROFILES, find
from qstack.conformance.program import Program
from qstack.core.errors import ConfigError, PhysicsError, WireError
from qstack.core.nouns import Noun
from qstack.plugin.contracts import Platform
from qstack.plugin.manager import REFERENCE, Manager
from qstack.wire.codec import LAYOUTS, decode, decode_as, encode

REFERENCES: Mapping[str, str] = {
    "physical": "reference",
    "link": "reference",
    "network": "reference",
    "transport": "reference",
    "router": "shortest",
}
"""Profiles with dialogues, and whose they are."""
LONGEST = 100
"""Questions of the longest dialogue that is kept; two ends on a lossy bench may talk for longer."""
FOLDER = "vectors"
"""Where the vectors stand in a folder of specifications."""

INTEGERS = (1, 0, 2, 255, 1_000_000, 10**12, (1 << 32) - 1, -1)
VALUES: Mapping[str, Sequence[Any]] = {
    "bool": (True, False),
    "float": (0.75, 0.5, 1.0, 0.0),
    "int": INTEGERS,
    "tuple[float, ...]": ((0.75,), (0.5, 1.0), ()),
    "tuple[int, ...]": ((), (0,), (1, 2), (0, 1, 1), (7, 300, 70_000)),
}
"""Values that fields are tried with, by the type of the field."""
WRONG: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (
    ("cut short", lambda data: data[:-1]),
    ("of another version", lambda data: bytes([data[0] ^ 0x20]) + data[1:]),
    ("longer than it says", lambda data: data + b"\0"),
)
"""What makes a message none."""


class Heard(Program):
    """A program without a process, whose questions and answers are written down."""

    def __init__(self, make: Any, profile: str) -> None:
        self.profile = profile
        self.asked = self.made = 0
        self.answerer = Answerer(make)
        self.dialogue: list[dict[str, Any]] = []

    def ask(self, do: str, **content: Any) -> dict[str, Any]:
        """Ask, as over the pipe.

        Raises
        ------
        QstackError
            If that is the answer.
        """
        question = json.loads(json.dumps({"do": do, **content}))
        answer = json.loads(json.dumps(self.answerer.answer(question)))
        self.dialogue.append({**question, "answer": answer})
        return self.obeyed(answer)


def dialogues(manager: Manager, profile: str) -> dict[str, Any]:
    """Return what the tests of a profile and the reference say to each other."""
    made = find(manager, REFERENCES[profile], profile).make
    suite = PROFILES[profile].suite
    tests = []
    places: dict[str, Any] = {}
    for name, numbers in tests_of(suite).items():
        test = getattr(suite(), name)
        heard = Heard(made, profile)
        if not hasattr(test, "course"):
            with suppress(Informational):
                test(heard.router if profile == "router" else heard.layer)
        if 0 < len(heard.dialogue) <= LONGEST:
            told = [_placed(one, places) for one in heard.dialogue]
            tests.append({"test": name, "requirements": list(numbers), "dialogue": told})
    return {"profile": profile, "subject": REFERENCES[profile], "places": places, "tests": tests}


def _placed(question: dict[str, Any], places: dict[str, Any]) -> dict[str, Any]:
    """Return a question in which a place is named instead of written out again."""
    for key in ("site", "view"):
        if key in question:
            text = json.dumps(question[key])
            known = {json.dumps(place): name for name, place in places.items()}
            name = known.get(text, f"{key} {len(places)}")
            places[name] = question[key]
            return {**question, key: name}
    return question


def questions(data: Mapping[str, Any], test: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield question and answer of a dialogue, as they go over the pipe."""
    for one in test["dialogue"]:
        question = {key: value for key, value in one.items() if key != "answer"}
        for key in ("site", "view"):
            if key in question:
                question[key] = data["places"][question[key]]
        yield question, one["answer"]


def differing(make: Any, data: Mapping[str, Any]) -> list[str]:
    """Return where a subject answers otherwise than a file of dialogues; a dialogue ends at its first difference."""
    found = []
    for test in data["tests"]:
        answerer = Answerer(make)
        for step, (question, answer) in enumerate(questions(data, test)):
            said = json.loads(json.dumps(answerer.answer(question)))
            if said != answer:
                found.append(f"{test['test']}, step {step}: {json.dumps(said)} instead of {json.dumps(answer)}")
                break
    return found


# -- messages ---------------------------------------------------------------------------------------------------------


def messages(cls: type[Noun]) -> list[Noun]:
    """Return messages of a kind: one, and the same with each of its fields changed to every value that it can have."""
    kinds = {one.name: str(one.type) for one in fields(cast("Any", cls))}
    alike = [_values(kinds, number, several) for number, several in product(INTEGERS, range(5))]
    one_other = ({**values, name: 0} for values in alike for name in kinds)
    base = next(made for values in chain(alike, one_other) if (made := _carried(cls(**values))) is not None)
    found = [base]
    for name, kind in kinds.items():
        for value in VALUES[kind]:
            changed = _carried(replace(cast("Any", base), **{name: value}))
            if changed is not None and changed not in found:
                found.append(changed)
    return found


def _values(kinds: Mapping[str, str], number: int, several: int) -> dict[str, Any]:
    """Return the same value for all fields of a type."""
    return {
        name: number if kind == "int" else VALUES[kind][several % len(VALUES[kind]) if "tuple" in kind else 0]
        for name, kind in kinds.items()
    }


def _carried(message: Noun) -> Noun | None:
    """Return a message as it arrives, its numbers rounded as the wire rounds them; None if it cannot travel."""
    try:
        return read(type(message), encode(message))
    except WireError:
        return None


def read(cls: type[Noun], data: bytes) -> Noun:
    """Return the message that some bytes are, with or without the common header.

    Raises
    ------
    WireError
        If they are none.
    """
    return decode_as(cls, data) if LAYOUTS[cls].plane is None else decode(data)


def codec() -> dict[str, Any]:
    """Return messages with their bytes, and bytes that are none."""
    found, refused = [], []
    own = sorted((cls for cls in LAYOUTS if cls.__module__.startswith("qstack.wire")), key=lambda cls: cls.__qualname__)
    for cls in own:
        made = messages(cls)
        found += [{"message": lines.plain(one), "hex": encode(one).hex()} for one in made]
        if LAYOUTS[cls].plane is not None:
            for why, spoil in WRONG:
                data = spoil(encode(made[0]))
                refused.append({"kind": lines.name_of(cast("Any", cls)), "hex": data.hex(), "why": why})
    return {"messages": found, "refused": refused}


# -- physics ----------------------------------------------------------------------------------------------------------


def physics(manager: Manager) -> dict[str, Any]:
    """Return what the built-in platforms declare: decay by age, and links over some fibres."""
    own = [name for (_, name), found in manager.found["hardware"].items() if found.plugin.distribution == REFERENCE]
    return {
        "platforms": [_platform(name, manager.platforms[name]) for name in sorted(own) if name in manager.platforms]
    }


def _platform(name: str, platform: Platform) -> dict[str, Any]:
    sheet = platform.model_dump(mode="json", include={"memory", "interface"})
    decay = [{"age_s": age, **asdict(platform.memory.decay(age))} for age in AGES_S]
    return {"name": name, **sheet, "decay": decay, "links": list(_links(platform))}


def _links(platform: Platform) -> Iterator[dict[str, Any]]:
    interface = platform.interface
    for fibre in FIBRES:
        arms = fibre.arms
        told = [{"transmission": arm.transmission, "delay": str(arm.delay)} for arm in arms]
        try:
            heralds = interface.herald(interface, arms)
        except PhysicsError as error:
            yield {"arms": told, "refused": str(error)}
            continue
        times = {"emit": interface.emit(arms), "reply": interface.reply(arms)}
        yield {
            "arms": told,
            "heralds": [asdict(herald) for herald in heralds],
            "period": str(interface.period(arms)),
            **{key: [str(at) for at in both] for key, both in times.items()},
        }


# -- files ------------------------------------------------------------------------------------------------------------


def files(manager: Manager) -> dict[str, str]:
    """Return every file of vectors by its name."""
    content = {f"{profile}.json": dialogues(manager, profile) for profile in REFERENCES}
    content |= {"codec.json": codec(), "physics.json": physics(manager)}
    return {name: written(data) for name, data in content.items()}


def written(data: Mapping[str, Any]) -> str:
    """Return vectors as text: a line for each entry of a list, so that a change is one line of a difference."""
    parts = []
    for key, value in data.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            rows = ",\n".join(f"  {_entry(one)}" for one in value)
            parts.append(f" {_text(key)}: [\n{rows}\n ]")
        elif isinstance(value, dict):
            rows = ",\n".join(f"  {_text(name)}: {_text(one)}" for name, one in value.items())
            parts.append(f" {_text(key)}: {{\n{rows}\n }}")
        else:
            parts.append(f" {_text(key)}: {_text(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _text(data: Any) -> str:
    return json.dumps(data, separators=(",", ":"))


def _entry(one: Mapping[str, Any]) -> str:
    """Return an entry in a line, or with its dialogue in a line a step."""
    if "dialogue" not in one:
        return _text(one)
    head = _text({key: value for key, value in one.items() if key != "dialogue"})[:-1]
    steps = ",\n".join(f"    {_text(step)}" for step in one["dialogue"])
    return f'{head}, "dialogue": [\n{steps}\n  ]}}'


def write(folder: Path, manager: Manager) -> list[Path]:
    """Write every file of vectors.

    Raises
    ------
    ConfigError
        If a file cannot be written.
    """
    found = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files(manager).items():
            (folder / name).write_text(text, encoding="utf-8")
            found.append(folder / name)
    except OSError as error:
        raise ConfigError(f"{folder}  cannot be written: {error.strerror}.") from error
    return found
