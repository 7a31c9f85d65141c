"""What the first command of the README installs."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_requirements_install_every_plugin_and_every_extra_that_runs():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    installed = {line.removeprefix("-e ") for line in lines if not line.startswith("#")}
    plugins = {f"plugins/{path.parent.name}" for path in (ROOT / "plugins").glob("*/pyproject.toml")}
    assert len(plugins) >= 2
    assert {entry for entry in installed if entry.startswith("plugins/")} == plugins
    assert any(entry.startswith(".[") for entry in installed)
