"""Plots of a platform, by matplotlib, which is an extra: ``pip install 'qstack-reference[plot]'``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qstack.core.errors import ConfigError
from qstack.plugin.contracts import Platform
from qstack.scenario.problems import refusal
from qstack.study.platforms import Distance, Moment, storage_curve


def draw(path: Path, platform: Platform, distances: Sequence[Distance]) -> None:
    """Draw rate and fidelity over distance, and storage against the time to a pair, into an SVG or a PNG.

    Raises
    ------
    ConfigError
        If matplotlib is not installed, no distance gives a pair, or the file cannot be written.
    """
    mpl, Figure = _matplotlib()
    shown = [d for d in distances if d.views]
    if not shown:
        raise refusal(f"--plot {path}", "there is nothing to draw: no length gives a pair.")
    lengths = [d.length for d in shown]
    with mpl.rc_context({"svg.hashsalt": platform.name, "svg.fonttype": "none"}):
        figure = Figure(figsize=(12, 4), layout="constrained")
        rate, fidelity, storage = figure.subplots(1, 3)
        figure.suptitle(f"{platform.name} ({platform.status})")
        for name, views in (("fastest", [d.fastest for d in shown]), ("most faithful", [d.best for d in shown])):
            rate.plot(lengths, [view.rate_hz for view in views], marker="o", label=name)
            fidelity.plot(lengths, [view.fidelity for view in views], marker="o", label=name)
        rate.set(xlabel="fibre [km]", ylabel="pairs per second", xscale="log", yscale="log")
        fidelity.set(xlabel="fibre [km]", ylabel="fidelity at emission", xscale="log")
        times = [view.cycle_s / view.probability for view in (d.fastest for d in shown)]
        curve = storage_curve(platform.memory.survival(), min(times) / 10, max(times) * 10)
        storage.plot([age for age, _ in curve], [kept for _, kept in curve], label="one stored half")
        storage.plot(times, [d.fastest.waiting for d in shown], "o", label="mean time to a pair")
        storage.set(xlabel="age [s]", ylabel="kept of a Werner parameter", xscale="log", ylim=(0, 1.05))
        for axes in (rate, fidelity, storage):
            axes.grid(visible=True, alpha=0.3)
            axes.legend()
        _save(figure, path)


def draw_passes(path: Path, links: Sequence[tuple[str, Sequence[Moment]]]) -> None:
    """Draw rate and fidelity over time of links that come and go, into an SVG or a PNG.

    Raises
    ------
    ConfigError
        If matplotlib is not installed, or the file cannot be written.
    """
    mpl, Figure = _matplotlib()
    with mpl.rc_context({"svg.hashsalt": "passes", "svg.fonttype": "none"}):
        figure = Figure(figsize=(9, 4), layout="constrained")
        rate, fidelity = figure.subplots(1, 2)
        for name, moments in links:
            times = [(m.start_s + m.end_s) / 2 for m in moments]
            rate.plot(times, [m.rate_hz for m in moments], ".", label=name)
            fidelity.plot(times, [m.fidelity for m in moments], ".", label=name)
        rate.set(xlabel="time [s]", ylabel="pairs per second", yscale="log")
        fidelity.set(xlabel="time [s]", ylabel="fidelity at emission")
        for axes in (rate, fidelity):
            axes.grid(visible=True, alpha=0.3)
            axes.legend()
        _save(figure, path)


def _matplotlib() -> tuple[Any, Any]:
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError("a plot needs matplotlib: pip install 'qstack-reference[plot]'") from error
    return mpl, Figure


def _save(figure: Any, path: Path) -> None:
    try:
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else {"Software": None})
    except OSError as error:
        raise refusal(f"--plot {path}", f"cannot be written: {error.strerror}.") from error
