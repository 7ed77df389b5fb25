"""The order of the nodes within each layer: barycentres, to avoid crossings.

Source: Sugiyama, Tagawa & Toda 1981, "Methods for visual understanding of hierarchical system
structures".
"""

from __future__ import annotations

from collections.abc import Sequence

Edge = tuple[str, str]

SWEEPS = 16


def order_layers(layers: Sequence[Sequence[str]], edges: Sequence[Edge]) -> list[list[str]]:
    """Sorts each layer so that few edges cross.

    Args:
      layers: the ids of each layer, from first to last.
      edges: pairs that lead from one layer to the next.

    Returns:
      The layers in the order with the fewest crossings that the sweeps met.
    """
    up, down = _neighbours(edges, 1), _neighbours(edges, 0)
    current = [list(layer) for layer in layers]
    best, fewest = [list(layer) for layer in current], crossings(current, edges)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        forward = sweep % 2 == 0
        places = range(1, len(current)) if forward else range(len(current) - 2, -1, -1)
        for i in places:
            fixed = current[i - 1] if forward else current[i + 1]
            current[i] = _by_barycentre(current[i], fixed, up if forward else down)
        number = crossings(current, edges)
        if number < fewest:
            best, fewest = [list(layer) for layer in current], number
    return best


def crossings(layers: Sequence[Sequence[str]], edges: Sequence[Edge]) -> int:
    """The number of pairs of edges between the same two layers that cross."""
    place = {node: (i, j) for i, layer in enumerate(layers) for j, node in enumerate(layer)}
    rows: dict[int, list[tuple[int, int]]] = {}
    for source, target in edges:
        rows.setdefault(place[source][0], []).append((place[source][1], place[target][1]))
    return sum(
        (a[0] - b[0]) * (a[1] - b[1]) < 0
        for row in rows.values()
        for i, a in enumerate(row)
        for b in row[:i]
    )


def _neighbours(edges: Sequence[Edge], end: int) -> dict[str, list[str]]:
    neighbours: dict[str, list[str]] = {}
    for edge in edges:
        neighbours.setdefault(edge[end], []).append(edge[1 - end])
    return neighbours


def _by_barycentre(
    layer: Sequence[str], fixed: Sequence[str], neighbours: dict[str, list[str]]
) -> list[str]:
    place = {node: i for i, node in enumerate(fixed)}

    def key(item: tuple[int, str]) -> float:
        around = [place[n] for n in neighbours.get(item[1], ()) if n in place]
        # A node without neighbours keeps its relative place.
        own = item[0] / max(len(layer) - 1, 1) * max(len(fixed) - 1, 1)
        return sum(around) / len(around) if around else own

    return [node for _, node in sorted(enumerate(layer), key=key)]
