"""Plugins for tests, written as source text, as a user would."""

from __future__ import annotations

import sys
import textwrap
from itertools import count
from pathlib import Path
from types import ModuleType

from qstack.plugin.discovery import Plugin

PROLOGUE = (
    "import click\nimport qstack\nfrom pathlib import Path\nfrom qstack import Offer, hookimpl\nQSTACK_API = (1, 0)\n"
)
_numbers = count()


def plugin(source: str, name: str = "acme", version: str = "1.0") -> Plugin:
    """Return a plugin whose module is this text."""
    module = ModuleType(f"plugin_under_test_{next(_numbers)}")
    sys.modules[module.__name__] = module
    exec(compile(PROLOGUE + textwrap.dedent(source), f"/plugins/{name}.py", "exec"), vars(module))
    return Plugin(name, version, module)


def install(folder: Path, name: str, source: str, entries: str | None = None, version: str = "1.0") -> None:
    """Put a distribution with one module into a folder of the import path."""
    module = name.replace("-", "_")
    (folder / f"{module}.py").write_text(PROLOGUE + textwrap.dedent(source))
    info = folder / f"{module}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text("[qstack]\n" + (entries or f"{module} = {module}") + "\n")
