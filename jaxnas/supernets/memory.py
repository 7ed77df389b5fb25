"""Live bytes of a plan's values, and plans of fewer children that fit in a budget."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxnas.supernets.expressions import APPLY
from jaxnas.supernets.network import Network
from jaxnas.supernets.plan import Plan, make_plan


def live_bytes(plan: Plan, images: jax.Array, *, gradient: bool = False) -> int:
    """The most bytes of values that are alive at once while a plan is executed.

    In evaluation a value lives until its last reading. For a gradient the inputs of operations
    live until the sweep back, besides the cotangents; what single operations need for a moment, or
    keep for their own gradients, comes on top.

    Args:
      plan: the plan.
      images: `[B, H, W, C]`, or their shape and dtype.
      gradient: whether the gradient is computed too.

    Example:
      >>> from jaxnas.supernets import chain
      >>> network = chain(layers=2, channels=4, image_shape=(8, 8, 1), num_classes=10)
      >>> plan = make_plan(network, [[0, 1], [0, 2]])
      >>> live_bytes(plan, jax.ShapeDtypeStruct((16, 8, 8, 1), "float32"))  # doctest: +SKIP
    """
    sizes = [math.prod(e.shape) for e in plan.instructions]
    peak = _peak(sizes, plan.frees)
    if gradient:
        read = {i for e in plan.instructions if e.kind == APPLY for i in e.inputs}
        kept = [[value for value in dead if value not in read] for dead in plan.frees]
        peak += _peak(sizes, kept)
    return peak * images.shape[0] * images.dtype.itemsize


def _peak(sizes: list[int], frees: Any) -> int:
    alive = peak = 0
    for size, dead in zip(sizes, frees, strict=True):
        alive += size
        peak = max(peak, alive)
        alive -= sum(sizes[value] for value in dead)
    return peak


def split(
    network: Network, architectures: np.ndarray, budget: int, cost: Callable[[Plan], int]
) -> list[tuple[np.ndarray, Plan]]:
    """Splits children into plans that cost no more than a budget each.

    Children are sorted first, so that those that share much stay together.

    Args:
      network: the network.
      architectures: `[A, T]`.
      budget: bytes.
      cost: the bytes of a plan.

    Returns:
      The positions in `architectures` of the children of each plan, and the plan.

    Raises:
      ValueError: a single child costs more than the budget.
    """
    order = np.lexsort(np.asarray(architectures).T[::-1])
    found: list[tuple[np.ndarray, Plan]] = []
    parts = [order]
    while parts:
        part = parts.pop()
        plan = make_plan(network, architectures[part])
        needed = cost(plan)
        if needed <= budget:
            found.append((part, plan))
        elif len(part) == 1:
            raise ValueError(
                f"memory_budget is {budget} bytes, but one child of {network.name!r} needs "
                f"{needed}: give at least that, or fewer images."
            )
        else:
            parts += [part[len(part) // 2 :], part[: len(part) // 2]]
    return found
