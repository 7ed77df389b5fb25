"""Categorical distributions over the open actions of a decision."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.policies.tables import Array

_FEW = 32
"""Up to so many actions a cumulative sum is one loop over pairs; more of them are scanned."""


def open_log_softmax(logits: jax.Array, is_open: Array) -> jax.Array:
    """Log-probabilities over the open actions; 0 for the others, which `is_open` tells apart.

    Zero in place of minus infinity keeps products and their gradients finite.

    Args:
      logits: `[..., A]`.
      is_open: `bool [..., A]` or `[A]`, with at least one open action in every row.
    """
    if _all_open(is_open):
        return jax.nn.log_softmax(logits, axis=-1)
    log_probs = jax.nn.log_softmax(jnp.where(is_open, logits, -jnp.inf), axis=-1)
    return jnp.where(is_open, log_probs, 0.0)


def _all_open(is_open: Array) -> bool:
    """Whether it is known now that all actions are open."""
    return isinstance(is_open, np.ndarray) and bool(is_open.all())


def _probabilities(log_probs: jax.Array, is_open: Array) -> jax.Array:
    probabilities = jnp.exp(log_probs)
    return probabilities if _all_open(is_open) else jnp.where(is_open, probabilities, 0.0)


def entropy(log_probs: jax.Array, is_open: Array) -> jax.Array:
    """The entropy `[...]` of the distributions of `open_log_softmax`, in nats."""
    return -jnp.sum(_probabilities(log_probs, is_open) * log_probs, axis=-1)


def sample(log_probs: jax.Array, is_open: Array, uniform: jax.Array) -> jax.Array:
    """Draws an action `int32 [...]` by inverting the cumulative distribution.

    Args:
      log_probs: `[..., A]`, as `open_log_softmax` returns them.
      is_open: `bool [..., A]` or `[A]`.
      uniform: `[...]` numbers in [0, 1).
    """
    cumulative = _cumulative(_probabilities(log_probs, is_open))
    # Scaled by the last entry, rounding cannot lead past the last open action.
    threshold = uniform[..., None] * cumulative[..., -1:]
    return jnp.sum(cumulative <= threshold, axis=-1, dtype=jnp.int32)


def _cumulative(x: jax.Array) -> jax.Array:
    """The cumulative sum over the last axis."""
    size = x.shape[-1]
    if size > _FEW:
        return jnp.cumsum(x, axis=-1)
    before = np.tri(size, dtype=bool)
    return jnp.sum(jnp.where(before, x[..., None, :], 0.0), axis=-1)


def log_prob(log_probs: jax.Array, is_open: Array, action: jax.Array) -> jax.Array:
    """The log-probability `[...]` of actions `int32 [...]`; minus infinity for closed ones."""
    chosen = (action[..., None] == jnp.arange(log_probs.shape[-1])) & is_open
    selected = jnp.sum(jnp.where(chosen, log_probs, 0.0), axis=-1)
    return jnp.where(jnp.any(chosen, axis=-1), selected, -jnp.inf)
