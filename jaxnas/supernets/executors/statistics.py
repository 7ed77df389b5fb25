"""How images that were routed to an operation are normalised: policies, and moments by operation.

Source of the moments over several batches: Chan et al. 1983, "Algorithms for computing the sample
variance" (the pairwise update), with the variance over all elements.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.supernets.network import Key, Network
from jaxnas.supernets.ops.context import Context
from jaxnas.supernets.ops.normalization import Moments
from jaxnas.supernets.ops.operation import Operation, Shape

Statistics = str | Mapping[Key, Any]
"""`"batch"`, `"image"`, or moments by operation."""

Measured = tuple[dict[Key, Any], dict[Key, int]]
"""Moments by operation, and the number of images behind each."""


def policy_of(statistics: Statistics) -> str:
    """`"batch"`, `"image"` or `"moments"`; raises `ValueError` where it is none of them."""
    if isinstance(statistics, Mapping):
        return "moments"
    if statistics not in ("batch", "image"):
        raise ValueError(
            f"statistics is {statistics!r}: give 'batch' (the images routed to an operation), "
            "'image' (each image by itself), or the moments of each operation."
        )
    return statistics


def moments_of(network: Network, key: Key, statistics: Statistics) -> Any:
    """The moments of one operation; `None` where the policy is another.

    Raises:
      ValueError: there are none, and the operation normalises.
    """
    if not isinstance(statistics, Mapping):
        return None
    if key not in statistics and _normalises(*network.operations[key].signature):
        raise ValueError(
            f"statistics hold no moments of {key!r}, which an image of this batch applies: "
            "measure them on batches that use every operation."
        )
    return statistics.get(key, {})


@functools.lru_cache(maxsize=4096)
def _normalises(operation: Operation, shapes: tuple[Shape, ...]) -> bool:
    def run(key):
        context = Context(record={})
        inputs = [jnp.zeros((1, *shape)) for shape in shapes]
        operation.apply(operation.init(key, *shapes), *inputs, context=context)
        return context.record

    return bool(jax.tree.leaves(jax.eval_shape(run, jax.random.key(0))))


def average_moments(measured: Sequence[Measured]) -> dict[Key, Any]:
    """The moments over several batches, from those of each; exact, weighted by their images."""
    batches: dict[Key, list[tuple[Any, int]]] = {}
    for moments, counts in measured:
        for key, value in moments.items():
            batches.setdefault(key, []).append((value, counts[key]))
    return {key: _average(found) for key, found in batches.items()}


def _weighted(shares: np.ndarray, values: Sequence[jax.Array]) -> jax.Array:
    return jnp.tensordot(jnp.asarray(shares, values[0].dtype), jnp.stack(values), 1)


def _average(found: list[tuple[Any, int]]) -> Any:
    shares = np.array([count for _, count in found]) / sum(count for _, count in found)

    def merge(*moments: Moments) -> Moments:
        mean = _weighted(shares, [m.mean for m in moments])
        squares = [m.variance + (m.mean - mean) ** 2 for m in moments]
        return Moments(mean, _weighted(shares, squares))

    trees = [tree for tree, _ in found]
    return jax.tree.map(merge, *trees, is_leaf=lambda node: isinstance(node, Moments))
