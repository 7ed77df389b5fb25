"""A population larger than memory, trained chunk by chunk in one compiled program."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.evaluators.child_model import Data
from jaxnas.evaluators.population import Population, PopulationState, check_numbers


def in_chunks(
    population: Population,
    keys: jax.Array,
    architectures: Any,
    hyperparameters: Any,
    size: int,
) -> Iterator[tuple[slice, PopulationState]]:
    """Untrained populations of `size` children each, one after the other.

    The last one is filled up with children that are not active, so that all chunks run in the same
    compiled program; a child is the same in any chunk.

    Args:
      population: makes them.
      keys: `[N]` PRNG keys.
      architectures: `int32 [N, T]`.
      hyperparameters: a pytree of arrays `[N]`.
      size: children per chunk; see `children_within`.

    Yields:
      Where the chunk's children stand among all, and the chunk.

    Raises:
      ValueError: a size below 1, or arrays of other lengths than there are keys.

    Example:
      >>> for where, state in in_chunks(population, keys, architectures, rates, 64):
      ...     state = population.run(state, data, epochs=5)  # doctest: +SKIP
      ...     values[where] = state.value[: where.stop - where.start]  # doctest: +SKIP
    """
    if size < 1:
        raise ValueError(f"'size' is {size} children per chunk: give 1 or more.")
    number = len(keys)
    check_numbers(number, architectures, hyperparameters)
    for start in range(0, number, size):
        positions = np.arange(start, start + size)
        chosen = np.minimum(positions, number - 1)
        part = jax.tree.map(
            lambda leaf, chosen=chosen: jnp.asarray(leaf)[chosen],
            (keys, architectures, hyperparameters),
        )
        state = population.init(*part)
        yield (
            slice(start, min(start + size, number)),
            state._replace(active=state.active & (positions < number)),
        )


def children_within(
    population: Population, budget: int, data: Data, architecture: Any, hyperparameters: Any
) -> int:
    """How many children of a population fit in so many bytes on each device.

    Every child needs its weights and the state of its optimiser twice, before and after a step.
    What a step needs besides is that of one child where they run one by one, and of every child
    where they run side by side; it is read from the compiled program of one child for each device.

    Args:
      population: trains the children.
      budget: bytes of each device, the data apart.
      data: all data, or its shapes (`jax.eval_shape`).
      architecture: `int32 [T]`, any.
      hyperparameters: a pytree of scalars, of one child.

    Returns:
      A number of children, a multiple of the devices.

    Raises:
      ValueError: one child does not fit; the message says what it needs.

    Example:
      >>> size = children_within(population, 2**30, data, architectures[0], {"learning_rate": 0.1})
    """
    shards = population.shards
    one = jax.tree.map(
        lambda x: jnp.stack([jnp.asarray(x)] * shards), (architecture, hyperparameters)
    )
    state = jax.eval_shape(population.init, jax.random.split(jax.random.key(0), shards), *one)
    stored = 2 * sum(_bytes(leaf) for leaf in jax.tree.leaves(state)) // shards
    analysis = population.lower_run(state, data).compile().memory_analysis()
    step = 0 if analysis is None else int(analysis.temp_size_in_bytes)
    each, once = (stored, step) if population.one_by_one else (stored + step, 0)
    fit = (budget - once) // each
    if fit < 1:
        raise ValueError(
            f"a memory budget of {budget} bytes is given, but one child of "
            f"{population.model.space.name!r} needs {each + once}: give more, or smaller children."
        )
    return fit * shards


def _bytes(leaf: Any) -> int:
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.eval_shape(jax.random.key_data, leaf)
    return leaf.size * leaf.dtype.itemsize
