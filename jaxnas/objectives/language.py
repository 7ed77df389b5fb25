"""What a language model is worth: perplexity, and NAS-RL's reward of it."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def perplexity(nats: jax.Array, tokens: jax.Array) -> jax.Array:
    """`exp(nats / tokens)`: of how many equally likely tokens each was drawn, as it seemed.

    Args:
      nats: the summed negative log-likelihood.
      tokens: how many tokens it is the sum over.

    Example:
      >>> round(float(perplexity(3 * math.log(2), 3)), 4)
      2.0
    """
    return jnp.exp(jnp.asarray(nats) / tokens)


def perplexity_reward(perplexity: jax.Array, scale: float = 80.0) -> jax.Array:
    """`scale / perplexity^2`, the reward of a recurrent cell; 0 where the perplexity is not finite.

    Source: Zoph & Le 2017, arXiv:1611.01578, section 4.2.

    Example:
      >>> float(perplexity_reward(jnp.array(4.0)))
      5.0
    """
    perplexity = jnp.asarray(perplexity)
    return jnp.where(jnp.isfinite(perplexity), scale / perplexity**2, 0.0)
