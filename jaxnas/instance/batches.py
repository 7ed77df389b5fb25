"""The batches of an instance-aware search: images of a split with their labels, standardised."""

from __future__ import annotations

import functools

import jax

from jaxnas.data import Augmentation, augment
from jaxnas.data.batches import batch_indices, gather, normalize
from jaxnas.engine import DeviceData, Split


@functools.partial(jax.jit, static_argnums=(3, 4))
def augmented_batch(data: DeviceData, key, step, size: int, augmentation: Augmentation):
    """Training images `[size, H, W, C]`, augmented, and labels of one step."""
    images, labels = labelled_batch(data.train, data, key, step, size)
    each = jax.random.fold_in(jax.random.fold_in(key, 1), step)
    return augment(augmentation, each, images), labels


@functools.partial(jax.jit, static_argnums=4)
def labelled_batch(split: Split, data: DeviceData, key, step, size: int):
    """Images `[size, H, W, C]` and labels of one step; an epoch has each image at most once."""
    indices = batch_indices(jax.random.fold_in(key, 0), step, split.labels.shape[0], size)
    images, labels = gather(*split, indices)
    return normalize(images, data.mean, data.std), labels


def plain_batch(split: Split, data: DeviceData, key, step, size: int) -> jax.Array:
    """The images of `labelled_batch` alone."""
    return labelled_batch(split, data, key, step, size)[0]
