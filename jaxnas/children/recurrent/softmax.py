"""The cross-entropy of a softmax over a vocabulary, in chunks of rows that fit a cache.

The gradient is computed together with the loss, chunk by chunk: no array of the size of all
logits is ever made, and the logits are computed once.
"""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp

CHUNK = 2**19
"""The logits of one chunk at most: 2 MB of float32."""


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def negative_log_likelihood(
    chunk: int, hidden: jax.Array, weights: jax.Array, bias: jax.Array, labels: jax.Array
) -> jax.Array:
    """The sum over rows of `-log softmax(hidden weights^T + bias)[label]`.

    Args:
      chunk: logits of one chunk at most; static. At least one row is taken at a time.
      hidden: `[R, H]`.
      weights: `[V, H]`, the embedding itself where they are tied.
      bias: `[V]`.
      labels: `int [R]`.

    Returns:
      A scalar, in nats.

    Example:
      >>> zeros = jnp.zeros((3, 4)), jnp.zeros((2, 4)), jnp.zeros(2)
      >>> float(negative_log_likelihood(CHUNK, *zeros, jnp.array([0, 1, 1]))) / math.log(2)
      3.0
    """

    def one_chunk(total, rows):
        hidden, labels = rows
        return total + _loss(_logits(hidden, weights, bias), labels)[0], None

    zero = jnp.zeros((), hidden.dtype)
    return jax.lax.scan(one_chunk, zero, _chunks(chunk, len(weights), hidden, labels))[0]


def _forward(chunk, hidden, weights, bias, labels):
    def one_chunk(totals, rows):
        hidden, labels = rows
        logits = _logits(hidden, weights, bias)
        loss, log_sum = _loss(logits, labels)
        at_label = labels[:, None] == jnp.arange(len(weights))
        gradient = jnp.exp(logits - log_sum[:, None]) - at_label.astype(logits.dtype)
        of_weights, of_bias = gradient.T @ hidden, gradient.sum(0)
        totals = jax.tree.map(jnp.add, totals, (loss, of_weights, of_bias))
        return totals, gradient @ weights

    zeros = (jnp.zeros((), hidden.dtype), jnp.zeros_like(weights), jnp.zeros_like(bias))
    chunks = _chunks(chunk, len(weights), hidden, labels)
    (loss, of_weights, of_bias), of_hidden = jax.lax.scan(one_chunk, zeros, chunks)
    return loss, (of_hidden.reshape(hidden.shape), of_weights, of_bias)


def _backward(chunk, gradients, scale):
    return (*(scale * gradient for gradient in gradients), None)


negative_log_likelihood.defvjp(_forward, _backward)


def _logits(hidden: jax.Array, weights: jax.Array, bias: jax.Array) -> jax.Array:
    return hidden @ weights.T + bias


def _loss(logits: jax.Array, labels: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The summed loss, and the logarithm of each row's sum of exponentials."""
    log_sum = jax.nn.logsumexp(logits, axis=1)
    chosen = jnp.take_along_axis(logits, labels[:, None], axis=1)[:, 0]
    return (log_sum - chosen).sum(), log_sum


def _chunks(chunk: int, vocabulary: int, hidden: jax.Array, labels: jax.Array):
    """Rows in equal chunks: the largest divisor of their number that fits."""
    rows = len(labels)
    most = max(1, chunk // vocabulary)
    size = next(rows // n for n in range(math.ceil(rows / most), rows + 1) if rows % n == 0)
    return hidden.reshape(-1, size, hidden.shape[1]), labels.reshape(-1, size)
