"""A panel of `drawing.json` to geometry: the layout that suits its graph."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from jaxnas.runtime.report.graphs.chains import in_columns, with_skips
from jaxnas.runtime.report.graphs.layered import layered
from jaxnas.runtime.report.graphs.layers import assign_layers, without_cycles
from jaxnas.runtime.report.graphs.scene import LABEL, Node, Scene

Edge = tuple[str, str]

NOTHING = "none"
"""An edge with this label carries nothing; it is drawn dotted."""


def lay_out(panel: Mapping[str, Any]) -> Scene:
    """Lays out one panel: a chain in a column, anything else in layers.

    Args:
      panel: `{"nodes": [{"id", "label", "kind", "group"?}], "edges": [[source, target, label?]]}`.

    Raises:
      ValueError: a panel without nodes, or an edge whose end is not a node.
    """
    nodes, edges, dotted = _graph(panel)
    scene = _best_layout(nodes, edges)
    routes = tuple(
        dataclasses.replace(route, dotted=bool(dotted & {route.source, route.target}))
        for route in scene.routes
    )
    return dataclasses.replace(scene, routes=routes)


def _best_layout(nodes: Sequence[Node], edges: Sequence[Edge]) -> Scene:
    names = [node.id for node in nodes]
    if edges == without_cycles(names, edges):
        layer = assign_layers(names, edges)
        if len(set(layer.values())) == len(nodes):
            chain = sorted(nodes, key=lambda node: layer[node.id])
            if len(edges) == len(nodes) - 1:
                return in_columns(chain)
            if all(node.kind != LABEL for node in nodes):
                return with_skips(chain, edges)
    return layered(nodes, edges)


def _graph(panel: Mapping[str, Any]) -> tuple[list[Node], list[Edge], set[str]]:
    """Nodes and edges, the label of an edge made a node on it; and the dotted labels."""
    nodes = [
        Node(
            str(n["id"]),
            str(n.get("label", n["id"])),
            n.get("kind", "operation"),
            n.get("group", ""),
        )
        for n in panel.get("nodes", ())
    ]
    if not nodes:
        raise ValueError(f"panel {panel.get('title', '')!r} has no nodes: give at least one.")
    known = {node.id for node in nodes}
    edges: dict[Edge, None] = {}
    dotted = set()
    for i, (source, target, *rest) in enumerate(panel.get("edges", ())):
        if not {source, target} <= known:
            raise ValueError(f"edge {[source, target]} leads from or to a node that is not there.")
        label = str(rest[0]) if rest and rest[0] else ""
        if not label and source != target:
            edges[source, target] = None
            continue
        name = f"\0label {i}"
        nodes.append(Node(name, label, LABEL))
        edges[source, name] = edges[name, target] = None
        dotted |= {name} if label == NOTHING else set()
    return nodes, list(edges), dotted
