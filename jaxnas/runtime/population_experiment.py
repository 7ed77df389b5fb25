"""A search over children that are trained from scratch, in a run folder; resumable anywhere.

Its phases are those of `experiment.py` without shared weights: search, train the best children of
the searcher and of the random arm for longer, report. What a phase leaves in the folder, and the
form of `result.json`, are the same.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxnas.config_checks import check_batch
from jaxnas.data import Dataset
from jaxnas.engine import DeviceData, device_data
from jaxnas.evaluators import ImageBatches, Population
from jaxnas.population_config import ChildTrainingConfig, PopulationConfig
from jaxnas.population_search import PopulationSearch, PopulationSearchState
from jaxnas.runtime.checkpoint import Checkpoints
from jaxnas.runtime.experiment import make_searcher
from jaxnas.runtime.metrics import MetricsWriter
from jaxnas.runtime.progress import Progress
from jaxnas.runtime.timing import Timing

_SHOWN = ("value_mean", "random_value_mean", "reward_best", "entropy")


# One object per recipe: it is a static argument of compiled programs.
@functools.lru_cache(maxsize=64)
def child_optimizer(config: ChildTrainingConfig):
    """Makes the optimiser of a child: a cosine over its own number of steps."""

    def make(numbers: dict[str, Any]) -> optax.GradientTransformation:
        def schedule(count: jax.Array) -> jax.Array:
            done = jnp.minimum(count / numbers["steps"], 1.0)
            return numbers["learning_rate"] * 0.5 * (1 + jnp.cos(jnp.pi * done))

        decay = optax.add_decayed_weights(config.weight_decay)
        return optax.chain(decay, optax.sgd(schedule, config.momentum, nesterov=True))

    return make


def _power(power: float, values: jax.Array) -> jax.Array:
    """Values to a power; what is not finite stays so, and counts as the worst."""
    return jnp.where(jnp.isfinite(values), values**power, jnp.nan)


@dataclasses.dataclass(frozen=True, eq=False)
class PopulationExperiment:
    """The parts of an experiment, built and checked before any work is done.

    Attributes:
      config: its configuration.
      dataset: its data.

    Raises:
      ValueError: data, children or options that do not fit each other.
    """

    config: PopulationConfig
    dataset: Dataset

    def __post_init__(self):
        size = self.config.training.batch_size
        check_batch("training.batch_size", size, "train", self.dataset.sizes["train"])
        self.search_of()  # build now: what does not fit fails before any work

    @functools.cached_property
    def population(self) -> Population:
        """What trains the children, in the search and after it: one program for both."""
        sizes, training = self.dataset.sizes, self.config.training
        batches = ImageBatches(
            sizes["train"],
            sizes["validation"],
            training.batch_size,
            augmentation=training.augmentation,
        )
        model = self.config.children.build(self.dataset.image_shape, self.dataset.num_classes)
        return Population(model, batches, child_optimizer(training))

    @functools.cached_property
    def data(self) -> DeviceData:
        """The train and validation splits on the device."""
        return device_data(self.dataset)

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
            reward=functools.partial(_power, config.search.power),
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
        step = int(state.step)
        if step < self.total_steps:
            metrics.rewind(step - 1)
        progress.phase("search", self.total_steps)
        progress.advance(steps=step)
        while step < self.total_steps:
            state, measured = search.step(state, self.data)
            values = {name: float(value) for name, value in measured.items()}
            # The line first: if this ends here, the resumed run drops it and writes it anew.
            metrics.write(step, {"phase": "policy", **values, "seconds": timing.elapsed()})
            checkpoints.save(step + 1, state)
            timing.save("search")
            progress.advance({name: values[name] for name in _SHOWN if name in values})
            step += 1
        return state
