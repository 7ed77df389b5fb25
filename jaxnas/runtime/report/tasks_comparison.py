"""The best searched child of each task beside the best random one, on test data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from jaxnas.runtime.report import style
from jaxnas.runtime.report.reading import Run, number
from jaxnas.runtime.report.tasks_findings import tasks

_INCHES_PER_TASK = 0.34


@style.in_style()
def draw_tasks(run: Run) -> Figure | None:
    """A row for each task, since accuracies of different tasks do not compare.

    Returns:
      The figure, `None` when no task has a test accuracy.
    """
    found = {name: scores(task) for name, task in tasks(run).items()}
    found = {name: pair for name, pair in found.items() if np.isfinite(pair).any()}
    if not found:
        return None
    figure = style.new_figure(7.2, 1.3 + _INCHES_PER_TASK * len(found))
    figure.set_layout_engine("constrained")
    axes, rows, values = figure.subplots(), np.arange(len(found)), np.array([*found.values()])
    axes.hlines(rows, values.min(1), values.max(1), color=style.RULE, linewidth=2.5)
    for column, label, colour, marker in (
        (1, "random", style.RANDOM, "s"),
        (0, "searched", style.SEARCHED, "o"),
    ):
        axes.plot(values[:, column], rows, marker, color=colour, markersize=6.5, label=label)
    axes.set_yticks(rows, [*found])
    axes.set(ylim=(len(found) - 0.5, -0.5), xlabel="test accuracy after training from scratch")
    axes.set_title("The best searched and the best random child of each task")
    axes.grid(axis="y", visible=False)
    axes.margins(x=0.08)
    axes.xaxis.set_major_locator(MaxNLocator(7))
    figure.legend(loc="outside lower right", ncols=2)
    return figure


def scores(task: Mapping[str, Any]) -> tuple[float, float]:
    """The test accuracies of the searched and of the random child; NaN where unknown."""
    return number(task.get("test_accuracy")), number(task.get("random_test_accuracy"))
