"""The operations of auxiliary classifiers: heads on an inner layer that help a training along.

Source: Szegedy et al. 2015 (arXiv:1409.4842), section 5; the sizes are those of ENAS's code
(`micro_child.py`, `aux_head`).
"""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp

from jaxnas.supernets.ops.composition import Sequential
from jaxnas.supernets.ops.context import Context
from jaxnas.supernets.ops.operation import Operation, Params
from jaxnas.supernets.ops.primitives import BatchNorm, Convolution, Linear, Relu

_WINDOW, _STRIDE = 5, 3


@dataclasses.dataclass(frozen=True)
class WidePool(Operation):
    """The mean of 5 x 5 windows with stride 3, without padding; of a smaller image, one window."""

    preserves_zero = True

    def apply(self, params: Params, *inputs: jax.Array, context: Context) -> jax.Array:
        """`[B, H, W, C]` to `[B, (H - 5) // 3 + 1, (W - 5) // 3 + 1, C]`."""
        return _mean_along(_mean_along(inputs[0], 1), 2)


def _mean_along(x: jax.Array, axis: int) -> jax.Array:
    window = min(_WINDOW, x.shape[axis])
    end = (x.shape[axis] - window) // _STRIDE * _STRIDE + 1
    shifted = [jax.lax.slice_in_dim(x, tap, tap + end, _STRIDE, axis=axis) for tap in range(window)]
    return functools.reduce(jnp.add, shifted) / window


@dataclasses.dataclass(frozen=True)
class Flatten(Operation):
    """All pixels and channels of an image as the channels of one pixel."""

    preserves_zero = True

    def apply(self, params: Params, *inputs: jax.Array, context: Context) -> jax.Array:
        """`[B, H, W, C]` to `[B, 1, 1, H W C]`."""
        return inputs[0].reshape(inputs[0].shape[0], 1, 1, -1)


@dataclasses.dataclass(frozen=True)
class Squeeze(Operation):
    """The channels of the only pixel of an image."""

    preserves_zero = True

    def apply(self, params: Params, *inputs: jax.Array, context: Context) -> jax.Array:
        """`[B, 1, 1, C]` to `[B, C]`."""
        return inputs[0][:, 0, 0]


def auxiliary_classifier(classes: int, *, before: tuple[Operation, ...] = ()) -> Operation:
    """Pooling, 1 x 1 to 128 channels, a convolution of the whole image to 768, logits `[B, K]`.

    Args:
      classes: the number of logits.
      before: operations that come first.
    """
    narrow = (Convolution(128, 1), BatchNorm(), Relu())
    whole = (Flatten(), Convolution(768, 1), BatchNorm(), Relu())
    return Sequential((*before, Relu(), WidePool(), *narrow, *whole, Squeeze(), Linear(classes)))
