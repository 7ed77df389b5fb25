"""Which architectures a search has evaluated lately, so that it need not evaluate them again."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Memory(NamedTuple):
    """The hashes of the last `M` architectures.

    Two architectures share a 32-bit hash with probability 2^-32, and then one is only asked for
    later than it might have been.

    Attributes:
      hashes: `uint32 [M]`, a ring.
      stored: `int32 []`, how many architectures were stored in all.
    """

    hashes: jax.Array
    stored: jax.Array


def new_memory(size: int) -> Memory:
    """An empty memory of `size` architectures; size 0 remembers nothing."""
    return Memory(jnp.zeros((size,), jnp.uint32), jnp.int32(0))


def remember(memory: Memory, architectures: Any) -> Memory:
    """Stores architectures `int32 [N, T]`; the oldest make room."""
    size = len(memory.hashes)
    if size == 0:
        return memory
    new = _hash(architectures)[-size:]
    skipped = len(architectures) - len(new)
    places = (memory.stored + skipped + jnp.arange(len(new))) % size
    return Memory(memory.hashes.at[places].set(new), memory.stored + len(architectures))


def new_ones_first(memory: Memory, architectures: jax.Array, num: int) -> jax.Array:
    """The first `num` of `architectures` `[N, T]`, those that are not remembered before others.

    An architecture that stands twice among them counts as new once.
    """
    hashes = _hash(architectures)
    filled = jnp.arange(len(memory.hashes)) < memory.stored
    known = jnp.any((hashes[:, None] == memory.hashes) & filled, axis=-1)
    earlier = jnp.tril(jnp.ones((len(hashes),) * 2, bool), -1)
    repeated = jnp.any((hashes[:, None] == hashes) & earlier, axis=-1)
    order = jnp.argsort(known | repeated, stable=True)
    return architectures[order[:num]]


def _hash(architectures: Any) -> jax.Array:
    """`uint32 [N]`, by multiplication and rotation step after step (FNV-like)."""
    values = jnp.asarray(architectures, jnp.int32).astype(jnp.uint32) + np.uint32(1)

    def step(hashes, value):
        mixed = (hashes ^ value) * np.uint32(0x9E3779B1)
        return mixed ^ (mixed >> 15), None

    start = jnp.full(values.shape[:1], 0x811C9DC5, jnp.uint32)
    return jax.lax.scan(step, start, values.T)[0]
