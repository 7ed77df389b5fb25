"""Children of one population that are trained for different numbers of epochs."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxnas.evaluators.child_model import Data
from jaxnas.evaluators.population import Population, PopulationState


def run_lengths(
    population: Population, state: PopulationState, data: Data, epochs: Any
) -> PopulationState:
    """Trains each child for its own number of epochs, and scores it at its end.

    In layout `one_by_one` a child that is done costs nothing any more.

    Args:
      population: trains the children.
      state: the population before its training.
      data: all data, as the batches want it.
      epochs: `int [N]`, at least 1 each.

    Returns:
      The trained population; children are active that were before, and did not diverge.

    Raises:
      ValueError: not one whole number from 1 on for each child.

    Example:
      >>> state = run_lengths(population, state, data, [2, 2, 8])  # doctest: +SKIP
    """
    given = np.asarray(epochs)
    lengths = given.astype(int)
    if lengths.shape != state.active.shape or lengths.min() < 1 or (lengths != given).any():
        raise ValueError(
            f"'epochs' is {given.tolist()} for {len(state.active)} children: give one whole "
            "number from 1 on for each."
        )
    active, done = state.active, 0
    for length in np.unique(lengths).tolist():
        state = state._replace(active=state.active & jnp.asarray(lengths >= length))
        state = population.run(state, data, length - done)
        done = length
    return state._replace(active=active & ~state.diverged)
