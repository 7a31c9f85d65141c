"""Every block of ``docs/first-plugin.md`` runs, in its order, and its commands are as many as it says."""

from __future__ import annotations

import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest

from qstack.cli import invoke

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "first-plugin.md").read_text()
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))
COMMANDS = {"A hardware vendor": 3, "A router": 3, "A link layer": 5}
"""Those up to a plugin that conforms."""


def blocks(section, language):
    return re.findall(rf"```{language}\n(.*?)```", SECTIONS[section], re.DOTALL)


@pytest.fixture
def console(tmp_path, monkeypatch, capsys):
    """Run a block as a user would; an editable installation is made by hand, because tests use no network."""
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)

    def run(block):
        lines = block.strip().splitlines()
        said, codes = "", []
        for line in lines:
            if line.startswith("$ qstack "):
                for name in [name for name in set(sys.modules) - before if name.endswith(".plugin")]:
                    del sys.modules[name]
                try:
                    codes.append(invoke(shlex.split(line.removeprefix("$ qstack "))))
                except SystemExit as error:
                    codes.append(error.code)
                said = "".join(capsys.readouterr())
            elif line.startswith("$ python -m pip install -e "):
                install(tmp_path / line.split()[-1], monkeypatch)
            else:
                assert line in said, f"{line}\n\n{said}"
        return codes

    yield run
    for name in set(sys.modules) - before:
        if name.split(".")[0] in {"acme_memory", "left_hand", "my_link"}:
            del sys.modules[name]


def install(root, monkeypatch):
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    info = root / "src" / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    points = "".join(f"{key} = {value}\n" for key, value in project["entry-points"]["qstack"].items())
    (info / "entry_points.txt").write_text(f"[qstack]\n{points}")
    monkeypatch.syspath_prepend(str(root / "src"))


def test_every_block_belongs_to_a_test_and_the_commands_are_counted():
    found = {title: re.findall(r"^```(\w+)$", body, re.MULTILINE) for title, body in SECTIONS.items()}
    assert found == {
        "A hardware vendor": ["console", "yaml", "console"],
        "A router": ["console", "yaml"],
        "A link layer": ["console", "python", "console", "console"],
    }
    stated = re.search(r"(\d) commands for a hardware vendor, (\d) for a router, (\d) for a link layer", PAGE)
    assert [int(number) for number in stated.groups()] == list(COMMANDS.values())
    for title, number in COMMANDS.items():
        consoles = blocks(title, "console")
        conforming = consoles[:1] if title == "A hardware vendor" else consoles
        assert sum(line.startswith("$ ") for line in "".join(conforming).splitlines()) == number


@pytest.mark.requirement("QS-PL-302")
def test_hardware_vendor(console):
    first, second = blocks("A hardware vendor", "console")
    assert console(first) == [0, 0]
    sheet = Path("acme-memory/src/acme_memory/data/acme-memory.yaml")
    text = sheet.read_text()
    for line in blocks("A hardware vendor", "yaml")[0].splitlines():
        key = line.split(":")[0]
        text = re.sub(rf"^{key}:.*$", line, text, flags=re.MULTILINE)
    sheet.write_text(text)
    assert console(second) == [3]


def test_router(console):
    assert console(blocks("A router", "console")[0]) == [0, 0]
    Path("scenario.yaml").write_text(blocks("A router", "yaml")[0])
    assert console("$ qstack run scenario.yaml\n10 of 10") == [0]


@pytest.mark.requirement("QS-PL-301")
def test_link_layer(console):
    first, second, third = blocks("A link layer", "console")
    assert console(first) == [0, 1]
    plugin = Path("my-link/src/my_link/plugin.py")
    source = plugin.read_text()
    begin, end = source.index("    @on(Create)"), source.index("    @on(Add)")
    plugin.write_text(source[:begin] + blocks("A link layer", "python")[0] + "\n" + source[end:])
    assert console(second) == [0]
    example = ROOT / "examples" / "table-link"
    finished, table = ((example / name).read_text() for name in ("qstackfile.py", "table.py"))
    assert 400 < len(finished.splitlines() + table.splitlines()) < 500
    plugin.write_text(finished.replace('Offer("table"', 'Offer("my-link"'))
    plugin.with_name("table.py").write_text(table)
    assert console(third) == [0]
