"""A laid-out graph as plain geometry, in inches from the top left corner."""

from __future__ import annotations

import dataclasses
import functools
import re

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from jaxnas.runtime.report import style

Point = tuple[float, float]

FONT_SIZE = 9.0
LABEL_SIZE = 7.5
LABEL = "label"
"""The kind of a node that is no box but the text of an edge."""


@dataclasses.dataclass(frozen=True)
class Node:
    """A node to lay out.

    Attributes:
      id: the name that edges use, unique in its graph.
      label: the text in the box; it may have several lines.
      kind: `input`, `operation`, `sum`, `output`, or `label` for the text of an edge.
      group: boxes of one group share a colour; the label by default.
    """

    id: str
    label: str
    kind: str = "operation"
    group: str = ""

    @functools.cached_property
    def size(self) -> Point:
        """Width and height of the box in inches."""
        points = LABEL_SIZE if self.kind == LABEL else FONT_SIZE
        lines = self.label.split("\n")
        width = max(text_width(line, points) for line in lines)
        height = len(lines) * points * 1.25 / 72
        if self.kind == LABEL:
            return width + 0.14, height + 0.06
        return max(width + 0.24, 0.42), height + 0.13


@dataclasses.dataclass(frozen=True)
class Box:
    """A placed node: centre and size."""

    node: Node
    x: float
    y: float
    width: float
    height: float


@dataclasses.dataclass(frozen=True)
class Route:
    """A placed edge: `points` are a start and three points for each cubic Bezier segment."""

    source: str
    target: str
    points: tuple[Point, ...]
    arrow: bool = True
    dotted: bool = False
    colour: int | None = None


@dataclasses.dataclass(frozen=True)
class Scene:
    """Boxes and routes on a sheet of `width` x `height` inches."""

    boxes: tuple[Box, ...]
    routes: tuple[Route, ...]
    width: float
    height: float


@functools.lru_cache(maxsize=4096)
def text_width(text: str, points: float) -> float:
    """The width of one line of text in inches."""
    if not text.strip():
        return 0.0
    font = FontProperties(family="DejaVu Sans", size=points)
    with style.in_style():
        return float(TextPath((0, 0), text, prop=font).get_extents().x1) / 72


def readable(label: str) -> str:
    """A label for people: `separable_3x3` gets a space and a times sign."""
    return re.sub(r"(?<=\d)x(?=\d)", "\u00d7", str(label).replace("_", " "))


def line(start: Point, end: Point) -> tuple[Point, Point, Point]:
    """A straight Bezier segment; the start is not repeated."""
    (x0, y0), (x1, y1) = start, end
    third = ((2 * x0 + x1) / 3, (2 * y0 + y1) / 3)
    return third, ((x0 + 2 * x1) / 3, (y0 + 2 * y1) / 3), end


def polyline(corners: list[Point], radius: float = 0.09) -> tuple[Point, ...]:
    """A path through corners, its bends rounded, as Bezier points."""
    points: list[Point] = [corners[0]]
    for before, corner, after in zip(corners, corners[1:], corners[2:], strict=False):
        start = _towards(corner, before, radius)
        end = _towards(corner, after, radius)
        points += [*line(points[-1], start), _towards(corner, start, radius / 2.2)]
        points += [_towards(corner, end, radius / 2.2), end]
    return (*points, *line(points[-1], corners[-1]))


def _towards(start: Point, end: Point, distance: float) -> Point:
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = max((dx * dx + dy * dy) ** 0.5, 1e-9)
    share = min(distance / length, 0.5)
    return start[0] + dx * share, start[1] + dy * share


def shifted(scene: Scene, dx: float, dy: float) -> Scene:
    """The scene moved by `dx`, `dy` inches; the sheet keeps its size."""
    boxes = tuple(dataclasses.replace(box, x=box.x + dx, y=box.y + dy) for box in scene.boxes)
    routes = tuple(
        dataclasses.replace(route, points=tuple((x + dx, y + dy) for x, y in route.points))
        for route in scene.routes
    )
    return Scene(boxes, routes, scene.width, scene.height)


def fitted(boxes: list[Box], routes: list[Route], margin: float = 0.12) -> Scene:
    """A scene moved and sized so that everything is on the sheet."""
    xs = [box.x + side * box.width / 2 for box in boxes for side in (-1, 1)]
    ys = [box.y + side * box.height / 2 for box in boxes for side in (-1, 1)]
    xs += [x for route in routes for x, _ in route.points]
    ys += [y for route in routes for _, y in route.points]
    left, top = min(xs) - margin, min(ys) - margin
    width, height = max(xs) - left + margin, max(ys) - top + margin
    return shifted(Scene(tuple(boxes), tuple(routes), width, height), -left, -top)
