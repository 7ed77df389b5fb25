"""Mutation of a walk: one of its decisions is taken otherwise."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.spaces import SearchSpace
from jaxnas.spaces.automaton import DONE
from jaxnas.spaces.walks import uniform_log_probs


@functools.partial(jax.jit, static_argnums=0)
def mutate(space: SearchSpace, key: jax.Array, architectures: Any) -> jax.Array:
    """Takes one decision of each architecture otherwise, and keeps the others where it can.

    The decision is drawn uniformly from those of the walk that leave a choice, its new action
    uniformly from its other open actions. After it the walk keeps its old action wherever it comes
    into a state that the old walk was in too; elsewhere, in a part of the graph that is new to it,
    the actions are drawn as `space.sample` draws them. On a path this changes exactly one action.

    Args:
      space: the search space.
      key: a PRNG key; it is consumed.
      architectures: `int32 [N, T]`, valid ones.

    Returns:
      `int32 [N, T]`. An architecture none of whose decisions leaves a choice comes back as it is.
    """
    architectures = jnp.asarray(architectures, jnp.int32)
    walk = space.walk(architectures)
    table = jnp.asarray(space.automaton.next_state)
    uniform = jnp.asarray(uniform_log_probs(space))
    position_key, action_key, rest_key = jax.random.split(key, 3)

    is_open = table != -1
    free = walk.mask & (is_open.sum(-1) > 1)[walk.states]
    position = _draw(position_key, free)
    state = jnp.take_along_axis(walk.states, position[:, None], 1)[:, 0]
    old = jnp.take_along_axis(walk.actions, position[:, None], 1)[:, 0]
    others = is_open[state] & (jnp.arange(space.max_actions) != old[:, None])
    # Without any choice in the walk, no position is changed.
    position = jnp.where(free.any(-1), position, -1)
    new = _draw(action_key, others)

    def step(state, inputs):
        index, key = inputs
        safe = jnp.maximum(state, 0)
        same = walk.mask & (walk.states == safe[:, None])
        kept = jnp.sum(jnp.where(same, walk.actions, 0), axis=-1)
        fresh = jax.random.categorical(key, uniform[safe], axis=-1)
        action = jnp.where(same.any(-1), kept, fresh)
        action = jnp.where(index == position, new, action)
        action = jnp.where(state >= 0, action, -1).astype(jnp.int32)
        return jnp.where(state >= 0, table[safe, action], DONE), action

    start = jnp.zeros(len(architectures), jnp.int32)
    steps = (jnp.arange(space.max_length), jax.random.split(rest_key, space.max_length))
    _, actions = jax.lax.scan(step, start, steps)
    return actions.T


def _draw(key: jax.Array, allowed: jax.Array) -> jax.Array:
    """An index `int32 [N]`, uniform over the columns that `allowed` `[N, M]` marks."""
    return jax.random.categorical(key, jnp.where(allowed, 0.0, -jnp.inf), axis=-1)
