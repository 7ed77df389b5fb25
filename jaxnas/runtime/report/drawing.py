"""Pictures of architectures and of search spaces, drawn from `drawing.json`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, PathPatch
from matplotlib.path import Path

from jaxnas.runtime.report import style
from jaxnas.runtime.report.graphs import Box, Route, Scene, lay_out
from jaxnas.runtime.report.graphs.scene import FONT_SIZE, LABEL, LABEL_SIZE, shifted

# Light tints of the Okabe-Ito colours, far enough apart in lightness and hue.
TINTS = ("#bcdcf2", "#fbdf9d", "#b5e3d3", "#f6c6a6", "#e8cbdc", "#f6f1a6", "#cfd3f0", "#d9e7b0")
SKIP_COLOURS = (style.BLUE, style.VERMILLION, style.GREEN, style.PURPLE, style.ORANGE, style.SKY)
PLAIN = {"input": "#e6e9ed", "output": "#e6e9ed", "sum": "#ffffff"}
TITLE_HEIGHT, PANEL_GAP = 0.38, 0.35


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


@style.styled
def draw_panels(drawing: Mapping[str, Any]) -> Figure:
    """Draws all panels of a `drawing.json` side by side, equal operations in equal colours."""
    panels = drawing["panels"]
    scenes = [lay_out(panel) for panel in panels]
    titles = [str(panel.get("title", "")) for panel in panels]
    head = TITLE_HEIGHT if any(titles) else 0.0
    width = sum(scene.width for scene in scenes) + PANEL_GAP * (len(scenes) - 1)
    figure = style.new_figure(max(width, 1.6), max(scene.height for scene in scenes) + head)
    axes = style.full_axes(figure)
    tints = _tints(scenes)
    left = max(0.0, (1.6 - width) / 2)
    for scene, title in zip(scenes, titles, strict=True):
        moved = shifted(scene, left, head)
        centre = left + scene.width / 2
        axes.text(centre, 0.22, title, ha="center", va="center", weight="bold", size=10)
        _draw_scene(axes, moved, tints)
        left += scene.width + PANEL_GAP
    return figure


def _tints(scenes: Iterable[Scene]) -> dict[str, str]:
    """A colour for each group of operations, the same whatever was chosen first."""
    groups = {
        _group(box) for scene in scenes for box in scene.boxes if box.node.kind == "operation"
    }
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
    look = {"edgecolor": colour, "linewidth": 1.1, "linestyle": ":" if route.dotted else "-"}
    axes.add_patch(PathPatch(path, facecolor="none", capstyle="butt", zorder=1, **look))
    if route.arrow and not route.dotted:
        (x0, y0), end = route.points[-2], route.points[-1]
        length = max(((end[0] - x0) ** 2 + (end[1] - y0) ** 2) ** 0.5, 1e-9)
        start = (end[0] + (x0 - end[0]) / length * 0.03, end[1] + (y0 - end[1]) / length * 0.03)
        arrow = FancyArrowPatch(
            start, end, arrowstyle="-|>", mutation_scale=7, shrinkA=0, shrinkB=0, color=colour
        )
        arrow.set(linewidth=0.8, zorder=2)
        axes.add_patch(arrow)


def _draw_box(axes: Axes, box: Box, tints: Mapping[str, str]) -> None:
    node = box.node
    if node.kind == LABEL:
        axes.text(
            box.x, box.y, node.label, ha="center", va="center", size=LABEL_SIZE, color=style.INK
        )
        return
    rounding = box.height / 2 if node.kind in ("sum", "input", "output") else 0.05
    left, top = box.x - box.width / 2, box.y - box.height / 2
    shape = f"round,pad=0,rounding_size={min(rounding, box.height / 2)}"
    colour = PLAIN.get(node.kind) or tints[_group(box)]
    patch = FancyBboxPatch((left, top), box.width, box.height, boxstyle=shape, facecolor=colour)
    patch.set(edgecolor=style.MUTED, linewidth=0.8, zorder=3)
    axes.add_patch(patch)
    look = {"ha": "center", "va": "center", "size": FONT_SIZE, "color": style.BOX_INK}
    axes.text(box.x, box.y, node.label, zorder=4, **look)
