"""Architectures as integers: their positions in the lexicographic order of their actions.

The number of walks before one is, step after step, the number of those that take a lower action
there; the tables of the space hold these counts (enumerative coding, Cover 1973).
"""

from __future__ import annotations

import bisect
import functools
import itertools
import operator
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.spaces.automaton import DONE
from jaxnas.spaces.encoding import count_text
from jaxnas.spaces.errors import SpaceError

if TYPE_CHECKING:
    from jaxnas.spaces.graph import SearchSpace


def rank(space: SearchSpace, architectures: Any) -> jax.Array:
    """The positions `int32 [N]` of architectures `[N, T]` in the order of `space.enumerate()`.

    Works under `jit`, `vmap` and `scan`; `SearchSpace.rank` is exact in spaces of any size.

    Raises:
      SpaceError: the space has more architectures than an `int32` counts.

    Example:
      >>> rank(chain(2, ("conv", "pool")), [[0, 1], [1, 0]])
      Array([1, 2], dtype=int32)
    """
    offsets = jnp.asarray(_small_offsets(space))
    walk = space.walk(architectures)
    return jnp.sum(jnp.where(walk.mask, offsets[walk.states, walk.actions], 0), axis=-1)


def unrank(space: SearchSpace, positions: Any) -> jax.Array:
    """The architectures `int32 [N, T]` at positions `int32 [N]`, taken to be in `[0, count)`.

    Works under `jit`, `vmap` and `scan`; `SearchSpace.unrank` is exact in spaces of any size.

    Raises:
      SpaceError: the space has more architectures than an `int32` counts.

    Example:
      >>> unrank(chain(2, ("conv", "pool")), [1, 2])
      Array([[0, 1],
             [1, 0]], dtype=int32)
    """
    _small_offsets(space)
    return _unrank(space, jnp.asarray(positions, jnp.int32))


def exact_rank(space: SearchSpace, architecture: Any) -> int:
    """See `SearchSpace.rank`."""
    actions = space.validate(architecture)
    if actions.ndim != 1:
        raise SpaceError(f"rank takes one architecture [T], not {list(actions.shape)}.")
    state, position = 0, 0
    for action in actions[actions >= 0].tolist():
        position += sum(_walks_after(space, state)[:action])
        state = int(space.automaton.next_state[state, action])
    return position


def exact_unrank(space: SearchSpace, position: int) -> np.ndarray:
    """See `SearchSpace.unrank`."""
    left = operator.index(position)
    if not 0 <= left < space.count():
        raise SpaceError(
            f"there is no architecture {count_text(left)} in space {space.name!r}: it has "
            f"{count_text(space.count())}, counted from 0."
        )
    state, actions = 0, []
    while state != DONE:
        ends = list(itertools.accumulate(_walks_after(space, state)))
        action = bisect.bisect_right(ends, left)
        left -= ends[action - 1] if action else 0
        actions.append(action)
        state = int(space.automaton.next_state[state, action])
    return np.array(actions + [-1] * (space.max_length - len(actions)), np.int32)


def all_architectures(space: SearchSpace, most: int) -> np.ndarray:
    """See `SearchSpace.all_architectures`."""
    count = space.count()
    if count > most:
        raise SpaceError(
            f"space {space.name!r} has {count_text(count)} architectures, more than {most}: draw "
            "some with sample(key, num), or walk through enumerate()."
        )
    return np.asarray(unrank(space, np.arange(count)))


def _walks_after(space: SearchSpace, state: int) -> list[int]:
    """The number of walks that take each action of a state; exact."""
    completions = space.automaton.completions
    row = space.automaton.next_state[state].tolist()
    return [0 if t == -1 else 1 if t == DONE else completions[t] for t in row]


@functools.lru_cache(maxsize=64)
def _small_offsets(space: SearchSpace) -> np.ndarray:
    """For each state and action, `int32 [S, A]`: the walks that take a lower action there."""
    if space.count() > np.iinfo(np.int32).max:
        raise SpaceError(
            f"space {space.name!r} has {count_text(space.count())} architectures, too many for "
            "int32: use space.rank and space.unrank, one by one."
        )
    walks = [_walks_after(space, state) for state in range(len(space.automaton.vertex))]
    after = np.array(walks, np.int32)
    return np.cumsum(after, axis=1, dtype=np.int32) - after


@functools.partial(jax.jit, static_argnums=0)
def _unrank(space: SearchSpace, positions: jax.Array) -> jax.Array:
    table, offsets = jnp.asarray(space.automaton.next_state), jnp.asarray(_small_offsets(space))
    index = jnp.arange(table.shape[1])

    def step(carry, _):
        state, left = carry
        row = jnp.maximum(state, 0)
        fits = (table[row] != -1) & (offsets[row] <= left[..., None])
        action = jnp.max(jnp.where(fits, index, 0), axis=-1).astype(jnp.int32)
        following = jnp.where(state >= 0, table[row, action], DONE)
        taken = jnp.where(state >= 0, action, -1)
        return (following, left - offsets[row, action]), taken

    start = (jnp.zeros(positions.shape, jnp.int32), positions)
    _, actions = jax.lax.scan(step, start, length=space.max_length)
    return jnp.moveaxis(actions, 0, -1)
