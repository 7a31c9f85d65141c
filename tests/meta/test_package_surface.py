"""What users and plugin authors see: exported names, quick imports, docstrings, READMEs of plugins."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import qstack
import qstack.plugin
from qstack.plugin.contracts import DistillationScheme, LinkSheet, Medium
from qstack.plugin.offers import MADE
from qstack.trace.node import Sink

ROOT = Path(__file__).parents[2]
DISTRIBUTIONS = sorted(path.parent for path in (ROOT / "plugins").glob("*/pyproject.toml"))
HEADINGS = ["Scope and limitations", "Parameters", "Usage", "Validation", "References", "Tests"]
HEAVY = ("scipy", "numba", "cryptography", "rich", "rustworkx", "numpy", "pydantic", "ruamel", "click")
MODULES = [f"qstack.plugin.{module.name}" for module in pkgutil.iter_modules(qstack.plugin.__path__)]


@pytest.mark.parametrize("name", qstack.__all__)
def test_exported_name_resolves(name):
    assert getattr(qstack, name) is not None
    assert name in dir(qstack)


def test_the_golden_vectors_can_be_computed_after_a_plain_import():
    code = "import qstack; print(qstack.validation.compute('chsh_max', {'c': [1, 0, 0, 0]})['S'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert float(done.stdout) == pytest.approx(8**0.5)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = qstack.nothing


@pytest.mark.requirement("QS-PL-012")
def test_import_loads_nothing_heavy():
    code = f"import qstack, sys; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def public(module):
    """Return the public functions, classes and their methods that a module defines, by name."""
    found = {}
    for name, thing in vars(module).items():
        if name.startswith("_") or getattr(thing, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(thing):
            found[name] = thing
        elif inspect.isclass(thing):
            found[name] = thing
            for attribute, member in vars(thing).items():
                function = member.fget if isinstance(member, property) else member
                if not attribute.startswith("_") and inspect.isfunction(function):
                    found[f"{name}.{attribute}"] = function
    return found


@pytest.mark.parametrize("name", MODULES)
def test_public_names_of_the_plugin_package_have_numpydoc_docstrings(name):
    module = importlib.import_module(name)
    assert inspect.getdoc(module)
    for what, thing in public(module).items():
        text = thing.__doc__
        assert text, f"{name}.{what} has no docstring"
        first = text.strip().splitlines()[0]
        assert first.rstrip("`")[-1] in ".:;,)", f"{name}.{what}: the first line is no sentence: {first}"
        for title in re.findall(r"^\s*(\w[\w ]*)\n\s*-{3,}$", text, re.MULTILINE):
            assert title in {"Parameters", "Returns", "Raises", "Notes", "Attributes", "Examples"}, f"{what}: {title}"
        if inspect.isfunction(thing) and re.search(r"^\s+raise (?!error)", inspect.getsource(thing), re.MULTILINE):
            known = re.search(r"Raises\n|[Rr]aises [A-Z]\w+", text) or "Error" in text or what in hidden(name)
            assert known, f"{name}.{what} does not say what it raises"


def hidden(name):
    """Return functions whose exceptions are caught by pydantic and reported as a user's mistake."""
    return {
        "qstack.plugin.offers": {"chosen", "plugins_of"},
        "qstack.plugin.models": {"choose_model"},
        "qstack.plugin.optics": {"choose_part"},
    }.get(name, set())


@pytest.mark.requirement("QS-PL-008")
@pytest.mark.parametrize(
    ("kind", "contract"),
    [("tiers", Medium), ("distillation", DistillationScheme), ("sinks", Sink), ("media", LinkSheet)],
)
def test_what_is_asked_of_made_things_is_what_the_contract_says(kind, contract):
    members = {name for name in dir(contract) if not name.startswith("_")} | set(inspect.get_annotations(contract))
    assert set(MADE[kind]) <= members
    if kind != "media":
        assert set(MADE[kind]) == members


def test_there_are_plugin_distributions():
    assert len(DISTRIBUTIONS) >= 2


@pytest.mark.requirement("QS-PL-013")
@pytest.mark.parametrize("folder", DISTRIBUTIONS, ids=lambda folder: folder.name)
def test_plugin_readme_has_the_headings(folder):
    text = (folder / "README.md").read_text()
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS
    for heading in HEADINGS:
        body = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)[1]
        assert len(body.strip()) > 40


@pytest.mark.parametrize("folder", DISTRIBUTIONS, ids=lambda folder: folder.name)
def test_plugin_distribution_is_complete(folder):
    text = (folder / "pyproject.toml").read_text()
    assert f'name = "{folder.name}"' in text
    assert "[project.entry-points.qstack]" in text
    assert '"qstack-reference' in text
    assert list((folder / "tests").glob("test_*.py"))
    assert list((folder / "src").glob("*/py.typed"))
    assert (folder / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
