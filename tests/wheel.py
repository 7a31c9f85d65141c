"""Build the wheels of qstack and its plugins, install them into a fresh environment, run the main job from there.

Usage: python wheel.py CHECKOUT FOLDER
"""

from __future__ import annotations

import filecmp
import json
import os
import subprocess
import sys
import venv
from pathlib import Path


def call(*command: str | Path, cwd: Path) -> str:
    """Run a command, stop at its failure, and return what it printed."""
    print("$", *command, flush=True)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run([str(part) for part in command], cwd=cwd, env=environment, text=True, stdout=subprocess.PIPE)
    print(done.stdout, flush=True)
    if done.returncode:
        sys.exit(f"exit code {done.returncode}")
    return done.stdout


def main(checkout: Path, folder: Path) -> None:
    """Do it."""
    wheels = folder / "wheels"
    projects = [checkout, *(path.parent for path in sorted(checkout.glob("plugins/*/pyproject.toml")))]
    for project in projects:
        call(sys.executable, "-m", "build", "--wheel", "--outdir", wheels, project, cwd=folder)
    venv.create(folder / "venv", with_pip=True, clear=True)
    scripts = folder / "venv" / "bin"
    call(scripts / "python", "-m", "pip", "install", "--quiet", *sorted(wheels.glob("*.whl")), cwd=folder)

    elsewhere = folder / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    plugins = json.loads(call(scripts / "qstack", "plugins", "--json", cwd=elsewhere))
    installed = {plugin["distribution"].split(":")[0] for plugin in plugins["plugins"]}
    assert len(installed) == len(projects), f"{len(projects)} wheels, but plugins are {installed}"
    job = checkout / "examples" / "delft-eindhoven.yaml"
    call(scripts / "qstack", "run", job, "--out", elsewhere / "first", cwd=elsewhere)
    call(
        scripts / "qstack",
        "replay",
        elsewhere / "first" / "manifest.json",
        "--out",
        elsewhere / "second",
        cwd=elsewhere,
    )
    same = filecmp.cmp(elsewhere / "first/summary.json", elsewhere / "second/summary.json", shallow=False)
    assert same, "replay wrote another summary"
    flows = json.loads((elsewhere / "first/summary.json").read_text())["flows"]
    assert all(flow["delivered"] == flow["requested"] for flow in flows), flows
    where = call(scripts / "python", "-c", "import qstack; print(qstack.__path__[0])", cwd=elsewhere).strip()
    assert Path(where) != checkout / "qstack", f"the wheel was not used: {where}"
    vectors = Path(where) / "data" / "vectors" / "vectors.json"
    assert "0 failed" in call(scripts / "qstack", "validate", vectors, cwd=elsewhere)
    assert "checked as packaged: 0 problems" in call(scripts / "qstack", "spec", "check", cwd=elsewhere)
    assert " passed, 0 failed" in call(scripts / "qstack", "conform", "--all", cwd=elsewhere).splitlines()[-1]
    call(scripts / "qstack", "new", "hardware", "acme-memory", cwd=elsewhere)
    call(scripts / "python", "-m", "pip", "install", "--quiet", "--no-deps", elsewhere / "acme-memory", cwd=elsewhere)
    assert " passed, 0 failed" in call(scripts / "qstack", "conform", "acme-memory", cwd=elsewhere).splitlines()[-1]


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
