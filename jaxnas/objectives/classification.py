"""Losses and rewards of classifiers."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax


def cross_entropy(logits: jax.Array, labels: jax.Array, smoothing: float = 0.0) -> jax.Array:
    """The mean cross-entropy over all leading axes.

    Args:
      logits: `[..., B, K]`.
      labels: `int [B]`.
      smoothing: mass moved from the label to all classes (Szegedy et al. 2016).

    Returns:
      A scalar.
    """
    targets = optax.smooth_labels(jax.nn.one_hot(labels, logits.shape[-1]), smoothing)
    return optax.softmax_cross_entropy(logits, targets.astype(logits.dtype)).mean()


def accuracy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """The share of correct predictions: `[..., B, K]` and `int [B]` to `[...]`.

    A row with a logit that is not finite makes the whole batch's accuracy NaN: a child that
    diverges has no accuracy, and searchers count NaN as the worst reward.
    """
    correct = (jnp.argmax(logits, -1) == labels).mean(-1)
    return jnp.where(jnp.isfinite(logits).all((-2, -1)), correct, jnp.nan)
