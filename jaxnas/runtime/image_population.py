"""A population search over image classifiers: what it trains, and what its children are worth."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnas.children import NasRLConv
from jaxnas.children.masked_layers import LayerMoments
from jaxnas.config_checks import check_batch
from jaxnas.data import Dataset
from jaxnas.data.batches import batch_indices, gather, normalize
from jaxnas.engine import DeviceData, Split, device_data
from jaxnas.evaluators import ImageBatches, Population
from jaxnas.evaluators.population import PopulationState
from jaxnas.population_config import ChildTrainingConfig, PopulationConfig
from jaxnas.runtime import saved_population_child
from jaxnas.runtime.packing import digest
from jaxnas.runtime.population_experiment import Finalist, PopulationExperiment

_MOMENT_BATCHES, _TEST_BATCH = 8, 256


def cosine(numbers: dict[str, Any]) -> optax.Schedule:
    """The learning rate of a child by step: a cosine over its own number of steps."""

    def schedule(count: Any) -> jax.Array:
        done = jnp.minimum(count / numbers["steps"], 1.0)
        return numbers["learning_rate"] * 0.5 * (1 + jnp.cos(jnp.pi * done))

    return schedule


# One object per recipe: it is a static argument of compiled programs.
@functools.lru_cache(maxsize=64)
def child_optimizer(config: ChildTrainingConfig):
    """Makes the optimiser of a child: a cosine over its own number of steps."""

    def make(numbers: dict[str, Any]) -> optax.GradientTransformation:
        decay = optax.add_decayed_weights(config.weight_decay)
        return optax.chain(decay, optax.sgd(cosine(numbers), config.momentum, nesterov=True))

    return make


@dataclasses.dataclass(frozen=True, eq=False)
class ImagePopulationExperiment(PopulationExperiment):
    """A search over image classifiers; see `PopulationExperiment`."""

    config: PopulationConfig
    dataset: Dataset

    def __post_init__(self):
        size = self.config.training.batch_size
        check_batch("training.batch_size", size, "train", self.dataset.sizes["train"])
        super().__post_init__()

    @functools.cached_property
    def population(self) -> Population:
        """See `PopulationExperiment.population`."""
        sizes, training = self.dataset.sizes, self.config.training
        batches = ImageBatches(
            sizes["train"],
            sizes["validation"],
            training.batch_size,
            min(training.score_batch_size, sizes["validation"]),
            augmentation=training.augmentation,
        )
        model = self.config.children.build(self.dataset.image_shape, self.dataset.num_classes)
        return Population(model, batches, child_optimizer(training))

    @functools.cached_property
    def data(self) -> DeviceData:
        """The train and validation splits on the device."""
        return device_data(self.dataset)

    def reward(self, values: jax.Array) -> jax.Array:
        """Values to a power; what is not finite stays so, and counts as the worst."""
        return jnp.where(jnp.isfinite(values), values**self.config.search.power, jnp.nan)

    @property
    def shorten(self) -> Callable[[int, np.ndarray], np.ndarray] | None:
        """Cuts architectures to the depth that the schedule has come to."""
        depth, model = self.config.children.depth, self.population.model
        if depth is None:
            return None
        assert isinstance(model, NasRLConv)
        return lambda samples, rows: model.shorten(rows, depth.after(samples))

    def finish(
        self, child: Finalist, trained: PopulationState, folder: pathlib.Path
    ) -> dict[str, Any]:
        """Measures a trained child's moments, saves it, and reads its accuracies."""
        dataset, model = self.dataset, child.population.model
        assert isinstance(model, NasRLConv)
        moments = _moments(model, self.config.training.batch_size, trained, self.data)
        saved_population_child.save(folder, self, child.architecture, trained, moments)
        test = Split(jnp.asarray(dataset.test_images), jnp.asarray(dataset.test_labels))
        accuracy = functools.partial(_accuracy, model, moments, trained, self.data)
        return {
            "name": child.name,
            "kind": child.kind,
            "architecture": model.encode(child.architecture),
            "search_value": child.value,
            "validation_accuracy": accuracy(self.data.validation),
            "test_accuracy": accuracy(test),
            "parameters": model.count_parameters(trained.architecture),
            "diverged": bool(trained.diverged),
            "weights_digest": digest(trained.parameters),
        }


@functools.partial(jax.jit, static_argnums=(0, 1))
def _moments(model: Any, size: int, trained: PopulationState, data: DeviceData) -> LayerMoments:
    """The mean over some training batches of what each layer normalises."""
    number = data.train.labels.shape[0]
    batches = min(_MOMENT_BATCHES, number // size)

    def one(step: jax.Array) -> LayerMoments:
        rows = batch_indices(trained.key, step, number, size)
        images = normalize(gather(*data.train, rows)[0], data.mean, data.std)
        return model.moments(trained.parameters, trained.architecture, images)

    return jax.tree.map(lambda leaf: leaf.mean(0), jax.lax.map(one, jnp.arange(batches)))


@functools.partial(jax.jit, static_argnums=0)
def _right(model: Any, moments, trained, data: DeviceData, images, labels) -> jax.Array:
    images = normalize(images, data.mean, data.std)
    logits = model.logits_by(moments, trained.parameters, trained.architecture, images)
    right = logits.argmax(-1) == labels
    return jnp.where(jnp.isfinite(logits).all(), right, jnp.nan)


def _accuracy(model: Any, moments, trained, data: DeviceData, split: Split) -> float:
    """The accuracy on a split; NaN for a child that diverged."""
    if bool(trained.diverged):
        return float("nan")
    count, hits = len(split.labels), 0.0
    for start in range(0, count, _TEST_BATCH):
        # The last batch is filled up, and the filling is not counted.
        rows = np.minimum(np.arange(start, start + _TEST_BATCH), count - 1)
        right = _right(model, moments, trained, data, split.images[rows], split.labels[rows])
        hits += float(np.asarray(right)[: count - start].sum())
    return hits / count
