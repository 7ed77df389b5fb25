"""Random augmentation of a batch of images, pure and inside `jit`."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from jaxnas.data.errors import DataError


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """What is done to every image of a training batch, drawn anew for each image.

    The order is crop, flip, cutout. Applied to standardised images, the zeros that fill borders
    and cutouts are the mean of the train split.

    Attributes:
      pad: the pixels of zeros around an image, from which a window of its own size is then
        cropped at random; 0 for no cropping.
      flip: whether half of the images, at random, are mirrored left to right.
      cutout: the side, in pixels, of a square of zeros around a random pixel of the image,
        clipped at the border; 0 for none.

    Raises:
      DataError: `pad` or `cutout` is negative.

    Source: He et al. 2015, arXiv:1512.03385, section 4.2 (crop and flip); DeVries & Taylor 2017,
    arXiv:1708.04552, section 3.2 (cutout); ENAS trains CIFAR-10 children with all three.
    """

    pad: int = 4
    flip: bool = True
    cutout: int = 0

    def __post_init__(self):
        for field in ("pad", "cutout"):
            if getattr(self, field) < 0:
                raise DataError(f"{field} is {getattr(self, field)} pixels: give 0 or more.")


NO_AUGMENTATION = Augmentation(pad=0, flip=False, cutout=0)
"""Leaves images as they are."""


def augment(augmentation: Augmentation, key: jax.Array, images: jax.Array) -> jax.Array:
    """Augments a batch of images; each image has draws of its own.

    Args:
      augmentation: what is done; static under `jit`.
      key: consumed.
      images: `[N, H, W, C]`, of any dtype.

    Returns:
      Images of the same shape and dtype.
    """
    crop_key, flip_key, cutout_key = jax.random.split(key, 3)
    if augmentation.pad:
        images = random_crop(crop_key, images, augmentation.pad)
    if augmentation.flip:
        images = random_flip(flip_key, images)
    if augmentation.cutout:
        images = random_cutout(cutout_key, images, augmentation.cutout)
    return images


def random_crop(key: jax.Array, images: jax.Array, pad: int) -> jax.Array:
    """Shifts each image by up to `pad` pixels in both directions, zeros moving in."""
    count, *shape = images.shape
    padded = jnp.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    corners = jax.random.randint(key, (count, 2), 0, 2 * pad + 1)

    def crop(image, corner):
        return jax.lax.dynamic_slice(image, (corner[0], corner[1], 0), shape)

    return jax.vmap(crop)(padded, corners)


def random_flip(key: jax.Array, images: jax.Array) -> jax.Array:
    """Mirrors each image left to right with probability one half."""
    mirrored = jax.random.bernoulli(key, 0.5, (images.shape[0], 1, 1, 1))
    return jnp.where(mirrored, images[:, :, ::-1], images)


def random_cutout(key: jax.Array, images: jax.Array, size: int) -> jax.Array:
    """Zeroes a square of `size` pixels around a uniformly drawn pixel, clipped at the border."""
    count, height, width, _ = images.shape
    row_key, column_key = jax.random.split(key)
    rows = _covered(row_key, count, height, size)
    columns = _covered(column_key, count, width, size)
    square = rows[:, :, None, None] & columns[:, None, :, None]
    return jnp.where(square, jnp.zeros((), images.dtype), images)


def _covered(key: jax.Array, count: int, length: int, size: int) -> jax.Array:
    """`bool [N, L]`: the pixels of one axis that lie in the square."""
    first = jax.random.randint(key, (count, 1), 0, length) - size // 2
    position = jnp.arange(length)
    return (position >= first) & (position < first + size)
