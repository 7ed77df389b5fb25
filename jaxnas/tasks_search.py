"""A search of several tasks at once, by one searcher: pure steps of one state.

Source: Wong & Gesmundo 2017, "Multitask neural model search" (arXiv:1710.10776), and Wong et al.
2018, "Transfer learning with neural AutoML" (arXiv:1803.02780): one controller that knows the task
by an embedding; each batch of children is of one task. Ours: tasks take turns in random order, so
that each gets as many children, and beside each batch uniform children are trained as well.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.children import towers
from jaxnas.evaluators import Population, in_chunks, run_lengths
from jaxnas.evaluators.child_model import Data
from jaxnas.evaluators.population import PopulationState
from jaxnas.population_search import Kept, add, summarise
from jaxnas.searchers import Searcher, transfer

Metrics = dict[str, Any]


class TasksSearchState(NamedTuple):
    """Everything that the search knows; a pytree that is saved and restored.

    Attributes:
      step: `int32 []`, batches done.
      key: the PRNG key.
      searcher: the state of the searcher.
      best: of each task, of the searcher's children.
      random: of each task, of the random arm's.
    """

    step: jax.Array
    key: jax.Array
    searcher: Any
    best: tuple[Kept, ...]
    random: tuple[Kept, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class TasksSearch:
    """The functions of one search.

    Attributes:
      population: trains the children of all tasks, in one program.
      searcher: of `jaxnas.searchers.ppo`, for `tasks` tasks.
      tasks: `K`.
      batch: children that the searcher proposes at once, all for one task.
      random: children that are drawn uniformly beside them.
      keep: how many of the best of either arm are kept of each task.
      learned: parameters of the searcher's policy that it goes out from; fresh ones by default.

    Example:
      >>> state = search.init(jax.random.key(0))  # doctest: +SKIP
      >>> for _ in range(100):  # doctest: +SKIP
      ...     state, metrics = search.step(state, data_of_each_task)
    """

    population: Population
    searcher: Searcher
    tasks: int
    batch: int
    random: int
    keep: int
    learned: Any = None

    def init(self, key: jax.Array) -> TasksSearchState:
        """The state before the first batch.

        Raises:
          ValueError: learned parameters that are of another space or size.
        """
        key, searcher_key = jax.random.split(key)
        if self.learned is None:
            searcher = self.searcher.init(searcher_key)
        else:
            searcher = transfer(self.searcher, self.learned, searcher_key)
        empty = Kept(
            jnp.full((self.keep, self.searcher.space.max_length), -1, jnp.int32),
            jnp.full((self.keep,), -jnp.inf),
        )
        each = (empty,) * self.tasks
        return TasksSearchState(jnp.int32(0), key, searcher, each, each)

    def task(self, state: TasksSearchState) -> int:
        """The task of the next batch: every task once in each round, in random order."""
        rounds, place = divmod(int(state.step), self.tasks)
        order = jax.random.permutation(jax.random.fold_in(state.key, rounds), self.tasks)
        return int(order[place])

    def step(
        self, state: TasksSearchState, data: tuple[Data, ...]
    ) -> tuple[TasksSearchState, Metrics]:
        """Trains one batch of the searcher's children and one of uniform ones, and tells.

        Args:
          state: of the search.
          data: of each task, all of the same shapes.
        """
        task = self.task(state)
        key = jax.random.fold_in(jax.random.fold_in(state.key, state.step), 1)
        sample_key, train_key = jax.random.split(key)
        context = np.full(self.batch, task, np.int32)
        searcher, proposed = self.searcher.ask(state.searcher, self.batch, context)
        uniform = self.searcher.space.sample(sample_key, self.random)
        architectures = np.concatenate([np.asarray(proposed), np.asarray(uniform)])
        values = self.values(train_key, architectures, data[task])
        told = jnp.asarray(np.where(np.isfinite(values), values, np.nan))[: self.batch]
        searcher, metrics = self.searcher.tell(searcher, proposed, told, context)
        # That of the task: others have other rewards.
        metrics |= {"task": jnp.int32(task), "reward_best": searcher.best_reward[task]}
        metrics |= summarise("value", values[: self.batch])
        if self.random:
            metrics |= summarise("random_value", values[self.batch :])
            metrics["random_reward_mean"] = metrics["random_value_mean"]
        split = self.batch
        return (
            state._replace(
                step=state.step + 1,
                searcher=searcher,
                best=_with(state.best, task, architectures[:split], values[:split]),
                random=_with(state.random, task, architectures[split:], values[split:]),
            ),
            metrics,
        )

    def values(self, key: jax.Array, architectures: np.ndarray, data: Data) -> np.ndarray:
        """Trains children, each with a key of its own, and returns their values `[N]`."""
        state = train(self.population, key, architectures, data, len(architectures))
        return np.asarray(state.value)


def train(
    population: Population, key: jax.Array, architectures: np.ndarray, data: Data, size: int
) -> PopulationState:
    """Trains children for the epochs and at the rates that their architectures say.

    Args:
      population: trains them.
      key: a PRNG key.
      architectures: `int32 [N, T]`.
      data: of their task.
      size: children in one program; other numbers of children of a size share that program.

    Returns:
      The `N` trained children.
    """
    model: Any = population.model
    numbers = towers.hyperparameters(model.options, architectures)
    epochs = np.asarray(numbers.pop("epochs"))
    keys = jax.random.split(key, len(epochs))
    chunks = []
    for where, state in in_chunks(population, keys, architectures, numbers, size):
        lengths = np.ones(size, int)
        lengths[: where.stop - where.start] = epochs[where]
        state = run_lengths(population, state, data, lengths)
        chunks.append(state)
    if len(epochs) == size:
        return chunks[0]
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves)[: len(epochs)], *chunks)


def _with(kept: tuple[Kept, ...], task: int, architectures, values) -> tuple[Kept, ...]:
    return (*kept[:task], add(kept[task], architectures, values), *kept[task + 1 :])
