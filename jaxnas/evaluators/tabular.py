"""Rewards that are looked up in a table, or computed by the user's own function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.spaces import SearchSpace, rank
from jaxnas.spaces.walks import check_actions

Evaluate = Callable[[Any], jax.Array]
"""`architectures int32 [N, T] -> rewards float32 [N]`."""


def tabular(space: SearchSpace, source: Any) -> Evaluate:
    """Makes an evaluator from a table of rewards or from a function.

    Args:
      space: the search space.
      source: an array with the reward of every architecture, in the order of `space.enumerate()`
        (the first decision varies slowest), of shape `[space.count()]`; for a space in which every
        walk takes the same decisions also of shape `[A_1, ..., A_T]`, one axis per decision. Or a
        function from architectures `[N, T]` to rewards `[N]`.

    Returns:
      A function from architectures `int32 [N, T]` to rewards `float32 [N]`. For a table, or a
      function written in JAX, it works under `jit`, `vmap` and `scan`.

    Raises:
      ValueError: a table of another shape; when called, a result of another shape, or, for a table
        and outside of `jit`, actions that no walk of the space has.

    Example:
      >>> evaluate = tabular(chain(2, ("conv", "pool")), [[0.1, 0.2], [0.3, 0.4]])
      >>> evaluate([[1, 0]])
      Array([0.3], dtype=float32)
    """
    return _from_function(space, source) if callable(source) else _from_table(space, source)


def _from_table(space: SearchSpace, source: Any) -> Evaluate:
    table = np.asarray(source, np.float32)
    count = space.count()
    shape = _path_shape(space)
    if table.shape not in ((count,), shape):
        also = "" if shape is None else f" or {list(shape)}"
        raise ValueError(
            f"the table of space {space.name!r} must have shape [{count}]{also}, not "
            f"{list(table.shape)}."
        )
    flat = table.reshape(-1)

    @jax.jit
    def look_up(architectures: Any) -> jax.Array:
        return jnp.asarray(flat)[rank(space, architectures)]

    def evaluate(architectures: Any) -> jax.Array:
        check_actions(space, architectures)
        return look_up(architectures)

    return evaluate


def _path_shape(space: SearchSpace) -> tuple[int, ...] | None:
    """The number of actions of each step, if every walk takes the same decisions."""
    table = space.automaton.next_state
    if len(table) != space.max_length or any(len(set(row[row != -1])) != 1 for row in table):
        return None
    return tuple(int((row != -1).sum()) for row in table)


def _from_function(space: SearchSpace, function: Callable[[Any], Any]) -> Evaluate:
    def evaluate(architectures: Any) -> jax.Array:
        rewards = jnp.asarray(function(architectures), jnp.float32)
        if rewards.shape != (len(architectures),):
            raise ValueError(
                f"the reward function of space {space.name!r} returned shape "
                f"{list(rewards.shape)} for {len(architectures)} architectures: return one number "
                "for each."
            )
        return rewards

    return evaluate
