"""Which loops each decision stands in, from the outermost to the innermost.

A loop is a strongly connected part of the graph, and its head is the decision at which walks enter
it; without the head, the loops that are left are the inner ones (Havlak 1997 calls this the loop
nesting forest).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.sparse import csgraph, csr_array

Edges = list[tuple[int, ...]]
"""For each decision the decisions that its actions lead to."""


def loop_heads(edges: Edges, start: int) -> list[tuple[int, ...]]:
    """For each decision the heads of its loops, outermost first; empty outside of loops."""
    distance = _distances(edges, start)
    heads: list[tuple[int, ...]] = [() for _ in edges]

    def descend(vertices: list[int]) -> None:
        for members in _components(edges, vertices):
            head = min(members, key=lambda v: (distance[v], v))
            for vertex in members:
                heads[vertex] += (head,)
            descend([v for v in members if v != head])

    descend(list(range(len(edges))))
    return heads


def _components(edges: Edges, vertices: list[int]) -> Iterator[list[int]]:
    """The sets of vertices that lie on common cycles within `vertices`."""
    inside = {v: i for i, v in enumerate(vertices)}
    pairs = [(inside[v], inside[t]) for v in vertices for t in edges[v] if t in inside]
    _, labels = csgraph.connected_components(_matrix(pairs, len(vertices)), connection="strong")
    for label in range(labels.max(initial=-1) + 1):
        members = [vertices[i] for i in np.flatnonzero(labels == label)]
        if len(members) > 1 or members[0] in edges[members[0]]:
            yield members


def _distances(edges: Edges, start: int) -> np.ndarray:
    pairs = [(v, t) for v, targets in enumerate(edges) for t in targets]
    matrix = _matrix(pairs, len(edges))
    return csgraph.shortest_path(matrix, unweighted=True, indices=start)


def _matrix(pairs: list[tuple[int, int]], size: int) -> csr_array:
    rows, columns = np.array(pairs, int).reshape(-1, 2).T
    return csr_array((np.ones(len(rows)), (rows, columns)), shape=(size, size))
