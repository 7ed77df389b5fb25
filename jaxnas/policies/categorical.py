"""Categorical distributions over the open actions of a decision."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxnas.policies.tables import Array


def open_log_softmax(logits: jax.Array, is_open: Array) -> jax.Array:
    """Log-probabilities over the open actions; 0 for the others, which `is_open` tells apart.

    Zero in place of minus infinity keeps products and their gradients finite.

    Args:
      logits: `[N, A]`.
      is_open: `bool [N, A]` or `[A]`, with at least one open action in every row.
    """
    log_probs = jax.nn.log_softmax(jnp.where(is_open, logits, -jnp.inf), axis=-1)
    return jnp.where(is_open, log_probs, 0.0)


def entropy(log_probs: jax.Array, is_open: Array) -> jax.Array:
    """The entropy `[N]` of the distributions of `open_log_softmax`, in nats."""
    return -jnp.sum(jnp.where(is_open, jnp.exp(log_probs) * log_probs, 0.0), axis=-1)


def sample(log_probs: jax.Array, is_open: Array, uniform: jax.Array) -> jax.Array:
    """Draws an action `int32 [N]` by inverting the cumulative distribution.

    Args:
      log_probs: `[N, A]`, as `open_log_softmax` returns them.
      is_open: `bool [N, A]` or `[A]`.
      uniform: `[N]` numbers in [0, 1).
    """
    cumulative = jnp.cumsum(jnp.where(is_open, jnp.exp(log_probs), 0.0), axis=-1)
    # Scaled by the last entry, rounding cannot lead past the last open action.
    threshold = uniform[:, None] * cumulative[:, -1:]
    return jnp.sum(cumulative <= threshold, axis=-1, dtype=jnp.int32)


def log_prob(log_probs: jax.Array, is_open: Array, action: jax.Array) -> jax.Array:
    """The log-probability `[N]` of actions `int32 [N]`; minus infinity for closed ones."""
    chosen = (action[:, None] == jnp.arange(log_probs.shape[-1])) & is_open
    selected = jnp.sum(jnp.where(chosen, log_probs, 0.0), axis=-1)
    return jnp.where(jnp.any(chosen, axis=-1), selected, -jnp.inf)
