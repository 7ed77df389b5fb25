"""All pictures of a run by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from matplotlib.figure import Figure

from jaxnas.runtime.report import style
from jaxnas.runtime.report.architectures import drawing_of_walk
from jaxnas.runtime.report.comparison import draw_accuracy, draw_ranking
from jaxnas.runtime.report.curves import draw_search, draw_training
from jaxnas.runtime.report.drawing import draw_panels
from jaxnas.runtime.report.instances import draw_images, draw_latencies, draw_map, draw_tradeoff
from jaxnas.runtime.report.policy_map import draw_policy
from jaxnas.runtime.report.reading import Run
from jaxnas.runtime.report.tasks_comparison import draw_tasks
from jaxnas.runtime.report.tasks_findings import is_tasks


def draw_figures(run: Run) -> tuple[dict[str, Figure], list[str]]:
    """Draws what a run has recorded.

    Returns:
      The figures by the name of their file (`architecture`, `accuracy`, `tradeoff`, `latencies`,
      `map`, `images`, `curves`, `policy`, `ranking`, `training`), in the order in which they are
      shown; and a sentence for each that could not be drawn. A report comes after hours of
      search, so that one picture with odd data must not cost the others.
    """
    drawers: dict[str, Callable[[Run], Figure | None]] = {
        "architecture": draw_architecture,
        "accuracy": draw_tasks if is_tasks(run) else draw_accuracy,
        "tradeoff": draw_tradeoff,
        "latencies": draw_latencies,
        "map": draw_map,
        "images": draw_images,
        "curves": draw_search,
        "policy": lambda run: draw_policy(run.policy, chosen_actions(run)),
        "ranking": draw_ranking,
        "training": draw_training,
    }
    figures, problems = {}, []
    for name, draw in drawers.items():
        try:
            figure = draw(run)
            _try_out(figure)
        except Exception as error:
            problems.append(
                f"picture {name!r} could not be drawn: {type(error).__name__}: {error}."
            )
            continue
        if figure is not None:
            figures[name] = figure
    return figures, problems


@style.in_style()
def _try_out(figure: Figure | None) -> None:
    """Lays a figure out, so that what is wrong with it comes to light here."""
    if figure is not None:
        figure.draw_without_rendering()


def draw_architecture(run: Run) -> Figure | None:
    """The architecture from `drawing.json`, or from the walk in `result.json`."""
    drawing: Mapping[str, Any] | None = run.drawing
    walk = encoded_walk(run)
    if drawing is None and walk:
        drawing = drawing_of_walk(walk)
    return draw_panels(drawing) if drawing and drawing.get("panels") else None


def encoded_walk(run: Run) -> list[list[str]]:
    """The pairs `[decision, action]` of the final architecture; empty if there is none yet."""
    architecture = run.result.get("architecture")
    walk = architecture.get("walk") if isinstance(architecture, Mapping) else None
    return [list(pair) for pair in walk or () if len(pair) == 2]


def chosen_actions(run: Run) -> dict[str, list[str]]:
    """The actions of the final architecture at each decision that it takes."""
    chosen: dict[str, list[str]] = {}
    for name, action in encoded_walk(run):
        chosen.setdefault(name, []).append(action)
    return chosen
