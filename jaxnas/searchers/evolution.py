"""Regularised evolution: a queue of architectures; the oldest dies, a tournament chooses parents.

Source: Real et al. 2019, "Regularized evolution for image classifier architecture search"
(arXiv:1802.01548), algorithm 1.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnas.searchers.base import Metrics, Searcher
from jaxnas.searchers.checks import checked
from jaxnas.searchers.mutation import mutate
from jaxnas.searchers.rewards import RewardRecord, keep_if, new_record, observe
from jaxnas.spaces import SearchSpace


class EvolutionState(NamedTuple):
    """The state of regularised evolution; `P` is the size of the population.

    Attributes:
      key: the PRNG key.
      population: `int32 [P, T]`, a queue: the oldest first, empty places (-1) before them.
      fitness: `[P]`, the rewards of the population; minus infinity in empty places.
      size: `int32 []`, how many places are taken.
      record: the rewards seen.
    """

    key: jax.Array
    population: jax.Array
    fitness: jax.Array
    size: jax.Array
    record: RewardRecord


@dataclasses.dataclass(frozen=True)
class _Config:
    space: SearchSpace
    population: int
    tournament: int


def evolution(space: SearchSpace, *, population: int = 20, tournament: int = 20) -> Searcher:
    """Makes a searcher by regularised evolution.

    The first `population` architectures are drawn uniformly. Then every child is a mutation (see
    `jaxnas.searchers.mutate`) of the best of `tournament` members, drawn with replacement, and the
    oldest member makes room for it. In the paper children come one at a time: `ask(state, 1)`.

    Args:
      space: the search space.
      population: `P`, the number of living architectures (paper: 100, for 20,000 evaluations).
      tournament: the number of members that compete to be a parent (paper: 25).

    Raises:
      ValueError: a size below 1.

    Example:
      >>> searcher = evolution(jaxnas.spaces.nasbench201(), population=50, tournament=10)
    """
    for name, value in (("population", population), ("tournament", tournament)):
        if value < 1:
            raise ValueError(f"{name!r} is {value}; it must be >= 1.")
    return _make(_Config(space, population, tournament))


@functools.lru_cache(maxsize=64)
def _make(config: _Config) -> Searcher:
    return Searcher(
        config.space,
        functools.partial(_init, config),
        functools.partial(_ask, config),
        checked(config.space, functools.partial(_tell, config)),
    )


@functools.partial(jax.jit, static_argnums=0)
def _init(config: _Config, key: jax.Array) -> EvolutionState:
    record = new_record(config.space)
    population = jnp.full((config.population, config.space.max_length), -1, jnp.int32)
    fitness = jnp.full((config.population,), -jnp.inf, record.best_reward.dtype)
    return EvolutionState(key, population, fitness, jnp.int32(0), record)


@functools.partial(jax.jit, static_argnums=(0, 2))
def _ask(
    config: _Config, state: EvolutionState, num: int, context: Any = None
) -> tuple[EvolutionState, jax.Array]:
    key, fresh_key, parent_key, mutation_key = jax.random.split(state.key, 4)
    fresh = config.space.sample(fresh_key, num)
    parents = _tournaments(config, state, parent_key, num)
    # With nobody there yet, mutate something valid; the result is not used.
    parents = jnp.where(state.size > 0, state.population[parents], fresh)
    children = mutate(config.space, mutation_key, parents)
    growing = (state.size + jnp.arange(num) < config.population) | (state.size == 0)
    return state._replace(key=key), jnp.where(growing[:, None], fresh, children)


def _tournaments(config: _Config, state: EvolutionState, key: jax.Array, num: int) -> jax.Array:
    """The positions `int32 [N]` of the winners of `num` tournaments."""
    shape = (num, config.tournament)
    first = jnp.minimum(config.population - state.size, config.population - 1)
    members = jax.random.randint(key, shape, first, config.population)
    winners = jnp.argmax(state.fitness[members], axis=-1)
    return jnp.take_along_axis(members, winners[:, None], axis=-1)[:, 0]


@functools.partial(jax.jit, static_argnums=0)
def _tell(
    config: _Config, state: EvolutionState, architectures: Any, rewards: Any, context: Any = None
) -> tuple[EvolutionState, Metrics]:
    record, seen, metrics = observe(state.record, architectures, rewards)
    queue = jnp.concatenate([state.population, jnp.asarray(architectures, jnp.int32)])
    fitness = jnp.concatenate([state.fitness, seen.rewards])
    size = jnp.minimum(state.size + len(seen.rewards), config.population)
    new = (queue[-config.population :], fitness[-config.population :], size)
    old = (state.population, state.fitness, state.size)
    population, fitness, size = keep_if(seen.any_finite, new, old)
    metrics["population_size"] = size
    return EvolutionState(state.key, population, fitness, size, record), metrics
