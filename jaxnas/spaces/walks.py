"""Walks through a space's tables: uniform sampling, replaying, validating, enumerating."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.spaces.automaton import DONE
from jaxnas.spaces.errors import SpaceError

if TYPE_CHECKING:
    from jaxnas.spaces.graph import SearchSpace


class Walk(NamedTuple):
    """Architectures replayed through their space; `T` is the longest walk.

    Attributes:
      vertices: `int32 [..., T]`, the decision taken at each step (0 where masked).
      actions: `int32 [..., T]`, the action taken (0 where masked).
      mask: `bool [..., T]`, whether the step belongs to the walk.
      states: `int32 [..., T]`, the state of the space's automaton (0 where masked).
    """

    vertices: jax.Array
    actions: jax.Array
    mask: jax.Array
    states: jax.Array


@functools.partial(jax.jit, static_argnums=(0, 2))
def sample_uniform(space: SearchSpace, key: jax.Array, num: int) -> jax.Array:
    """Samples `num` architectures uniformly over the walks of `space`: `int32 [N, T]`.

    Each action is drawn with probability (walks after it) / (walks from here), which makes every
    walk equally likely, whatever the shape of the graph.
    """
    log_probs = jnp.asarray(uniform_log_probs(space))
    table = jnp.asarray(space.automaton.next_state)

    def step(state, key):
        action = jax.random.categorical(key, log_probs[jnp.maximum(state, 0)], axis=-1)
        action = jnp.where(state >= 0, action, -1).astype(jnp.int32)
        return jnp.where(state >= 0, table[jnp.maximum(state, 0), action], DONE), action

    start = jnp.zeros((num,), jnp.int32)
    _, actions = jax.lax.scan(step, start, jax.random.split(key, space.max_length))
    return actions.T


def uniform_log_probs(space: SearchSpace) -> np.ndarray:
    """`float32 [S, A]`; ratios of Python ints are exact to rounding, however large they are."""
    automaton = space.automaton
    log_probs = np.full(automaton.next_state.shape, -np.inf, np.float32)
    for state, row in enumerate(automaton.next_state):
        total = automaton.completions[state]
        for action, target in enumerate(row):
            if target != -1:
                walks = 1 if target == DONE else automaton.completions[target]
                ratio = walks / total
                log_probs[state, action] = np.log(ratio) if ratio else -np.inf
    return log_probs


@functools.partial(jax.jit, static_argnums=0)
def replay(space: SearchSpace, architectures: Any) -> Walk:
    """Replays architectures `[..., T]`, taken to be valid, through the tables of `space`."""
    architectures = jnp.asarray(architectures, jnp.int32)
    table, vertex = jnp.asarray(space.automaton.next_state), jnp.asarray(space.automaton.vertex)

    def step(state, action):
        mask = state >= 0
        safe = jnp.where(mask, state, 0)
        action = jnp.where(mask, action, 0)
        return jnp.where(mask, table[safe, action], DONE), (safe, action, mask)

    start = jnp.zeros(architectures.shape[:-1], jnp.int32)
    _, (states, actions, mask) = jax.lax.scan(step, start, jnp.moveaxis(architectures, -1, 0))
    states, actions, mask = (jnp.moveaxis(x, 0, -1) for x in (states, actions, mask))
    return Walk(jnp.where(mask, vertex[states], 0), actions, mask, states)


def validate(space: SearchSpace, architectures: Any) -> np.ndarray:
    """See `SearchSpace.validate`."""
    array = np.asarray(architectures)
    if array.ndim < 1 or array.shape[-1] != space.max_length:
        raise SpaceError(
            f"architectures of space {space.name!r} have shape [..., {space.max_length}], "
            f"not {list(array.shape)}."
        )
    if not np.issubdtype(array.dtype, np.integer):
        raise SpaceError(f"architectures are ints, not {array.dtype}.")
    table = space.automaton.next_state
    state = np.zeros(array.shape[:-1], np.int32)
    for step in range(space.max_length):
        action = array[..., step]
        target = table[np.maximum(state, 0), np.clip(action, 0, table.shape[1] - 1)]
        in_range = (action >= 0) & (action < table.shape[1]) & (target != -1)
        bad = np.where(state >= 0, ~in_range, action != -1)
        if bad.any():
            _complain(space, state, action, np.argwhere(bad)[0], step)
        state = np.where(state >= 0, target, DONE)
    return array.astype(np.int32)


def check_actions(space: SearchSpace, architectures: Any) -> None:
    """Checks architectures `[..., T]` in some microseconds, where `validate` replays each walk.

    A row may end early, and an action passes that another walk has at its step. What is traced, or
    lies in other processes too, is not checked.

    Raises:
      SpaceError: an action that no walk has at its step, or one after the end.
    """
    if _is_traced(architectures) or not getattr(architectures, "is_fully_addressable", True):
        return
    array, highest = np.asarray(architectures), _highest_actions(space)
    if array.shape[-1:] != highest.shape:
        return  # Callers check shapes, also of what is traced.
    if array.min(initial=0) >= 0 and (array.reshape(-1, len(highest)) <= highest).all():
        return  # Most spaces have no padding, and need no look at what comes after what.
    bad = (array < -1) | (array > highest)
    bad[..., 0] |= array[..., 0] < 0
    bad[..., 1:] |= (array[..., :-1] < 0) & (array[..., 1:] >= 0)
    if bad.any():
        *row, step = (int(i) for i in np.argwhere(bad)[0])
        raise SpaceError(
            f"architecture {row} does not fit space {space.name!r}: action {array[*row, step]} at "
            f"step {step}, where there are 0 to {highest[step]}, and -1 after the end only."
        )


def _is_traced(architectures: Any) -> bool:
    """Whether an array, or any part of nested lists, is traced."""
    leaves = [architectures] if hasattr(architectures, "shape") else jax.tree.leaves(architectures)
    return any(isinstance(leaf, jax.core.Tracer) for leaf in leaves)


@functools.lru_cache(maxsize=64)
def _highest_actions(space: SearchSpace) -> np.ndarray:
    """The highest action that any walk has at each step, `int [T]`."""
    table, states, highest = space.automaton.next_state, np.array([0]), []
    for _ in range(space.max_length):
        targets = table[states]
        highest.append(np.flatnonzero((targets != -1).any(0)).max())
        states = np.unique(targets[targets >= 0])
    return np.array(highest)


def _complain(space: SearchSpace, state, action, where, step: int) -> None:
    index = tuple(int(i) for i in where)
    name = f"architecture {list(index)}" if index else "the architecture"
    if state[index] < 0:
        raise SpaceError(
            f"{name} does not fit space {space.name!r}: step {step} is {action[index]}, but the "
            "walk has ended before it: pad with -1."
        )
    decision = space.decisions[space.automaton.vertex[state[index]]]
    raise SpaceError(
        f"{name} does not fit space {space.name!r}: action {action[index]} at step {step} is not "
        f"open at decision {decision.name!r}, which has {len(decision.actions)} actions."
    )


def enumerate_walks(space: SearchSpace) -> Iterator[np.ndarray]:
    """Yields every architecture `int32 [T]` in lexicographic order."""
    table = space.automaton.next_state
    stack: list[tuple[int, tuple[int, ...]]] = [(0, ())]
    while stack:
        state, actions = stack.pop()
        if state == DONE:
            padding = (-1,) * (space.max_length - len(actions))
            yield np.array(actions + padding, np.int32)
            continue
        targets = [(int(t), (*actions, a)) for a, t in enumerate(table[state]) if t != -1]
        stack.extend(reversed(targets))
