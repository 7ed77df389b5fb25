"""Where the nodes of ordered layers stand: as straight below their neighbours as room allows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

Edge = tuple[str, str]

SWEEPS = 60


def place_layers(
    layers: Sequence[Sequence[str]],
    edges: Sequence[Edge],
    widths: Mapping[str, float],
    weights: Mapping[Edge, float],
    gap: float = 0.22,
) -> dict[str, float]:
    """The horizontal centre of each node, so that edges are short and boxes keep apart.

    Args:
      layers: the ids of each layer in their order from left to right.
      edges: pairs that lead from one layer to the next.
      widths: the width of each node.
      weights: how much an edge wants to be straight.
      gap: the least room between two neighbours.
    """
    around: dict[str, list[tuple[str, float]]] = {node: [] for layer in layers for node in layer}
    for edge in edges:
        around[edge[0]].append((edge[1], weights[edge]))
        around[edge[1]].append((edge[0], weights[edge]))
    x = dict.fromkeys(around, 0.0)
    for layer in layers:
        x.update(_settle(layer, dict.fromkeys(layer, 0.0), around, widths, gap))
    for sweep in range(SWEEPS):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            x.update(_settle(layer, _wishes(layer, around, x), around, widths, gap))
    return x


def straighten(
    layers: Sequence[Sequence[str]],
    chains: Sequence[Sequence[str]],
    widths: Mapping[str, float],
    x: dict[str, float],
    gap: float = 0.22,
) -> None:
    """Moves the bends of each long edge onto one vertical line where there is room, in place."""
    row_of = {node: layer for layer in layers for node in layer}
    for chain in chains:
        low, high = -math.inf, math.inf
        for node in chain:
            row, i = row_of[node], row_of[node].index(node)
            if i:
                low = max(low, x[row[i - 1]] + (widths[row[i - 1]] + widths[node]) / 2 + gap)
            if i + 1 < len(row):
                high = min(high, x[row[i + 1]] - (widths[row[i + 1]] + widths[node]) / 2 - gap)
        if chain and low <= high:
            mean = sum(x[node] for node in chain) / len(chain)
            x.update(dict.fromkeys(chain, min(max(mean, low), high)))


def _wishes(
    layer: Sequence[str], around: Mapping[str, list[tuple[str, float]]], x: Mapping[str, float]
) -> dict[str, float]:
    wishes = {}
    for node in layer:
        total = sum(weight for _, weight in around[node])
        mean = sum(x[other] * weight for other, weight in around[node]) / (total or 1.0)
        wishes[node] = mean if total else x[node]
    return wishes


def _settle(
    layer: Sequence[str],
    wishes: Mapping[str, float],
    around: Mapping[str, list[tuple[str, float]]],
    widths: Mapping[str, float],
    gap: float,
) -> dict[str, float]:
    """The places nearest to the wishes (least squares) that keep order and distance."""
    offsets, offset = [], 0.0
    for i, node in enumerate(layer):
        offset += (widths[layer[i - 1]] + widths[node]) / 2 + gap if i else 0.0
        offsets.append(offset)
    pull = [0.1 + sum(weight for _, weight in around[node]) for node in layer]
    values = [wishes[node] - offset for node, offset in zip(layer, offsets, strict=True)]
    level = isotonic(values, pull)
    return {node: y + offset for node, y, offset in zip(layer, level, offsets, strict=True)}


def isotonic(values: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The non-decreasing sequence nearest to `values`, by pooling adjacent violators."""
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        pools.append((value, weight, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (v, w, n), (u, s, m) = pools.pop(), pools.pop()
            pools.append(((v * w + u * s) / (w + s), w + s, n + m))
    return [value for value, _, number in pools for _ in range(number)]
