"""Every second pixel of an image: what gives an operation with stride 1 a stride of 2."""

from __future__ import annotations

import dataclasses

import jax

from jaxnas.supernets.ops.context import Context
from jaxnas.supernets.ops.operation import Operation, Params


@dataclasses.dataclass(frozen=True)
class Subsample(Operation):
    """Every second row and column, the first ones included.

    After pooling with 3 x 3 windows it is pooling with stride 2, zero-padded at both sides, and
    keeps the gradients of pooling that are fast on CPU.

    Example:
      >>> Subsample().output_shape((8, 7, 3))
      (4, 4, 3)
    """

    preserves_zero = True

    def apply(self, params: Params, *inputs: jax.Array, context: Context) -> jax.Array:
        """`[B, H, W, C]` to `[B, ceil(H / 2), ceil(W / 2), C]`."""
        return inputs[0][:, ::2, ::2]
