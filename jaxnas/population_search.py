"""A search in which every child is trained from scratch: pure steps of one state.

Source: Zoph & Le 2017, "Neural architecture search with reinforcement learning"
(arXiv:1611.01578), section 3.2: the searcher's children are trained in batches, and their rewards
update it. Beside each batch uniformly drawn children are trained at the same cost.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.evaluators import Population, in_chunks
from jaxnas.evaluators.child_model import Data
from jaxnas.evaluators.population import PopulationState
from jaxnas.searchers import Searcher

Metrics = dict[str, Any]


class Kept(NamedTuple):
    """The best different architectures so far, best first; values of minus infinity are none.

    Attributes:
      architectures: `int32 [K, T]`.
      values: `[K]`.
    """

    architectures: jax.Array
    values: jax.Array


class PopulationSearchState(NamedTuple):
    """Everything that the search knows; a pytree that is saved and restored.

    Attributes:
      step: `int32 []`, batches done.
      key: the PRNG key.
      searcher: the state of the searcher.
      best: of the searcher's children.
      random: of the random arm's.
    """

    step: jax.Array
    key: jax.Array
    searcher: Any
    best: Kept
    random: Kept


@dataclasses.dataclass(frozen=True, eq=False)
class PopulationSearch:
    """The functions of one search.

    Attributes:
      population: trains the children.
      searcher: proposes architectures and learns from their rewards.
      hyperparameters: of every child, scalars.
      reward: from values `[N]` to rewards `[N]`.
      epochs: of the training of a child.
      scored: after how many of its last epochs it is scored; the best counts.
      batch: children that the searcher proposes at once.
      random: children that are drawn uniformly beside them.
      keep: `K`, how many of the best of either arm are kept.
      chunk: children in one program; all that are trained at once by default.
      shorten: what is trained of architectures `[N, T]` after so many samples, their ends padding;
        all of them by default.

    Example:
      >>> state = search.init(jax.random.key(0))  # doctest: +SKIP
      >>> for _ in range(100):  # doctest: +SKIP
      ...     state, metrics = search.step(state, data)
    """

    population: Population
    searcher: Searcher
    hyperparameters: dict[str, float]
    reward: Callable[[jax.Array], jax.Array]
    epochs: int
    scored: int
    batch: int
    random: int
    keep: int
    chunk: int | None = None
    shorten: Callable[[int, np.ndarray], np.ndarray] | None = None

    def init(self, key: jax.Array) -> PopulationSearchState:
        """The state before the first batch."""
        key, searcher_key = jax.random.split(key)
        empty = Kept(
            jnp.full((self.keep, self.searcher.space.max_length), -1, jnp.int32),
            jnp.full((self.keep,), -jnp.inf),
        )
        return PopulationSearchState(
            jnp.int32(0), key, self.searcher.init(searcher_key), empty, empty
        )

    def step(
        self, state: PopulationSearchState, data: Data
    ) -> tuple[PopulationSearchState, Metrics]:
        """Trains one batch of the searcher's children and one of uniform ones, and tells."""
        sample_key, train_key = jax.random.split(jax.random.fold_in(state.key, state.step))
        searcher, proposed = self.searcher.ask(state.searcher, self.batch)
        uniform = self.searcher.space.sample(sample_key, self.random)
        architectures = np.concatenate([np.asarray(proposed), np.asarray(uniform)])
        if self.shorten is not None:
            architectures = self.shorten(int(state.step) * self.batch, architectures)
        values = self.values(train_key, architectures, data)
        rewards = self.reward(jnp.asarray(values))
        searcher, metrics = self.searcher.tell(
            searcher, architectures[: self.batch], rewards[: self.batch]
        )
        metrics |= summarise("value", values[: self.batch])
        if self.random:
            finite = jnp.where(jnp.isfinite(rewards), rewards, jnp.nan)
            metrics["random_reward_mean"] = jnp.nanmean(finite[self.batch :])
            metrics |= summarise("random_value", values[self.batch :])
        return (
            state._replace(
                step=state.step + 1,
                searcher=searcher,
                best=add(state.best, architectures[: self.batch], values[: self.batch]),
                random=add(state.random, architectures[self.batch :], values[self.batch :]),
            ),
            metrics,
        )

    def values(self, key: jax.Array, architectures: np.ndarray, data: Data) -> np.ndarray:
        """Trains children, each with a key of its own, and returns their values `[N]`."""
        values = np.zeros(len(architectures), np.float32)
        for where, state in self.children(key, architectures):
            state = self.population.run(state, data, self.epochs, self.scored)
            values[where] = np.asarray(state.value)[: where.stop - where.start]
        return values

    def children(self, key: jax.Array, architectures: np.ndarray):
        """Untrained children in chunks, as `in_chunks` gives them."""
        number = len(architectures)
        numbers = {n: np.full(number, v, np.float32) for n, v in self.hyperparameters.items()}
        keys = jax.random.split(key, number)
        size = self.chunk or number
        return in_chunks(self.population, keys, architectures, numbers, size)

    def train_on(self, state: PopulationState, data: Data, epochs: int) -> PopulationState:
        """Trains a chunk for some epochs, and scores it after each of the last ones."""
        return self.population.run(state, data, epochs, min(self.scored, epochs))


def add(kept: Kept, architectures: Any, values: Any) -> Kept:
    """The best of those kept and of new ones; of equal architectures the best value."""
    size = len(kept.values)
    rows = np.concatenate([np.asarray(kept.architectures), np.asarray(architectures)])
    numbers = np.concatenate([np.asarray(kept.values), np.asarray(values, np.float32)])
    order = np.argsort(-numbers, kind="stable")
    _, first = np.unique(rows[order], axis=0, return_index=True)
    chosen = order[np.sort(first)]
    chosen = chosen[np.isfinite(numbers[chosen])][:size]
    filled = np.full((size, rows.shape[1]), -1, np.int32)
    filled[: len(chosen)] = rows[chosen]
    worst = np.full(size, -np.inf, np.asarray(kept.values).dtype)
    worst[: len(chosen)] = numbers[chosen]
    return Kept(jnp.asarray(filled), jnp.asarray(worst))


def summarise(name: str, values: np.ndarray) -> Metrics:
    """The mean of the finite values, and the largest."""
    finite = values[np.isfinite(values)]
    mean = float(finite.mean()) if len(finite) else float("nan")
    return {f"{name}_mean": mean, f"{name}_max": float(values.max(initial=-np.inf))}
