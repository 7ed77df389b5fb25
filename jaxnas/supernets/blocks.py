"""Children cut into blocks of about the same distinct work, one for each device."""

from __future__ import annotations

import functools
import math

import numpy as np

from jaxnas.supernets.cost import operation_flops
from jaxnas.supernets.expressions import APPLY
from jaxnas.supernets.plan import Plan

_TRIALS = 10
"""Halvings of the interval in which the cost of the dearest block is sought."""


@functools.lru_cache(maxsize=32)
def cut(plan: Plan, count: int) -> tuple[np.ndarray, ...]:
    """The children of a plan in contiguous blocks of their sorted order, `count` at most.

    Sorted children share much with their neighbours, so equal numbers of them may cost very
    different amounts. The dearest block is made as cheap as contiguous blocks can be.

    Args:
      plan: the distinct work of all children.
      count: how many blocks.

    Returns:
      For each block the positions of its children in `plan.architectures`.
    """
    order = np.lexsort(plan.architectures.T[::-1])
    costs = [_cost(plan, i) for i in range(len(plan.instructions))]
    needed = [_needed(plan, int(plan.outputs[child])) for child in order]
    high = float(sum(costs))
    low = high / count
    for _ in range(_TRIALS):
        limit = (low + high) / 2
        fits = len(_starts(needed, costs, limit)) <= count
        low, high = (low, limit) if fits else (limit, high)
    return tuple(np.split(order, _starts(needed, costs, high)[1:]))


def _starts(needed: list[frozenset[int]], costs: list[int], limit: float) -> list[int]:
    """Where blocks start that are filled one after the other up to a cost."""
    starts: list[int] = []
    block: set[int] = set()
    total = 0
    for child, values in enumerate(needed):
        more = sum(costs[i] for i in values - block)
        if not starts or total + more > limit:
            starts.append(child)
            block, total, more = set(), 0, sum(costs[i] for i in values)
        block |= values
        total += more
    return starts


def _needed(plan: Plan, output: int) -> frozenset[int]:
    """The instructions that a value depends on, itself included."""
    found, waiting = {output}, [output]
    while waiting:
        new = [i for i in plan.instructions[waiting.pop()].inputs if i not in found]
        found.update(new)
        waiting += new
    return frozenset(found)


def _cost(plan: Plan, position: int) -> int:
    """Arithmetic of one instruction for one image; a number that is written counts as one more."""
    kind, key, _, shape = plan.instructions[position]
    flops = operation_flops(*plan.network.operations[key].signature) if kind == APPLY else 0
    return flops + math.prod(shape)
