"""Minibatches of labelled images for children that are trained from scratch."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from jaxnas.data.augment import NO_AUGMENTATION, Augmentation, augment
from jaxnas.data.batches import (
    batches_per_epoch,
    epoch_permutation,
    gather,
    normalize,
    slice_batch,
)

if TYPE_CHECKING:
    from jaxnas.engine import DeviceData

Images = tuple[jax.Array, jax.Array]
"""Standardised images `float32 [B, H, W, C]` and their labels `int32 [B]`."""


@dataclasses.dataclass(frozen=True)
class ImageBatches:
    """Batches of a data set on the device, `jaxnas.engine.DeviceData`.

    Every child has an order of its own. What does not fill a batch is left out: of the training
    images others in each epoch, of the validation images the last ones.

    Attributes:
      train_size: images in the train split.
      validation_size: images in the validation split.
      batch_size: `B`, images of a training step.
      score_batch_size: images of a validation batch, whose own statistics children that normalise
        by the batch use; the whole split by default.
      augmentation: of the training images.

    Raises:
      DataError: a batch larger than its split.

    Example:
      >>> batches = ImageBatches(1000, 397, batch_size=50)
      >>> batches.epoch_steps
      20
    """

    train_size: int
    validation_size: int
    batch_size: int
    score_batch_size: int = 0
    augmentation: Augmentation = NO_AUGMENTATION

    def __post_init__(self):
        if not self.score_batch_size:
            object.__setattr__(self, "score_batch_size", self.validation_size)
        # Both raise where no batch fits.
        self.epoch_steps  # noqa: B018
        self.score_steps  # noqa: B018

    @property
    def epoch_steps(self) -> int:
        """Training steps of one pass."""
        return batches_per_epoch(self.train_size, self.batch_size)

    @property
    def score_steps(self) -> int:
        """Validation batches."""
        return batches_per_epoch(self.validation_size, self.score_batch_size)

    def start_epoch(self, data: DeviceData, key: jax.Array, epoch: jax.Array) -> jax.Array:
        """The order of the training images in an epoch, `int32 [train_size]`."""
        return epoch_permutation(key, epoch, self.train_size)

    def training_batch(
        self, data: DeviceData, order: jax.Array, key: jax.Array, step: jax.Array
    ) -> Images:
        """The augmented batch of a step of the epoch."""
        indices = slice_batch(order, step, self.batch_size)
        images, labels = gather(*data.train, indices)
        images = normalize(images, data.mean, data.std)
        return augment(self.augmentation, key, images), labels

    def score_batch(self, data: DeviceData, step: jax.Array) -> Images:
        """A validation batch, in the order of the split."""
        indices = step * self.score_batch_size + jnp.arange(self.score_batch_size)
        images, labels = gather(*data.validation, indices)
        return normalize(images, data.mean, data.std), labels
