"""Training one fixed child from scratch, or on from shared weights.

Source: Pham et al. 2018, ENAS (arXiv:1802.03268), section 3.2 and the authors' code: SGD with
Nesterov momentum, a cosine learning rate, crop, flip and cutout, and drop-path that grows with
depth and with the step.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.config import TrainConfig
from jaxnas.config_checks import check_batch
from jaxnas.data.augment import augment
from jaxnas.data.batches import batch_indices, batches_per_epoch, gather, normalize
from jaxnas.engine import DeviceData, Split
from jaxnas.objectives import accuracy, cross_entropy
from jaxnas.optimizers import apply_gradient, make_optimizer
from jaxnas.supernets import Network, Noise, Plan, Supernet
from jaxnas.supernets.executors import host

Report = Callable[[dict[str, Any]], None]


class TrainedChild(NamedTuple):
    """A child with its own weights.

    Attributes:
      params: the parameters of the network that it was trained in.
      moments: the moments of its batch normalisations on training images, by operation.
      diverged: whether training met a loss that is not finite.
    """

    params: Any
    moments: Any
    diverged: bool


@dataclasses.dataclass(frozen=True, eq=False)
class Trainer:
    """Trains one child of a network at a time, each from weights of its own.

    Attributes:
      network: the network; `jaxnas.supernets.children_network` of the children to be trained keeps
        out what none of them uses.
      config: the recipe.
      train_size: images in the train split.

    Raises:
      DataError: a batch larger than the split.

    Example:
      >>> trainer = Trainer(child_network(network, architecture), config, 1000)  # doctest: +SKIP
      >>> trained = trainer.train(key, data, [0])  # doctest: +SKIP
      >>> trainer.accuracy(trained, data.validation, data, [0])  # doctest: +SKIP
    """

    network: Network
    config: TrainConfig
    train_size: int

    def __post_init__(self):
        check_batch("train.batch_size", self.config.batch_size, "train", self.train_size)

    @property
    def epoch_steps(self) -> int:
        """Steps of one epoch."""
        return batches_per_epoch(self.train_size, self.config.batch_size)

    @property
    def steps(self) -> int:
        """Steps of the whole training."""
        return self.config.epochs * self.epoch_steps

    @functools.cached_property
    def optimizer(self):
        """The optimiser of a child's weights."""
        return make_optimizer(self.config.optimizer, self.steps, self.epoch_steps)

    @functools.cached_property
    def _init_optimizer(self):
        return jax.jit(self.optimizer.init)

    def train(
        self,
        key: jax.Array,
        data: DeviceData,
        architecture: Any,
        params: Any = None,
        report: Report | None = None,
        auxiliary: Any = None,
    ) -> TrainedChild:
        """Trains a child, and measures the moments of its normalisations.

        Args:
          key: of its initial weights, the order of the images, augmentation and noise.
          data: the data; the train split is used.
          architecture: `[T]`, of the network's space.
          params: the weights to start from; drawn from `key` by default.
          report: called after each epoch with the epoch, its mean loss and training accuracy.
          auxiliary: `[T]`, the architecture whose logits are those of the auxiliary classifier;
            its loss is added with the weight `auxiliary_weight`. `None` for none.
        """
        init_key, key = jax.random.split(key)
        params = self.network.init(init_key) if params is None else params
        state = self._init_optimizer(params)
        supernet = Supernet(self.network)
        weight = 0.0 if auxiliary is None else self.config.auxiliary_weight
        gradient_of = supernet.value_and_grad(_loss(self.config.label_smoothing, weight))
        plan = supernet.plan([architecture, *([auxiliary] if weight else [])])
        losses, correct, diverged = [], [], False
        for step in range(self.steps):
            images, labels, noise = _batch(self.config, self.steps, data, key, step)
            (loss, hits), gradient = gradient_of(params, plan, images, labels, noise=noise)
            params, state = apply_gradient(self.optimizer, params, state, gradient)
            losses.append(loss)
            correct.append(hits)
            if (step + 1) % self.epoch_steps == 0:
                summary = _summary(losses, correct, step // self.epoch_steps)
                losses, correct = [], []
                diverged = diverged or not math.isfinite(summary["loss"])
                if report is not None:
                    report(summary)
        own = supernet.plan([architecture])
        return TrainedChild(params, self._measure_moments(own, params, data, key), diverged)

    def _measure_moments(self, plan: Plan, params: Any, data: DeviceData, key: jax.Array) -> Any:
        """The mean over training batches of the moments of every batch normalisation."""
        batches = min(self.config.recalibration_batches, self.epoch_steps)
        measured = [
            host.measure_moments(plan, params, _plain_batch(data, key, i, self.config.batch_size))
            for i in range(batches)
        ]
        return jax.tree.map(lambda *leaves: jnp.asarray(np.mean(leaves, 0)), *measured)

    def accuracy(
        self,
        trained: TrainedChild,
        split: Split,
        data: DeviceData,
        architecture: Any,
        batch_size: int = 256,
    ) -> float:
        """The accuracy of a trained child on a split, normalised by its own measured moments.

        Every image counts: the last batch is filled up, and the filling is not counted. A child
        that diverged, or whose logits are not finite, has accuracy NaN.
        """
        if trained.diverged:
            return math.nan
        plan, count = Supernet(self.network).plan([architecture]), split.labels.shape[0]
        hits = 0
        for start in range(0, count, batch_size):
            images, labels = _filled_batch(split, data, start, batch_size)
            outputs = host.forward(plan, trained.params, images, moments=trained.moments)
            logits = np.asarray(outputs[0])
            if not np.isfinite(logits).all():
                return math.nan
            correct = logits.argmax(-1) == np.asarray(labels)
            hits += int(correct[: count - start].sum())
        return hits / count


@functools.partial(jax.jit, static_argnums=3)
def _filled_batch(split: Split, data: DeviceData, start, size: int):
    indices = jnp.minimum(start + jnp.arange(size), split.labels.shape[0] - 1)
    images, labels = gather(*split, indices)
    return normalize(images, data.mean, data.std), labels


@functools.partial(jax.jit, static_argnums=(0, 1))
def _batch(config: TrainConfig, steps: int, data: DeviceData, key: jax.Array, step):
    """The augmented batch of a step, and its noise."""
    order, each = jax.random.split(key)
    augmentation, noise = jax.random.split(jax.random.fold_in(each, step))
    indices = batch_indices(order, step, data.train.labels.shape[0], config.batch_size)
    images, labels = gather(*data.train, indices)
    images = normalize(images, data.mean, data.std)
    rate = jnp.float32(config.drop_path * (step + 1) / steps) if config.drop_path else None
    return augment(config.augmentation, augmentation, images), labels, Noise(noise, rate)


@functools.partial(jax.jit, static_argnums=3)
def _plain_batch(data: DeviceData, key: jax.Array, step, size: int) -> jax.Array:
    indices = batch_indices(key, step, data.train.labels.shape[0], size)
    return normalize(gather(*data.train, indices)[0], data.mean, data.std)


@functools.lru_cache(maxsize=16)
def _loss(smoothing: float, auxiliary: float):
    """The loss of logits `[1, B, K]`, or `[2, B, K]` with those of an auxiliary classifier."""

    def loss(logits, labels):
        total = cross_entropy(logits[0], labels, smoothing)
        if auxiliary:
            total += auxiliary * cross_entropy(logits[1], labels, smoothing)
        return total, accuracy(logits[0], labels)

    return loss


def _summary(losses, correct, epoch: int) -> dict[str, Any]:
    return {
        "epoch": epoch,
        "loss": float(np.mean(jax.device_get(losses))),
        "train_accuracy": float(np.mean(jax.device_get(correct))),
    }
