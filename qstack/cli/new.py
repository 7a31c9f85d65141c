"""``qstack new``: a plugin to begin with, complete and installable."""

from __future__ import annotations

import keyword
import re
import sys
import tomllib
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Any

import click

from qstack import api
from qstack.core.errors import ConfigError
from qstack.plugin.kinds import KINDS
from qstack.plugin.manager import Manager
from qstack.plugin.spelling import nearest

TEMPLATES = Path(__file__).parent.parent / "data" / "new"
LEVELS = ("link", "network", "transport", "physical")
KINDS_OF_PLUGIN = (
    "layer",
    "hardware",
    "router",
    "distillation",
    "code",
    "reconciliation",
    "adapter",
    "application",
)
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
FILES = {
    "common/pyproject.toml": "pyproject.toml",
    "common/README.md": "README.md",
    "common/__init__.py": "src/$module/__init__.py",
    "$kind/plugin.py": "src/$module/plugin.py",
    "$kind/sheet.yaml": "src/$module/data/$name.yaml",
    "$kind/test.py": "tests/test_$module.py",
}
"""Templates and what they become; a kind need not have all of them."""


@click.command("new")
@click.argument("kind")
@click.argument("name")
@click.option("--level", help=f"Of a layer: {', '.join(LEVELS)}.")
@click.option("--into", type=click.Path(path_type=Path), default=Path(), help="Folder in which the new one is made.")
def command(kind: str, name: str, level: str | None, into: Path) -> None:
    """Make a plugin to begin with: a folder NAME with a package, its tests and a README.

    KIND is layer, hardware, router, distillation, code, reconciliation, adapter or application.  Nothing that exists
    is written over.
    """
    folder = folder_of(kind, level)
    about = tomllib.loads((TEMPLATES / folder / "about.toml").read_text(encoding="utf-8"))
    check_name(name, about, api.manager())
    root = into / name
    files = render(folder, name, about)
    write(root, files)
    click.echo(f"{root}: {len(files)} files.  Next:\n")
    for step in (f"cd {root}", "python -m pip install -e .[test]", command_of(name, about), "python -m pytest"):
        click.echo(f"  {step}")


def folder_of(kind: str, level: str | None) -> str:
    """Return the folder of the templates of a kind.

    Raises
    ------
    ConfigError
        If there are none: what is allowed, and the nearest spelling.
    """
    if kind not in KINDS_OF_PLUGIN:
        layer = f"  Did you mean 'layer --level {kind}'?" if kind in LEVELS else nearest(kind, KINDS_OF_PLUGIN)
        raise ConfigError(f"'{kind}' is not a kind of plugin; allowed: {', '.join(KINDS_OF_PLUGIN)}.{layer}")
    if kind != "layer":
        if level is not None:
            raise ConfigError(f"--level '{level}': only a layer has a level.")
        return kind
    if level is None:
        raise ConfigError(f"which layer? Write --level and one of {', '.join(LEVELS)}.")
    if level == "application":
        raise ConfigError(
            "--level 'application': this layer is a table of applications; write 'qstack new application'."
        )
    if level not in LEVELS:
        raise ConfigError(f"--level '{level}' is not a level; allowed: {', '.join(LEVELS)}.{nearest(level, LEVELS)}")
    return level


def check_name(name: str, about: Mapping[str, Any], manager: Manager) -> None:
    """Refuse a name that cannot be that of a folder, a distribution, a module and an offer at once.

    Raises
    ------
    ConfigError
        If it cannot: why, and what is allowed.
    """
    if not NAME.fullmatch(name):
        allowed = "lower-case words of letters and digits joined by '-', the first beginning with a letter"
        better = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        hint = f"  Did you mean '{better}'?" if NAME.fullmatch(better) else ""
        raise ConfigError(f"'{name}' cannot be the name of a plugin; allowed: {allowed}.{hint}")
    module = module_of(name)
    if keyword.iskeyword(module) or keyword.issoftkeyword(module):
        raise ConfigError(f"'{name}' cannot be the name of a plugin: '{module}' is a word of Python.  Try 'my-{name}'.")
    hook, level = about["hook"], about.get("level", "")
    taken = {*manager.models, *manager.platforms} if hook == "hardware" else manager.offers(hook, level)
    if name in taken:
        raise ConfigError(f"'{name}' is taken: there is {KINDS[hook].called(level)} of this name.  Try 'my-{name}'.")
    if module in sys.stdlib_module_names or find_spec(module) is not None:
        raise ConfigError(f"'{name}' cannot be the name of a plugin: there is a module '{module}'.  Try 'my-{name}'.")


def module_of(name: str) -> str:
    """Return the module of a plugin."""
    return name.replace("-", "_")


def command_of(name: str, about: Mapping[str, Any]) -> str:
    """Return the command that judges a plugin."""
    return f"qstack conform {name} --profile {about['profile']}"


def render(folder: str, name: str, about: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts of a plugin by their places in its folder."""
    module = module_of(name)
    words = {
        "kind": folder,
        "name": name,
        "module": module,
        "type": "".join(part.capitalize() for part in name.split("-")),
        "command": command_of(name, about),
    }
    words |= {key: Template(text.strip("\n")).substitute(words) for key, text in about.items()}
    files = {f"src/{module}/py.typed": ""}
    for source, place in FILES.items():
        template = TEMPLATES / f"{Template(source).substitute(words)}.tmpl"
        if template.is_file():
            text = Template(template.read_text(encoding="utf-8")).substitute(words)
            files[Template(place).substitute(words)] = text
    return files


def write(root: Path, files: Mapping[str, str]) -> None:
    """Write a plugin into a new folder.

    Raises
    ------
    ConfigError
        If there is something already, or the folder cannot be written.
    """
    try:
        root.mkdir(parents=True)
        for place, text in files.items():
            path = root / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except FileExistsError:
        raise ConfigError(f"'{root}' is there already; nothing was written.") from None
    except OSError as error:
        raise ConfigError(f"'{root}' cannot be written: {error.strerror}.") from error
