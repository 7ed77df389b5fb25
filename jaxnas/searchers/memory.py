"""Which architectures a search has evaluated lately, and their rewards."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.searchers.ranks import normal_scores
from jaxnas.spaces import SearchSpace


class Memory(NamedTuple):
    """The last `M` evaluated architectures.

    Two architectures share a 32-bit hash with probability 2^-32, and then one is only asked for
    later than it might have been.

    Attributes:
      architectures: `int32 [M, T]`, a ring; -1 in empty places.
      rewards: `[M]`, finite; minus infinity in empty places.
      hashes: `uint32 [M]`, of the architectures.
      stored: `int32 []`, how many architectures were stored in all.
    """

    architectures: jax.Array
    rewards: jax.Array
    hashes: jax.Array
    stored: jax.Array


def new_memory(space: SearchSpace, size: int) -> Memory:
    """An empty memory of `size` architectures; size 0 remembers nothing."""
    architectures = jnp.full((size, space.max_length), -1, jnp.int32)
    rewards = jnp.full((size,), -jnp.inf, jnp.result_type(float))
    return Memory(architectures, rewards, jnp.zeros((size,), jnp.uint32), jnp.int32(0))


def remember(memory: Memory, architectures: Any, rewards: jax.Array) -> Memory:
    """Stores architectures `int32 [N, T]` with finite rewards `[N]`; the oldest make room."""
    size = len(memory.rewards)
    if size == 0:
        return memory
    new = jnp.asarray(architectures, jnp.int32)[-size:]
    skipped = len(architectures) - len(new)
    places = (memory.stored + skipped + jnp.arange(len(new))) % size
    return Memory(
        memory.architectures.at[places].set(new),
        memory.rewards.at[places].set(rewards[-size:]),
        memory.hashes.at[places].set(hash_architectures(new)),
        memory.stored + len(architectures),
    )


def recall(memory: Memory, key: jax.Array, num: int) -> tuple[jax.Array, jax.Array]:
    """Draws `num` remembered architectures `int32 [num, T]`, with replacement, and their rewards.

    The memory must not be empty.
    """
    filled = jnp.minimum(memory.stored, len(memory.rewards))
    places = jax.random.randint(key, (num,), 0, jnp.maximum(filled, 1))
    return memory.architectures[places], memory.rewards[places]


def scores_among(memory: Memory, rewards: jax.Array) -> jax.Array:
    """The normal scores of rewards `[N]` among those remembered."""
    filled = jnp.arange(len(memory.rewards)) < memory.stored
    return normal_scores(rewards, memory.rewards, filled)


def new_ones_first(memory: Memory, architectures: jax.Array, num: int) -> jax.Array:
    """The first `num` of `architectures` `[N, T]`, those that are not remembered before others.

    An architecture that stands twice among them counts as new once.
    """
    hashes = hash_architectures(architectures)
    filled = jnp.arange(len(memory.hashes)) < memory.stored
    known = jnp.any((hashes[:, None] == memory.hashes) & filled, axis=-1)
    earlier = jnp.tril(jnp.ones((len(hashes),) * 2, bool), -1)
    repeated = jnp.any((hashes[:, None] == hashes) & earlier, axis=-1)
    order = jnp.argsort(known | repeated, stable=True)
    return architectures[order[:num]]


def hash_architectures(architectures: Any) -> jax.Array:
    """Hashes `uint32 [N]` of architectures `int32 [N, T]`.

    By multiplication and rotation, step after step (FNV-like).
    """
    values = jnp.asarray(architectures, jnp.int32).astype(jnp.uint32) + np.uint32(1)

    def step(hashes, value):
        mixed = (hashes ^ value) * np.uint32(0x9E3779B1)
        return mixed ^ (mixed >> 15), None

    start = jnp.full(values.shape[:1], 0x811C9DC5, jnp.uint32)
    return jax.lax.scan(step, start, values.T)[0]
