"""Rewards by their rank, as quantiles of the normal distribution."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtri


def normal_scores(rewards: jax.Array, others: jax.Array, filled: jax.Array) -> jax.Array:
    """The normal scores `[N]` of rewards `[N]` among others: 0 for the median one.

    The rank of a reward among `M`, as a quantile of the normal distribution; equal rewards share
    the middle of their ranks. No reward is far out, and no monotone map of rewards matters.

    Args:
      rewards: `[N]`, each of them among its others.
      others: `[M]` or `[N, M]`.
      filled: `bool`, of the same shape: which of them there are.
    """
    below = jnp.sum(filled & (others < rewards[:, None]), axis=-1)
    up_to = jnp.sum(filled & (others <= rewards[:, None]), axis=-1)
    count = jnp.maximum(jnp.sum(filled, axis=-1), 1)
    return ndtri(jnp.clip((below + up_to) / (2 * count), 0.5 / count, 1 - 0.5 / count))
