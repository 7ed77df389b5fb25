"""Successive halving: children that look hopeless are stopped early.

Source: Jamieson & Talwalkar 2016, "Non-stochastic best arm identification and hyperparameter
optimization" (arXiv:1502.07943), algorithm 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnas.evaluators.child_model import Data
from jaxnas.evaluators.population import Population, PopulationState


class Rung(NamedTuple):
    """One rung: train the children that are left for `epochs` more, then keep the best `keep`."""

    epochs: int
    keep: int


def successive_halving(
    population: Population,
    state: PopulationState,
    data: Data,
    rungs: Sequence[Rung],
    scored: int = 1,
) -> PopulationState:
    """Trains a population rung after rung, and stops all but the best children after each.

    A stopped child keeps its weights and the value that it was stopped with. Where children run
    one by one, stopped ones cost nothing. Where they run side by side, those that are left are
    gathered, which compiles a program for each number of children.

    Args:
      population: trains.
      state: its children; those that are not active take no part.
      data: all data.
      rungs: `(epochs, keep)` of each rung, `keep` falling.
      scored: after how many of the last epochs of a rung the children are scored.

    Raises:
      ValueError: a rung that keeps no child, or more than the one before it; less than one epoch.

    Example:
      >>> rungs = [Rung(2, 32), Rung(4, 8), Rung(8, 8)]
      >>> state = successive_halving(population, state, data, rungs)  # doctest: +SKIP
    """
    left = len(state.value)
    _check(left, rungs, scored)
    for rung in rungs:
        state = _run(population, state, data, rung.epochs, min(scored, rung.epochs), left)
        state = keep_best(state, rung.keep)
        left = rung.keep
    return state


def keep_best(state: PopulationState, keep: int) -> PopulationState:
    """Stops all active children but the `keep` of the highest value, the first of equals."""
    best = best_first(state)[:keep]
    chosen = jnp.zeros_like(state.active).at[best].set(True)
    return state._replace(active=state.active & chosen)


def best_first(state: PopulationState) -> jax.Array:
    """The positions of all children, active ones first, by falling value: `int32 [N]`."""
    value = jnp.where(state.active, state.value, -jnp.inf)
    return jnp.lexsort((-value, ~state.active))


def _check(children: int, rungs: Sequence[Rung], scored: int) -> None:
    """Raises before anything is trained."""
    if scored < 1:
        raise ValueError(f"'scored' is {scored} epochs of each rung: give 1 or more.")
    left = children
    for rung in rungs:
        if not 1 <= rung.keep <= left:
            raise ValueError(f"a rung keeps {rung.keep} of {left} children: give 1 to {left}.")
        if rung.epochs < 1:
            raise ValueError(f"a rung trains for {rung.epochs} epochs: give 1 or more.")
        left = rung.keep


def _run(population: Population, state, data, epochs: int, scored: int, left: int):
    """Trains the active children, of which there are no more than `left`."""
    if population.one_by_one or left == len(state.value):
        return population.run(state, data, epochs, scored)
    shards = population.shards
    positions = best_first(state)[: -(-left // shards) * shards]
    part = jax.tree.map(lambda leaf: leaf[positions], state)
    part = population.run(part, data, epochs, scored)
    return jax.tree.map(lambda whole, new: whole.at[positions].set(new), state, part)
