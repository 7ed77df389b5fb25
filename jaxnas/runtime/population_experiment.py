"""A search over children that are trained from scratch, in a run folder; resumable anywhere.

Its phases are those of `experiment.py` without shared weights: search, train the best children of
the searcher and of the random arm for longer, report. What a phase leaves in the folder, and the
form of `result.json`, are the same.
"""

from __future__ import annotations

import abc
import dataclasses
import os
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.data import Dataset, Text
from jaxnas.evaluators import Population
from jaxnas.evaluators.population import PopulationState
from jaxnas.population_config import PopulationConfig
from jaxnas.population_search import PopulationSearch, PopulationSearchState
from jaxnas.runtime.checkpoint import Checkpoints
from jaxnas.runtime.experiment import make_searcher
from jaxnas.runtime.metrics import MetricsWriter
from jaxnas.runtime.progress import Progress
from jaxnas.runtime.search_batches import run_batches
from jaxnas.runtime.timing import Timing
from jaxnas.text_population_config import TextPopulationConfig

_SHOWN = ("value_mean", "random_value_mean", "reward_best", "entropy")


class Finalist(NamedTuple):
    """One child to train for long: its name, its kind, and what the search knew of it.

    Attributes:
      name: of its folder.
      kind: `best`, `random` or `baseline`.
      architecture: `int32 [T]`, of the population's space.
      value: in the search; not a number for a baseline.
      population: what trains it.
    """

    name: str
    kind: str
    architecture: np.ndarray
    value: float
    population: Population


@dataclasses.dataclass(frozen=True, eq=False)
class PopulationExperiment(abc.ABC):
    """The parts of an experiment, built and checked before any work is done.

    Attributes:
      config: its configuration.
      dataset: its data.

    Raises:
      ValueError: data, children or options that do not fit each other.
    """

    config: PopulationConfig | TextPopulationConfig
    dataset: Dataset | Text

    def __post_init__(self):
        search = self.search_of()  # build now: what does not fit fails before any work
        check_memory(self.population, search.hyperparameters, search.chunk)

    @property
    @abc.abstractmethod
    def population(self) -> Population:
        """What trains the children, in the search and after it: one program for both."""

    @property
    @abc.abstractmethod
    def data(self) -> Any:
        """What it trains on, on the device."""

    @abc.abstractmethod
    def reward(self, values: jax.Array) -> jax.Array:
        """The rewards `[N]` of values `[N]`; what is not finite counts as the worst."""

    @abc.abstractmethod
    def finish(
        self, child: Finalist, trained: PopulationState, folder: pathlib.Path
    ) -> dict[str, Any]:
        """Saves a trained child in a folder, and reads what it is worth."""

    @property
    def shorten(self) -> Callable[[int, np.ndarray], np.ndarray] | None:
        """See `PopulationSearch.shorten`."""
        return None

    def baselines(self) -> list[Finalist]:
        """Children that are trained beside the finalists, none by default."""
        return []

    def key(self, stream: str) -> jax.Array:
        """The PRNG key of one part of the experiment."""
        number = ("search", "final", "policy").index(stream)
        return jax.random.fold_in(jax.random.key(self.config.seed), number)

    def search_of(self, epochs: int | None = None) -> PopulationSearch:
        """The search, with children that are trained for so many epochs."""
        config, training = self.config, self.config.training
        epochs = training.epochs if epochs is None else epochs
        return PopulationSearch(
            population=self.population,
            searcher=make_searcher(self.population.model.space, config.searcher),
            hyperparameters={
                "learning_rate": training.learning_rate,
                "steps": epochs * self.population.batches.epoch_steps,
            },
            reward=self.reward,
            shorten=self.shorten,
            epochs=epochs,
            scored=training.scored,
            batch=config.search.batch,
            random=config.search.random,
            keep=max(config.final.best, config.final.random),
            chunk=config.search.chunk or config.search.batch + config.search.random,
        )

    @property
    def total_steps(self) -> int:
        """Batches of the search."""
        return -(-self.config.search.samples // self.config.search.batch)

    def search(
        self, checkpoints: Checkpoints, metrics: MetricsWriter, progress: Progress, timing: Timing
    ) -> PopulationSearchState:
        """Runs the search from the last checkpoint, or from the start, to its end."""
        search, key = self.search_of(), self.key("search")
        found = checkpoints.restore(jax.eval_shape(search.init, key))
        state = found[1] if found is not None else search.init(key)

        def step_of(state: PopulationSearchState) -> tuple[PopulationSearchState, dict[str, Any]]:
            state, measured = search.step(state, self.data)
            return state, {name: float(value) for name, value in measured.items()}

        return run_batches(
            step_of,
            state,
            self.total_steps,
            _SHOWN,
            checkpoints=checkpoints,
            metrics=metrics,
            progress=progress,
            timing=timing,
        )


def check_memory(population: Population, hyperparameters: dict[str, float], chunk: int) -> None:
    """Checks that the weights and optimisers of a chunk of children fit in the device's memory.

    Raises:
      ValueError: they do not; the message says what a child needs, and the remedy.
    """
    stored, memory = stored_bytes(population, hyperparameters), device_memory()
    if memory is None or stored * chunk <= memory:
        return
    most, one = memory // stored, f"{stored / 1e9:.3g} GB"
    there = f"the device has {memory / 1e9:.3g} GB"
    if most < 1:
        raise ValueError(
            f"one child of 'children' needs {one} for its weights and optimiser, before and after "
            f"a step, but {there}: make the children smaller."
        )
    raise ValueError(
        f"search.chunk is {chunk} children of {one} each, but {there}: give {most} or less."
    )


def stored_bytes(population: Population, hyperparameters: dict[str, float]) -> int:
    """The bytes of one child, before and after a step; what a step needs besides comes on top."""
    one = {name: jnp.zeros(1) for name in hyperparameters}
    architecture = jnp.zeros((1, population.model.space.max_length), jnp.int32)
    # On one device, whatever the mesh.
    alone = dataclasses.replace(population, mesh=None)
    state = jax.eval_shape(alone.init, jax.random.split(jax.random.key(0), 1), architecture, one)
    leaves = jax.tree.leaves((state.parameters, state.optimizer))
    return 2 * sum(leaf.size * leaf.dtype.itemsize for leaf in leaves)


def device_memory() -> int | None:
    """The bytes of the first device, or of the machine where that is a CPU; `None` if unknown."""
    device = jax.devices()[0]
    if device.platform != "cpu":
        return (device.memory_stats() or {}).get("bytes_limit")
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
