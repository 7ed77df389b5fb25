"""The order of minibatches as a pure function of a key and a step.

A data cursor is one int, the global step: nothing else has to be saved to resume a run.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.data.errors import DataError


def batches_per_epoch(size: int, batch_size: int) -> int:
    """The number of full batches in one pass over `size` images; the remainder is dropped.

    Raises:
      DataError: no full batch fits.
    """
    if not 1 <= batch_size <= size:
        raise DataError(
            f"batch_size is {batch_size} for {size} images: give a number from 1 to {size}."
        )
    return size // batch_size


def epoch_permutation(key: jax.Array, epoch: jax.Array | int, size: int) -> jax.Array:
    """The order in which an epoch visits the images: `int32 [size]`, set by `(key, epoch)` alone.

    Args:
      key: the data key of the run; the same for all epochs.
      epoch: counted from 0; may be traced.
      size: the number of images; static.
    """
    return jax.random.permutation(jax.random.fold_in(key, epoch), size)


def slice_batch(permutation: jax.Array, step: jax.Array | int, batch_size: int) -> jax.Array:
    """The indices of one batch of an epoch whose permutation is at hand: `int32 [batch_size]`.

    Sorting 45,000 keys takes 18 ms on a CPU core: a loop over the steps of an epoch computes the
    permutation once and slices it.

    Args:
      permutation: `int32 [size]`, of the epoch that `step` lies in.
      step: the global step, counted from 0 over all epochs; may be traced.
      batch_size: static.
    """
    first = step % batches_per_epoch(permutation.shape[0], batch_size) * batch_size
    return jax.lax.dynamic_slice_in_dim(permutation, first, batch_size)


def batch_indices(key: jax.Array, step: jax.Array | int, size: int, batch_size: int) -> jax.Array:
    """The indices of the batch at a global step: `int32 [batch_size]`.

    Within an epoch no image comes twice; what does not fill a batch at its end is dropped, and is
    other images in each epoch.

    Args:
      key: the data key of the run; the same for all steps.
      step: counted from 0 over all epochs; may be traced.
      size: the number of images; static.
      batch_size: the number of images in a batch; static.

    Raises:
      DataError: `batch_size` is not in `1..size`.

    Example:
      >>> batch_indices(jax.random.key(0), 3, size=10, batch_size=5).shape
      (5,)
    """
    epoch = step // batches_per_epoch(size, batch_size)
    return slice_batch(epoch_permutation(key, epoch, size), step, batch_size)


def gather(images: jax.Array, labels: jax.Array, indices: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The images and labels at `indices`, from arrays that live on the device."""
    return jnp.take(images, indices, axis=0), jnp.take(labels, indices, axis=0)


def check_shape(images: Any, image_shape: tuple[int, ...], reader: str) -> None:
    """Checks that images are `[B, H, W, C]` of the size that their reader takes.

    Args:
      images: any array.
      image_shape: `(H, W, C)`.
      reader: who takes them, for the message.

    Raises:
      ValueError: they are of another shape.

    Example:
      >>> check_shape(jnp.zeros((8, 32, 32, 3)), (32, 32, 3), "this network")
    """
    if np.shape(images)[1:] != tuple(image_shape):
        raise ValueError(
            f"images have shape {list(np.shape(images))}; {reader} takes "
            f"[B, {', '.join(map(str, image_shape))}]."
        )


def normalize(images: jax.Array, mean: jax.Array, std: jax.Array) -> jax.Array:
    """Standardises images inside `jit`: `float32`, the same shape.

    Args:
      images: `uint8`, or floats in [0, 1], `[..., H, W, C]`.
      mean: `[C]`, in [0, 1] scale, as `Dataset.mean`.
      std: `[C]`, in [0, 1] scale, as `Dataset.std`.

    Raises:
      ValueError: images of another dtype, whose scale is not known.
    """
    if images.dtype != jnp.uint8 and not jnp.issubdtype(images.dtype, jnp.floating):
        raise ValueError(f"images are {images.dtype}: give uint8 in 0..255, or floats in [0, 1].")
    scale = 255.0 if images.dtype == jnp.uint8 else 1.0
    mean, std = jnp.asarray(mean, jnp.float32), jnp.asarray(std, jnp.float32)
    return (images.astype(jnp.float32) / scale - mean) / std
