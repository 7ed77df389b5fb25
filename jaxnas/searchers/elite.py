"""The best architectures of a search so far, each once."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnas.spaces import SearchSpace


class Elite(NamedTuple):
    """The `K` best different architectures, best first.

    Attributes:
      architectures: `int32 [K, T]`; -1 in empty places.
      rewards: `[K]`, as first told; minus infinity in empty places.
    """

    architectures: jax.Array
    rewards: jax.Array


def new_elite(space: SearchSpace, size: int) -> Elite:
    """An elite of `size` empty places."""
    architectures = jnp.full((size, space.max_length), -1, jnp.int32)
    return Elite(architectures, jnp.full((size,), -jnp.inf, jnp.result_type(float)))


def admit(elite: Elite, architectures: Any, rewards: jax.Array) -> Elite:
    """The elite after a batch of architectures `[N, T]` with finite rewards `[N]`."""
    size = len(elite.rewards)
    if size == 0:
        return elite
    everyone = jnp.concatenate([elite.architectures, jnp.asarray(architectures, jnp.int32)])
    together = jnp.concatenate([elite.rewards, rewards])
    same = jnp.all(everyone[:, None] == everyone[None], axis=-1)
    # Who stands earlier keeps the place; a second reward of one architecture is not counted.
    repeated = jnp.any(jnp.tril(same, -1), axis=-1)
    best, index = jax.lax.top_k(jnp.where(repeated, -jnp.inf, together), size)
    kept = jnp.where(jnp.isfinite(best)[:, None], everyone[index], -1)
    return Elite(kept, best)
