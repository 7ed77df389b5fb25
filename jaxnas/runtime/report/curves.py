"""Curves over a search and over the training of its children."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from jaxnas.runtime.report import style
from jaxnas.runtime.report.reading import Record, Run, number
from jaxnas.runtime.report.statistics import smoothed

REWARDS = (
    ("reward_best", "best sampled child", style.BEST),
    ("reward_mean", "mean of the policy's children", style.SEARCHED),
    ("random_reward_mean", "mean of uniformly random children", style.RANDOM),
)
_BEST, _RANDOM = "searched children", "random children"
_OTHERS = (style.MUTED, style.ORANGE, style.GREEN, style.PURPLE)


def series(records: Sequence[Record], key: str, x: str = "step") -> tuple[np.ndarray, np.ndarray]:
    """The finite values of one key over the steps, `float [n]` each."""
    pairs = [(number(record.get(x)), number(record.get(key))) for record in records]
    array = np.array(pairs, float).reshape(-1, 2)
    array = array[np.isfinite(array).all(axis=1)]
    return array[:, 0], array[:, 1]


@style.in_style()
def draw_search(run: Run) -> Figure | None:
    """Reward with the random arm, entropy, and weight-step loss over the search.

    Returns:
      The figure, `None` when the run has recorded nothing of these.
    """
    policy, weights = run.phase("policy"), run.phase("weights")
    rows = []
    if any(len(series(policy, key)[0]) for key, _, _ in REWARDS):
        rows.append((_draw_rewards, policy, 2.3))
    if len(series(policy, "entropy")[0]):
        rows.append((_draw_entropy, policy, 1.25))
    if len(series(weights, "loss")[0]):
        rows.append((_draw_loss, weights, 1.25))
    if not rows:
        return None
    figure = style.new_figure(7.2, 0.75 + sum(height + 0.45 for _, _, height in rows))
    figure.set_layout_engine("constrained", h_pad=0.06)
    ratios = {"height_ratios": [height for _, _, height in rows]}
    grid = figure.subplots(len(rows), 1, sharex=True, squeeze=False, gridspec_kw=ratios)[:, 0]
    for axes, (draw, records, _) in zip(grid, rows, strict=True):
        draw(axes, records)
    grid[-1].set_xlabel("step of the search")
    grid[-1].xaxis.set_major_locator(MaxNLocator(8, integer=True))
    return figure


def _draw_rewards(axes: Axes, records: Sequence[Record]) -> None:
    for key, label, colour in REWARDS:
        x, y = series(records, key)
        if len(x):
            _draw_curve(axes, x, y, colour, label)
    axes.set_title("Validation reward of sampled children")
    axes.set_ylabel("reward")
    axes.legend(loc="best")


def _draw_entropy(axes: Axes, records: Sequence[Record]) -> None:
    _draw_curve(axes, *series(records, "entropy"), style.PURPLE)
    axes.set_title("Entropy of the policy, per architecture")
    axes.set_ylabel("nats")


def _draw_loss(axes: Axes, records: Sequence[Record]) -> None:
    _draw_curve(axes, *series(records, "loss"), style.MUTED)
    axes.set_title("Training loss of the shared weights")
    axes.set_ylabel("cross-entropy")


def _draw_curve(
    axes: Axes, x: np.ndarray, y: np.ndarray, colour: str, label: str | None = None
) -> None:
    """The raw values lightly and their moving average; a short curve only as it is."""
    span = len(x) // 15
    if span < 2:
        axes.plot(x, y, color=colour, label=label, marker="o" if len(x) < 15 else None, ms=3)
        return
    axes.plot(x, y, color=colour, alpha=0.25, linewidth=0.8)
    axes.plot(x, smoothed(y, span), color=colour, label=label)


@style.in_style()
def draw_training(run: Run) -> Figure | None:
    """Training loss and validation accuracy of each retrained child over its epochs.

    Returns:
      The figure, `None` when no child has been trained yet.
    """
    children: dict[str, list[Record]] = {}
    for record in run.phase("train"):
        children.setdefault(str(record.get("child", "child")), []).append(record)
    panels = [("loss", "Training loss"), ("validation_accuracy", "Validation accuracy")]
    panels = [p for p in panels if any(len(series(c, p[0], "epoch")[0]) for c in children.values())]
    if not panels:
        return None
    figure = style.new_figure(3.6 * len(panels) if len(panels) > 1 else 5.0, 3.0)
    figure.set_layout_engine("constrained")
    for axes, (key, title) in zip(
        figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
        _draw_children(axes, children, key)
        axes.set(title=title, xlabel="epoch")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.legend(loc="best")
    return figure


def _draw_children(axes: Axes, children: dict[str, list[Record]], key: str) -> None:
    named: dict[str, str] = {}
    labels = {name: _label(name) for name in children}
    # Searched children last, so that they lie on top of random ones.
    for name, records in sorted(children.items(), key=lambda item: labels[item[0]] == _BEST):
        label = labels[name]
        colour = named.get(label, _colour(label, len(named)))
        x, y = series(sorted(records, key=lambda r: number(r.get("epoch"))), key, "epoch")
        shown = None if label in named else label
        marker = "o" if len(x) < 2 else None
        axes.plot(x, y, color=colour, alpha=0.8, linewidth=1.2, label=shown, marker=marker, ms=3)
        named[label] = colour


def _label(name: str) -> str:
    """The kind of a child such as `best-0` or `TASK-random-1`; a baseline's own name."""
    kind = name.rpartition("-")[0].rpartition("-")[2]
    return {"best": _BEST, "random": _RANDOM}.get(kind, name)


def _colour(label: str, number: int) -> str:
    fixed = {_BEST: style.SEARCHED, _RANDOM: style.RANDOM}
    return fixed.get(label, _OTHERS[number % len(_OTHERS)])
