"""Layered drawing of any directed graph, top down; long edges run beside the boxes."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

from jaxnas.runtime.report.graphs import layers as layering
from jaxnas.runtime.report.graphs.ordering import order_layers
from jaxnas.runtime.report.graphs.placement import place_layers, straighten
from jaxnas.runtime.report.graphs.scene import LABEL, Box, Node, Point, Route, Scene, fitted, line

Edge = tuple[str, str]

BEND_WIDTH = 0.1
"""Room for an edge that passes a layer, in inches."""


def layered(nodes: Sequence[Node], edges: Sequence[Edge]) -> Scene:
    """Lays out a graph in layers.

    An edge that passes layers takes part in ordering and placement as a thin node in each, so that
    it never runs through a box. Edges that close a cycle lead upwards.

    Args:
      nodes: the boxes and the texts of edges.
      edges: pairs of ids, without self-loops and without repetition.
    """
    by_id = {node.id: node for node in nodes}
    forward = layering.without_cycles(list(by_id), edges)
    outputs = [node.id for node in nodes if node.kind == "output"]
    layer = layering.assign_layers(list(by_id), forward, outputs)
    chains = [_chain(i, edge, layer) for i, edge in enumerate(forward)]
    for i, chain in enumerate(chains):
        layer.update({bend: layer[chain[0]] + k for k, bend in enumerate(chain[1:-1], 1)})
        chains[i] = chain
    rows: list[list[str]] = [[] for _ in range(max(layer.values()) + 1)]
    for name, i in layer.items():
        rows[i].append(name)
    steps = [step for chain in chains for step in itertools.pairwise(chain)]
    rows = order_layers(rows, steps)
    widths = {n: by_id[n].size[0] if n in by_id else BEND_WIDTH for row in rows for n in row}
    weights = {step: _straightness(step, by_id) for step in steps}
    x = place_layers(rows, steps, widths, weights)
    straighten(rows, [_movable(chain, by_id) for chain in chains], widths, x)
    return _scene(_Placed(by_id, rows, x, *_bands(rows, steps, x, by_id)), edges, chains)


@dataclasses.dataclass(frozen=True)
class _Placed:
    nodes: Mapping[str, Node]
    rows: Sequence[Sequence[str]]
    x: Mapping[str, float]
    top: Mapping[str, float]
    bottom: Mapping[str, float]


def _chain(index: int, edge: Edge, layer: Mapping[str, int]) -> list[str]:
    """The nodes that an edge passes, a bend in each layer between its ends."""
    span = layer[edge[1]] - layer[edge[0]]
    return [edge[0], *(f"\0bend {index} {k}" for k in range(1, span)), edge[1]]


def _movable(chain: Sequence[str], nodes: Mapping[str, Node]) -> list[str]:
    """The bends of an edge, and the text that it leads to or comes from."""
    return [name for name in chain if name not in nodes or nodes[name].kind == LABEL]


def _straightness(step: Edge, nodes: Mapping[str, Node]) -> float:
    bends = sum(end not in nodes or nodes[end].kind == LABEL for end in step)
    return (1.0, 2.0, 8.0)[bends]


def _bands(
    rows: Sequence[Sequence[str]],
    steps: Sequence[Edge],
    x: Mapping[str, float],
    nodes: Mapping[str, Node],
) -> tuple[dict[str, float], dict[str, float]]:
    """The top and bottom of the layer of each node; steep where edges go far sideways."""
    row_of = {name: i for i, row in enumerate(rows) for name in row}
    shift = [0.0] * len(rows)
    for a, b in steps:
        shift[row_of[a]] = max(shift[row_of[a]], abs(x[a] - x[b]))
    top: dict[str, float] = {}
    bottom: dict[str, float] = {}
    y = 0.0
    for i, row in enumerate(rows):
        height = max(nodes[name].size[1] if name in nodes else 0.0 for name in row)
        top.update(dict.fromkeys(row, y))
        bottom.update(dict.fromkeys(row, y + height))
        y += height + min(0.26 + 0.09 * shift[i], 0.62)
    return top, bottom


def _scene(placed: _Placed, edges: Sequence[Edge], chains: Sequence[Sequence[str]]) -> Scene:
    boxes = {}
    for name, node in placed.nodes.items():
        y = (placed.top[name] + placed.bottom[name]) / 2
        boxes[name] = Box(node, placed.x[name], y, *node.size)
    leave = _ports(boxes, chains, placed.x, last=False)
    enter = _ports(boxes, chains, placed.x, last=True)
    routes = []
    for i, ((source, target), chain) in enumerate(zip(edges, chains, strict=True)):
        points = _curve(placed, boxes, chain, leave[i], enter[i])
        points = points if chain[0] == source else points[::-1]
        arrow = boxes[target].node.kind != LABEL
        routes.append(Route(source, target, tuple(points), arrow))
    return fitted(list(boxes.values()), routes)


def _ports(
    boxes: Mapping[str, Box], chains: Sequence[Sequence[str]], x: Mapping[str, float], last: bool
) -> dict[int, float]:
    """Where each edge meets its box, side by side in the order of where they lead."""
    at: dict[str, list[int]] = {}
    for i, chain in enumerate(chains):
        at.setdefault(chain[-1 if last else 0], []).append(i)
    ports: dict[int, float] = {}
    for name, indices in at.items():
        indices.sort(key=lambda i: x[chains[i][-2 if last else 1]])
        room = max(boxes[name].width - 0.2, 0.1)
        step = min(0.16, room / max(len(indices) - 1, 1))
        for k, i in enumerate(indices):
            ports[i] = boxes[name].x + (k - (len(indices) - 1) / 2) * step
    return ports


def _curve(
    placed: _Placed, boxes: Mapping[str, Box], chain: Sequence[str], leave: float, enter: float
) -> list[Point]:
    """From box to box: straight through a layer, bending only in the room between layers."""
    first, last = boxes[chain[0]], boxes[chain[-1]]
    points = [(leave, first.y + first.height / 2)]
    points += line(points[-1], (leave, placed.bottom[chain[0]]))
    for name in chain[1:]:
        x = enter if name == chain[-1] else placed.x[name]
        (x0, y0), y1 = points[-1], placed.top[name]
        middle = (y0 + y1) / 2
        points += [(x0, middle), (x, middle), (x, y1)]
        end = last.y - last.height / 2 if name == chain[-1] else placed.bottom[name]
        points += line(points[-1], (x, end))
    return points
