"""Pictures of architectures and of search spaces, drawn from `drawing.json`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, PathPatch
from matplotlib.path import Path

from jaxnas.runtime.report import style
from jaxnas.runtime.report.graphs import Box, Route, Scene, lay_out
from jaxnas.runtime.report.graphs.layout import NOTHING
from jaxnas.runtime.report.graphs.scene import FONT_SIZE, LABEL, LABEL_SIZE, Point, shifted

# Light tints of the Okabe-Ito colours, far enough apart in lightness and hue.
TINTS = ("#bcdcf2", "#fbdf9d", "#b5e3d3", "#f6c6a6", "#e8cbdc", "#f6f1a6", "#cfd3f0", "#d9e7b0")
SKIP_COLOURS = (
    style.BLUE,
    style.VERMILLION,
    style.GREEN,
    style.PURPLE,
    style.ORANGE,
    style.VIOLET,
    style.SKY,
    style.OLIVE,
)
PLAIN = {"input": "#e6e9ed", "output": "#e6e9ed", "sum": "#ffffff"}
TITLE_HEIGHT, PANEL_GAP = 0.38, 0.3
PAGE_WIDTH, LEAST_WIDTH = 10.0, 1.6


def draw_graph(panel: Mapping[str, Any]) -> Figure:
    """Draws one panel of `drawing.json` as a graph.

    Args:
      panel: `{"title", "nodes": [{"id", "label", "kind", "group"?}], "edges": [[source, target,
        label?]]}`; kinds are `input`, `operation`, `sum` and `output`. Boxes of one `group` (the
        label by default) share a colour. An edge labelled "none" is dotted.

    Returns:
      A figure as large as the graph needs.

    Example:
      >>> nodes = [{"id": "a", "label": "image", "kind": "input"}, {"id": "b", "label": "conv"}]
      >>> figure = draw_graph({"title": "net", "nodes": nodes, "edges": [["a", "b"]]})
    """
    return draw_panels({"panels": [panel]})


@style.in_style()
def draw_panels(drawing: Mapping[str, Any]) -> Figure:
    """Draws all panels of a `drawing.json`, equal operations in equal colours.

    Panels stand side by side where they fit on a page, otherwise one below the other.
    """
    panels = drawing["panels"]
    scenes = [lay_out(panel) for panel in panels]
    titles = [str(panel.get("title", "")) for panel in panels]
    places, (width, height) = _arrange(scenes, TITLE_HEIGHT if any(titles) else 0.0)
    figure = style.new_figure(width, height)
    axes = style.full_axes(figure)
    tints = _tints(scenes)
    for scene, title, (left, top) in zip(scenes, titles, places, strict=True):
        look: dict[str, Any] = {"ha": "center", "va": "center", "weight": "bold", "size": 10}
        axes.text(left + scene.width / 2, top - TITLE_HEIGHT + 0.22, title, **look)
        _draw_scene(axes, shifted(scene, left, top), tints)
    return figure


def _arrange(scenes: Sequence[Scene], head: float) -> tuple[list[Point], Point]:
    """The top left corner of each scene under its title, and the size of the sheet."""
    across = sum(scene.width for scene in scenes) + PANEL_GAP * (len(scenes) - 1)
    beside = across <= PAGE_WIDTH
    width = max(across if beside else max(scene.width for scene in scenes), LEAST_WIDTH)
    places: list[Point] = []
    left, top = max(0.0, (width - across) / 2), head
    for scene in scenes:
        places.append((left if beside else (width - scene.width) / 2, top))
        left += scene.width + PANEL_GAP
        top += 0.0 if beside else scene.height + PANEL_GAP + head
    height = max(y + scene.height for (_, y), scene in zip(places, scenes, strict=True))
    return places, (width, height)


def _tints(scenes: Iterable[Scene]) -> dict[str, str]:
    """A colour for each kind of operation; the labels of edges if no box is an operation."""
    boxes = [box for scene in scenes for box in scene.boxes]
    kinds = {box.node.kind for box in boxes}
    coloured = "operation" if "operation" in kinds else LABEL
    groups = {_group(box) for box in boxes if box.node.kind == coloured} - {NOTHING, ""}
    return {group: TINTS[i % len(TINTS)] for i, group in enumerate(sorted(groups))}


def _group(box: Box) -> str:
    return box.node.group or box.node.label


def _draw_scene(axes: Axes, scene: Scene, tints: Mapping[str, str]) -> None:
    for route in scene.routes:
        _draw_route(axes, route)
    for box in scene.boxes:
        _draw_box(axes, box, tints)


def _draw_route(axes: Axes, route: Route) -> None:
    path = Path(route.points, [Path.MOVETO] + [Path.CURVE4] * (len(route.points) - 1))
    colour = style.MUTED if route.colour is None else SKIP_COLOURS[route.colour % len(SKIP_COLOURS)]
    look: dict[str, Any] = {
        "edgecolor": colour,
        "linewidth": 1.1,
        "linestyle": ":" if route.dotted else "-",
    }
    axes.add_patch(PathPatch(path, facecolor="none", capstyle="butt", zorder=1, **look))
    if route.arrow and not route.dotted:
        end = route.points[-1]
        # The last segment may be a point, where a box fills its layer.
        x0, y0 = next((p for p in reversed(route.points) if math.dist(p, end) > 0.01), end)
        length = max(((end[0] - x0) ** 2 + (end[1] - y0) ** 2) ** 0.5, 1e-9)
        start = (end[0] + (x0 - end[0]) / length * 0.03, end[1] + (y0 - end[1]) / length * 0.03)
        arrow = FancyArrowPatch(
            start, end, arrowstyle="-|>", mutation_scale=7, shrinkA=0, shrinkB=0, color=colour
        )
        arrow.set(linewidth=0.8, zorder=2)
        axes.add_patch(arrow)


def _draw_box(axes: Axes, box: Box, tints: Mapping[str, str]) -> None:
    node = box.node
    tint = PLAIN.get(node.kind) or tints.get(_group(box))
    if tint:
        left, top = box.x - box.width / 2, box.y - box.height / 2
        rounding = 0.05 if node.kind in ("operation", LABEL) else min(box.height / 2, 0.16)
        shape = f"round,pad=0,rounding_size={rounding}"
        patch = FancyBboxPatch((left, top), box.width, box.height, boxstyle=shape, facecolor=tint)
        patch.set(edgecolor=style.MUTED, linewidth=0.8, zorder=3)
        axes.add_patch(patch)
    size = LABEL_SIZE if node.kind == LABEL else FONT_SIZE
    look: dict[str, Any] = {
        "ha": "center",
        "va": "center",
        "color": style.BOX_INK if tint else style.INK,
    }
    axes.text(box.x, box.y, node.label, size=size, zorder=4, **look)
