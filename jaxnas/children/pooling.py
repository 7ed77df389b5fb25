"""Max pooling between the layers of convolutional children.

Source: Zoph & Le 2017, "Neural architecture search with reinforcement learning"
(arXiv:1611.01578), section 4.1: two pooling layers at fixed depths. What a layer reads past such a
depth, from however far before it, is pooled by 2 x 2: our reading, since skips of the old size
would be as large as if nothing were pooled.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np


def windows(depth: int, pools: Sequence[int]) -> np.ndarray:
    """By what each layer's input is pooled: `int32 [D, D + 1]`, of `D` layers and `D + 1` values.

    Args:
      depth: `D`.
      pools: the layers, counted from 1, after which everything is pooled by 2 x 2.

    Example:
      >>> windows(2, [1])  # the second layer reads the image and the first layer's output at half
      array([[1, 1, 1],
             [2, 2, 1]], dtype=int32)
    """
    layer, value = np.arange(depth)[:, None], np.arange(depth + 1)
    between = [(value <= pool) & (pool <= layer) for pool in pools]
    return 2 ** sum(between, np.zeros((depth, depth + 1), np.int32))


def pool(window: int, x: jax.Array, extent: jax.Array) -> jax.Array:
    """The largest number of every window of a map whose first `extent` rows and columns count.

    Args:
      window: the static height and width of a window; 1 changes nothing.
      x: `[C, H, W, B]`, zero past its extent.
      extent: `int32 [2]`, of `x`; what comes out has a `window`-th of it, rounded up.

    Returns:
      `[C, H, W, B]`, zero past the new extent.
    """
    if window == 1:
        return x
    height, width = x.shape[1:3]
    there = _within(extent, height, width)
    fill = [(0, 0), (0, -height % window), (0, -width % window), (0, 0)]
    x = jnp.pad(jnp.where(there, x, -jnp.inf), fill, constant_values=-jnp.inf)
    parts = (x.shape[1] // window, window, x.shape[2] // window, window)
    x = x.reshape(len(x), *parts, x.shape[3]).max((2, 4))
    fill = [(0, 0), (0, height - parts[0]), (0, width - parts[2]), (0, 0)]
    left = _within(-(-extent // window), height, width)
    return jnp.where(left, jnp.pad(x, fill), 0)


def _within(extent: jax.Array, height: int, width: int) -> jax.Array:
    """Which pixels `[1, H, W, 1]` lie inside."""
    rows, columns = jnp.arange(height) < extent[0], jnp.arange(width) < extent[1]
    return (rows[:, None] & columns)[None, :, :, None]
