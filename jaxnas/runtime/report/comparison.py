"""Searched children beside random ones, and shared weights beside stand-alone training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from jaxnas.runtime.report import style
from jaxnas.runtime.report.reading import Run, number, numbers
from jaxnas.runtime.report.statistics import mean_interval

KINDS = (
    ("best", "searched", style.SEARCHED, "o"),
    ("random", "random", style.RANDOM, "s"),
    ("baseline", "baseline", style.PURPLE, "^"),
)

LEAST_FOR_INTERVAL = 3
"""Two values give an interval of no use: it is wider than six of their distances to each side."""


@style.in_style()
def draw_accuracy(run: Run) -> Figure | None:
    """The test accuracy of each retrained child, with mean and 95% interval of each kind.

    Returns:
      The figure, `None` when no child has a test accuracy.
    """
    rows = [(kind, run.test_scores(kind[0])) for kind in KINDS]
    rows = [(kind, values) for kind, values in rows if len(values)]
    if not rows:
        return None
    figure = style.new_figure(7.2, 0.95 + 0.8 * len(rows))
    figure.set_layout_engine("constrained")
    axes = figure.subplots()
    for y, ((_, label, colour, marker), values) in enumerate(rows):
        most = 1.0 if run.measure == "accuracy" else math.inf
        shown = number(run.result.get(f"test_{run.measure}")) if label == "searched" else math.nan
        _draw_strip(axes, y, values, colour, marker, shown, most)
    labels = [f"{label}\nn = {len(values)}" for (_, label, _, _), values in rows]
    axes.set_yticks(range(len(rows)), labels)
    axes.set(
        ylim=(len(rows) - 0.45, -0.6), xlabel=f"test {run.measure} after training from scratch"
    )
    axes.set_title("Searched and random children, trained alike")
    axes.grid(axis="y", visible=False)
    axes.margins(x=0.08)
    axes.xaxis.set_major_locator(MaxNLocator(7))
    return figure


def _draw_strip(
    axes: Axes, y: float, values: np.ndarray, colour: str, marker: str, shown: float, most: float
) -> None:
    """Points below, filled for the child that is shown; above them the mean with its interval."""
    # Equal accuracies would hide each other: spread the points a little, the same at each drawing.
    spread = y + 0.16 + 0.05 * (np.arange(len(values)) % 3 - 1)
    look: dict[str, Any] = {"color": colour, "markeredgewidth": 1.3, "markersize": 6}
    axes.plot(values, spread, marker, markerfacecolor="none", **look)
    filled = values == shown
    axes.plot(values[filled], spread[filled], marker, **look)
    mean = mean_interval(values)
    text = f"mean {mean.mean:.4f}"
    if mean.n >= LEAST_FOR_INTERVAL:
        ends = np.clip([mean.low, mean.high], 0.0, most)
        axes.plot(ends, [y - 0.12] * 2, color=colour, linewidth=2.2)
        text += f" (95% interval {ends[0]:.4f} to {ends[1]:.4f})"
    axes.plot([mean.mean], [y - 0.12], "D", color=colour, markersize=6.5)
    place: dict[str, Any] = {"textcoords": "offset points", "ha": "center", "size": 8.5}
    axes.annotate(text, (mean.mean, y - 0.12), (0, 7), **place)


@style.in_style()
def draw_ranking(run: Run) -> Figure | None:
    """Accuracy with shared weights against stand-alone accuracy, one point for each child.

    Returns:
      The figure, `None` when fewer than two children have both.
    """
    ranking = run.result.get("ranking")
    ranking = ranking if isinstance(ranking, Mapping) else {}
    points = _points(run, ranking)
    if len(points) < 2:
        return None
    figure = style.new_figure(4.4, 3.9)
    figure.set_layout_engine("constrained")
    axes = figure.subplots()
    axes.plot(points[:, 0], points[:, 1], "o", color=style.SEARCHED, markersize=6, alpha=0.75)
    tau = number(ranking.get("kendall_tau"))
    known = f"Kendall's τ = {tau:.2f}, " if np.isfinite(tau) else ""
    axes.set_title(f"Ranking fidelity: {known}n = {len(points)}")
    axes.set(xlabel="accuracy with shared weights", ylabel="accuracy trained alone")
    axes.xaxis.set_major_locator(MaxNLocator(6))
    return figure


def _points(run: Run, ranking: Mapping[str, object]) -> np.ndarray:
    """Pairs (shared, stand-alone), `float [n, 2]`, from the ranking or from the children."""
    shared, alone = numbers(ranking.get("shared")), numbers(ranking.get("standalone"))
    if not len(shared) or len(shared) != len(alone):
        shared = numbers([child.get("shared_accuracy") for child in run.children()])
        alone = numbers([child.get("validation_accuracy") for child in run.children()])
    points = np.stack([shared, alone], axis=1)
    return points[np.isfinite(points).all(axis=1)]
