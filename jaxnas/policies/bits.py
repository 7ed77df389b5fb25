"""Independent bits: the distribution of a policy whose decisions are all on or off.

Source: Cheng et al. 2018, "InstaNAS" (arXiv:1811.10201), and Wu et al. 2018, "BlockDrop"
(arXiv:1711.08393), section 3, whose mixing keeps every bit open.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp


def log_probs(logits: jax.Array, shaping: float = 1.0) -> tuple[jax.Array, jax.Array]:
    """The log-probabilities that bits are on, and off.

    Args:
      logits: `[..., T]`.
      shaping: `alpha` in `p' = alpha p + (1 - alpha) (1 - p)`, in (0.5, 1]: every bit keeps a
        chance of `1 - alpha` both ways. 1 leaves the distribution as it is.

    Raises:
      ValueError: a `shaping` out of range, where it is not traced.
    """
    if not isinstance(shaping, jax.core.Tracer) and not 0.5 < shaping <= 1:
        raise ValueError(f"'shaping' is {shaping}; it must be in (0.5, 1].")
    on, off = jax.nn.log_sigmoid(logits), jax.nn.log_sigmoid(-logits)
    if shaping == 1:
        return on, off
    stay, flip = jnp.log(shaping), jnp.log1p(-shaping)
    return jnp.logaddexp(stay + on, flip + off), jnp.logaddexp(stay + off, flip + on)


def sample(key: jax.Array, logits: jax.Array, shaping: float = 1.0) -> jax.Array:
    """Draws bits `int32 [..., T]`."""
    on, _ = log_probs(logits, shaping)
    return jax.random.bernoulli(key, jnp.exp(on)).astype(jnp.int32)


def log_prob(logits: jax.Array, bits: jax.Array, shaping: float = 1.0) -> jax.Array:
    """The log-probability `[...]` of bits `[..., T]`."""
    on, off = log_probs(logits, shaping)
    return jnp.where(jnp.asarray(bits) == 1, on, off).sum(-1)


def entropy(logits: jax.Array, shaping: float = 1.0) -> jax.Array:
    """The entropy `[...]` of the bits, in nats, summed.

    The authors' code takes only the half of the bits that are on, `-sum p log p`.
    """
    on, off = log_probs(logits, shaping)
    return -(jnp.exp(on) * on + jnp.exp(off) * off).sum(-1)
