"""Noise of a training step, keyed by operation so that equal work stays equal.

Every child that applies an operation in one step sees the same dropout mask there: sharing stays
exact, and children are compared under common random numbers.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnas.supernets.network import Key, Network

_DROP_PATH = 2**31 - 1


class Noise(NamedTuple):
    """The noise of one step.

    Attributes:
      key: a PRNG key for the step.
      drop_path: float32 scalar, the probability of dropping a path at full depth; `None` for no
        drop-path at all, whose programs are those without noise.
    """

    key: jax.Array
    drop_path: jax.Array | float | None = None

    def of(self, network: Network, key: Key) -> jax.Array:
        """The key of one shared operation's noise in this step."""
        group, row = network.rows[key]
        return jax.random.fold_in(jax.random.fold_in(self.key, group), row)


def drop_path(key: jax.Array, x: jax.Array, rate: jax.Array | float) -> jax.Array:
    """Zeroes whole images of `[B, ...]` with probability `rate` and rescales the others.

    Source: Larsson et al. 2017 (arXiv:1605.07648), as used by ENAS and NASNet.
    """
    # Dropout inside the operation folds in the small index of its part; this key is none of those.
    key = jax.random.fold_in(key, _DROP_PATH)
    keep = jax.random.bernoulli(key, 1 - rate, x.shape[:1])
    scale = jnp.where(keep, 1 / (1 - rate), 0).astype(x.dtype)
    return x * scale.reshape(-1, *(1,) * (x.ndim - 1))
