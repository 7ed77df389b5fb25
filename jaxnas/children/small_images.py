"""Classifiers of small images that are trained from scratch, all of a space in one program.

A child reads the pixels, or the largest values in squares of 2 by 2 of a convolution over them; a
deep tower follows. A wide tower, linear in the pixels, is added to it. The space is
`jaxnas.spaces.small_images`.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.children import towers
from jaxnas.children.towers import Choices
from jaxnas.evaluators.child_model import Layout
from jaxnas.evaluators.image_batches import Images
from jaxnas.spaces import SearchSpace
from jaxnas.spaces.small_images import SmallImageOptions


@dataclasses.dataclass(frozen=True)
class SmallImageChildren:
    """All children of a space of classifiers of small images, as a `ChildModel`.

    A batch is images `[B, H, W, C]` and labels `int [B]`, as of `jaxnas.evaluators.ImageBatches`.
    Children that choose batch normalisation are normalised by each batch, in scoring too.

    Attributes:
      options: the actions of each decision.
      image_shape: `(H, W, C)`.
      num_classes: `K`.
    """

    options: SmallImageOptions
    image_shape: tuple[int, int, int]
    num_classes: int

    def __post_init__(self):
        height, width, channels = self.image_shape
        if min(height, width) < 2 or channels < 1 or self.num_classes < 2:
            raise ValueError(
                f"image_shape is {self.image_shape} and num_classes {self.num_classes}: give at "
                "least (2, 2, 1) and 2."
            )

    @property
    def space(self) -> SearchSpace:
        """The search space of the children."""
        return self.options.space

    def for_layout(self, layout: Layout) -> SmallImageChildren:
        """The same: there is one form."""
        return self

    def init(self, key: jax.Array, architecture: Any) -> dict[str, Any]:
        """The first weights of a child."""
        choices = self.options.read(architecture)
        filter_key, deep_key = jax.random.split(key)
        features = self._features(choices)
        deep = towers.init_deep(self.options, choices, deep_key, features, self.num_classes)
        pixels = self.image_shape[0] * self.image_shape[1] * self.image_shape[2]
        return {
            "deep": deep | self._init_filters(choices, filter_key),
            "wide": {"kernel": jnp.zeros((pixels, self.num_classes))},
        }

    def initial_carry(self, batch_size: int) -> tuple[()]:
        """Nothing."""
        return ()

    def loss(self, parameters, architecture, carry, batch: Images, key):
        """The mean cross-entropy of a batch, and the regularisation."""
        images, labels = batch
        logits = self.logits(parameters, architecture, images, key)
        choices = self.options.read(architecture)
        penalty = towers.penalty(self.options, parameters, choices)
        return towers.mean_loss(logits, labels) + penalty, carry

    def score(self, parameters, architecture, carry, batch: Images):
        """How many answers are right, and of how many."""
        images, labels = batch
        logits = self.logits(parameters, architecture, images, None)
        return towers.count_right(logits, labels, jnp.ones(len(labels), logits.dtype)), carry

    def value(self, sums: dict[str, jax.Array]) -> jax.Array:
        """The accuracy."""
        return sums["right"] / sums["count"]

    def logits_by(
        self, reference: jax.Array, parameters: Any, architecture: Any, images: jax.Array
    ) -> jax.Array:
        """The logits `[B, K]` of images that do not depend on each other.

        Args:
          reference: `[R, H, W, C]`, images by whose statistics batch normalisation normalises;
            none of them are needed by a child without it (`towers.needs_reference`).
          parameters: of the child.
          architecture: `int32 [T]`.
          images: `[B, H, W, C]`, standardised.
        """
        rows = jnp.concatenate([reference, images])
        weights = (jnp.arange(rows.shape[0]) < len(reference)).astype(jnp.result_type(float))
        return self.logits(parameters, architecture, rows, None, weights)[len(reference) :]

    def logits(
        self,
        parameters: Any,
        architecture: Any,
        images: jax.Array,
        key: jax.Array | None,
        weights: jax.Array | None = None,
    ) -> jax.Array:
        """The logits `[B, K]` of one child.

        Args:
          parameters: of the child.
          architecture: `int32 [T]`.
          images: `[B, H, W, C]`, standardised.
          key: for the dropout of training, else `None`.
          weights: `[B]`, what each image counts in batch normalisation; 1 by default.
        """
        choices, deep = self.options.read(architecture), parameters["deep"]
        images = images.astype(deep["head"].dtype)
        pixels = images.reshape(images.shape[0], -1)
        first, second = (None, None) if key is None else jax.random.split(key)
        size = len(self._features(choices))
        counts = jnp.ones(images.shape[0]) if weights is None else weights
        counts = counts.astype(images.dtype)

        def fill(x: jax.Array) -> jax.Array:
            return jnp.pad(x, ((0, 0), (0, size - x.shape[1])))

        features = fill(pixels)
        if self._convolves:
            features = jax.lax.cond(
                self.options.is_yes(choices, "convolution"),
                lambda: fill(self._convolve(deep, choices, images, counts, first)),
                lambda: fill(pixels),
            )
        logits = towers.deep_logits(self.options, deep, choices, features, counts, second)
        is_wide = self.options.is_yes(choices, "wide")
        return logits + jnp.where(is_wide, pixels @ parameters["wide"]["kernel"], 0.0)

    def _convolve(self, deep: Any, choices: Choices, images, counts, key) -> jax.Array:
        """The features `[B, h w F]` of the convolution."""
        options = self.options
        kernel = deep["filters"] * self._taps(choices)[..., None, None]
        x = jax.lax.conv_general_dilated(
            images, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        flat = x.reshape(-1, x.shape[-1])
        used = self._filters(choices)
        flat = towers.normalize(
            options.conv_normalizations,
            choices["conv_normalization"],
            flat,
            jnp.repeat(counts, images.shape[1] * images.shape[2]),
            used,
        )
        flat = flat * deep["filter_scales"] + deep["filter_biases"]
        flat = towers.activate(options.conv_activations, choices["conv_activation"], flat) * used
        pooled = _largest_of_squares(flat.reshape(x.shape))
        rate = options.number(choices, "conv_dropout")
        return towers.drop(key, pooled.reshape(images.shape[0], -1), rate)

    @property
    def _convolves(self) -> bool:
        return "yes" in self.options.convolution

    def _filters(self, choices: Choices) -> jax.Array:
        used = jnp.arange(self.options.most("filters")) < self.options.number(choices, "filters")
        return used.astype(jnp.result_type(float))

    def _taps(self, choices: Choices) -> jax.Array:
        """Which taps of the largest kernel `[k, k]` are those of the child's, in its middle."""
        largest = self.options.most("kernels")
        half = (self.options.number(choices, "kernel") - 1) / 2
        near = jnp.abs(jnp.arange(largest) - largest // 2) <= half
        return near[:, None] & near

    def _features(self, choices: Choices) -> jax.Array:
        """The features `bool [D]` that a child's deep tower reads."""
        height, width, channels = self.image_shape
        pixels = height * width * channels
        if not self._convolves:
            return jnp.ones(pixels, bool)
        squares = (height // 2) * (width // 2)
        maps = jnp.tile(self._filters(choices) > 0, squares)
        size = max(pixels, len(maps))
        is_convolved = self.options.is_yes(choices, "convolution")
        return jnp.where(
            is_convolved, jnp.zeros(size, bool).at[: len(maps)].set(maps), jnp.arange(size) < pixels
        )

    def _init_filters(self, choices: Choices, key: jax.Array) -> dict[str, jax.Array]:
        largest, channels = self.options.most("kernels"), self.image_shape[-1]
        number = self.options.most("filters") if self._convolves else 0
        taps = self._taps(choices) & self.options.is_yes(choices, "convolution")
        inside = taps[..., None, None] & (self._filters(choices)[:number] > 0)
        drawn = jax.random.normal(key, (largest, largest, channels, number))
        scale = jnp.sqrt(2.0 / jnp.maximum(taps.sum() * channels, 1))
        return {
            "filters": jnp.where(inside, drawn * scale, 0.0),
            "filter_scales": jnp.ones(number),
            "filter_biases": jnp.zeros(number),
        }


def _largest_of_squares(x: jax.Array) -> jax.Array:
    """The largest value in each 2 by 2 square of `[B, H, W, F]`; an odd row or column is left."""
    batch, height, width, number = x.shape
    x = x[:, : height // 2 * 2, : width // 2 * 2]
    return x.reshape(batch, height // 2, 2, width // 2, 2, number).max((2, 4))
