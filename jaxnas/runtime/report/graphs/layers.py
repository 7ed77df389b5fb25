"""Which row each node of a graph belongs to: longest-path layering."""

from __future__ import annotations

from collections.abc import Sequence

Edge = tuple[str, str]


def without_cycles(nodes: Sequence[str], edges: Sequence[Edge]) -> list[Edge]:
    """The edges with those turned round that close a cycle, in a depth-first walk over `nodes`.

    Args:
      nodes: the ids, in the order in which they are visited.
      edges: pairs `(source, target)` without self-loops.
    """
    after: dict[str, list[int]] = {node: [] for node in nodes}
    for i, (source, _) in enumerate(edges):
        after[source].append(i)
    turned: set[int] = set()
    done: set[str] = set()
    active: set[str] = set()
    for root in nodes:
        stack = [] if root in done else [(root, iter(after[root]))]
        active.update({root} if stack else ())
        while stack:
            node, rest = stack[-1]
            edge = next(rest, None)
            if edge is None:
                active.discard(node)
                done.add(node)
                stack.pop()
            elif (target := edges[edge][1]) in active:
                turned.add(edge)
            elif target not in done:
                active.add(target)
                stack.append((target, iter(after[target])))
    return [(b, a) if i in turned else (a, b) for i, (a, b) in enumerate(edges)]


def assign_layers(
    nodes: Sequence[str], edges: Sequence[Edge], outputs: Sequence[str] = ()
) -> dict[str, int]:
    """The layer of each node: every edge leads to a later layer.

    A node stands as early as the longest path to it allows. One that has no more inputs than
    outputs moves down to just above its first consumer, which shortens its edges and keeps the
    operations of a sum side by side. `outputs` stand in the last layer.
    """
    order = topological_order(nodes, edges)
    layer = dict.fromkeys(nodes, 0)
    before: dict[str, list[str]] = {node: [] for node in nodes}
    after: dict[str, list[str]] = {node: [] for node in nodes}
    for source, target in edges:
        before[target].append(source)
        after[source].append(target)
    for node in order:
        layer[node] = max((layer[b] + 1 for b in before[node]), default=0)
    for node in outputs:
        if not after[node]:
            layer[node] = max(layer.values())
    for node in reversed(order):
        if before[node] and after[node] and len(before[node]) <= len(after[node]):
            layer[node] = min(layer[a] for a in after[node]) - 1
    return layer


def topological_order(nodes: Sequence[str], edges: Sequence[Edge]) -> list[str]:
    """The nodes so that every edge leads forward; `edges` have no cycle."""
    missing = dict.fromkeys(nodes, 0)
    for _, target in edges:
        missing[target] += 1
    ready = [node for node in nodes if not missing[node]]
    order: list[str] = []
    while ready:
        node = ready.pop(0)
        order.append(node)
        for source, target in edges:
            if source == node:
                missing[target] -= 1
                if not missing[target]:
                    ready.append(target)
    return order
