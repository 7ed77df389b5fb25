"""The least time in which a device could do the work of a plan (Williams et al. 2009)."""

from __future__ import annotations

import math

from jaxnas.supernets import Plan
from jaxnas.supernets.cost import operation_flops
from jaxnas.supernets.expressions import APPLY, IMAGES


def roofline_seconds(
    plan: Plan, batch: int, itemsize: int, flops_per_second: float, bytes_per_second: float
) -> float:
    """The sum over instructions of the larger of arithmetic and memory time, forward.

    Each application reads its inputs and writes its output once; what passes between the parts
    of one operation is counted as free, so this is a lower bound.

    Args:
      plan: the distinct work of the children.
      batch: images.
      itemsize: bytes of a number.
      flops_per_second: the measured peak of matrix products.
      bytes_per_second: the measured bandwidth of memory.
    """
    sizes = [math.prod(instruction.shape) for instruction in plan.instructions]
    seconds = 0.0
    for position, (kind, key, inputs, _) in enumerate(plan.instructions):
        if kind == IMAGES:
            continue
        moved = (sizes[position] + sum(sizes[i] for i in inputs)) * batch * itemsize
        flops = operation_flops(*plan.network.operations[key].signature) if kind == APPLY else 0
        seconds += max(flops * batch / flops_per_second, moved / bytes_per_second)
    return seconds
