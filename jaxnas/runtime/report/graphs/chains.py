"""Drawing of a chain: one column with skips as lanes at its sides, or several columns."""

from __future__ import annotations

from collections.abc import Sequence

from jaxnas.runtime.report.graphs.scene import (
    LABEL,
    Box,
    Node,
    Point,
    Route,
    Scene,
    fitted,
    line,
    polyline,
)

Edge = tuple[str, str]

GAP, LANE, PORT = 0.2, 0.13, 0.075
COLUMN_HEIGHT = 8.5


def with_skips(nodes: Sequence[Node], edges: Sequence[Edge]) -> Scene:
    """One box below the other; edges that skip boxes run in lanes at the sides.

    All skips from one box share a lane and a colour, so that each can be followed by eye.

    Args:
      nodes: the boxes in the order of the chain.
      edges: pairs of ids that lead forward.
    """
    place = {node.id: i for i, node in enumerate(nodes)}
    skips = [(place[a], place[b]) for a, b in edges if place[b] - place[a] > 1]
    side = _sides(skips)
    lane = _lanes(skips, side)
    ports = _ports(skips, side, lane)
    width = max(node.size[0] for node in nodes)
    most = max((len(group) for group in ports.values()), default=0)
    height = max(max(node.size[1] for node in nodes), PORT * (most + 2))
    boxes = [Box(n, 0.0, i * (height + GAP), width, height) for i, n in enumerate(nodes)]
    routes = [
        _straight(boxes[place[a]], boxes[place[b]]) for a, b in edges if place[b] - place[a] == 1
    ]
    colours = {source: i for i, source in enumerate(sorted(lane))}
    for a, b in skips:
        x = side[a] * (width / 2 + 0.16 + LANE * lane[a])
        enter = boxes[b].y - height / 2 + PORT * (1 + ports[b, side[a]].index(a))
        leave = boxes[a].y + height / 2 - PORT
        edge = side[a] * width / 2
        corners: list[Point] = [(edge, leave), (x, leave), (x, enter), (edge, enter)]
        routes.append(Route(nodes[a].id, nodes[b].id, polyline(corners), colour=colours[a]))
    return fitted(boxes, routes)


def _sides(skips: Sequence[tuple[int, int]]) -> dict[int, int]:
    """Left (-1) or right (1) for each source: where its lane meets fewer others."""
    reach = {a: max(b for c, b in skips if c == a) for a, _ in skips}
    side: dict[int, int] = {}
    for a in sorted(reach, key=lambda a: (reach[a] - a, a)):
        load = {-1: 0, 1: 0}
        for c, chosen in side.items():
            load[chosen] += min(reach[a], reach[c]) > max(a, c)
        side[a] = 1 if load[1] <= load[-1] else -1
    return side


def _lanes(skips: Sequence[tuple[int, int]], side: dict[int, int]) -> dict[int, int]:
    """Longer skips run outside of the shorter ones that they pass."""
    reach = {a: max(b for c, b in skips if c == a) for a, _ in skips}
    lane: dict[int, int] = {}
    for a in sorted(reach, key=lambda a: (reach[a] - a, a)):
        passed = [
            lane[c] for c in lane if side[c] == side[a] and min(reach[a], reach[c]) >= max(a, c)
        ]
        lane[a] = 1 + max(passed, default=-1)
    return lane


def _ports(
    skips: Sequence[tuple[int, int]], side: dict[int, int], lane: dict[int, int]
) -> dict[tuple[int, int], list[int]]:
    """The sources that enter each box at each side, inner lanes above outer ones."""
    ports: dict[tuple[int, int], list[int]] = {}
    for a, b in skips:
        ports.setdefault((b, side[a]), []).append(a)
    return {key: sorted(sources, key=lambda a: lane[a]) for key, sources in ports.items()}


def _straight(above: Box, below: Box) -> Route:
    start = (above.x, above.y + above.height / 2)
    end = (below.x, below.y - below.height / 2)
    arrow = below.node.kind != LABEL
    return Route(above.node.id, below.node.id, (start, *line(start, end)), arrow)


def in_columns(nodes: Sequence[Node]) -> Scene:
    """A chain without skips, its boxes one below the other in as many columns as needed."""
    boxes: list[Box] = []
    routes: list[Route] = []
    left = 0.0
    for column in _columns(nodes):
        width = max(node.size[0] for node in column)
        x, y = left + width / 2, 0.0
        for i, node in enumerate(column):
            own = node.size[0] if node.kind == LABEL else max(width, 0.9)
            box = Box(node, x, y + node.size[1] / 2, min(own, width), node.size[1])
            if boxes:
                routes.append(_straight(boxes[-1], box) if i else _turn(boxes[-1], box, left))
            boxes.append(box)
            y += node.size[1] + (0.1 if node.kind == LABEL else 0.16)
        left += width + 0.5
    return fitted(boxes, routes)


def _columns(nodes: Sequence[Node]) -> list[list[Node]]:
    """Columns of like height that begin with a box, not with the text of an edge."""
    heights = [node.size[1] + (0.1 if node.kind == LABEL else 0.16) for node in nodes]
    number = max(1, round(sum(heights) / COLUMN_HEIGHT + 0.35))
    limit = sum(heights) / number
    columns: list[list[Node]] = [[]]
    filled = 0.0
    for node, height in zip(nodes, heights, strict=True):
        full = filled + height / 2 > limit * len(columns) and len(columns) < number
        if full and columns[-1] and node.kind != LABEL:
            columns.append([])
        columns[-1].append(node)
        filled += height
    return columns


def _turn(above: Box, below: Box, left: float) -> Route:
    """From the foot of a column through the gutter to the head of the next."""
    foot, head = above.y + above.height / 2, below.y - below.height / 2
    gutter = left - 0.25
    corners = [
        (above.x, foot),
        (above.x, foot + 0.16),
        (gutter, foot + 0.16),
        (gutter, head - 0.2),
        (below.x, head - 0.2),
        (below.x, head),
    ]
    return Route(above.node.id, below.node.id, polyline(corners), below.node.kind != LABEL)
