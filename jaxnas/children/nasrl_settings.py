"""The sizes of NAS-RL's convolutional children, and what an architecture says in them."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.spaces import SearchSpace
from jaxnas.spaces.nasrl_conv import nasrl_conv


@dataclasses.dataclass(frozen=True)
class ConvSettings:
    """What all children have in common; hashable.

    Attributes:
      image_shape: `(H, W, C)`.
      num_classes: `K`.
      layers: `L`, the largest number of layers; shallower children have fewer.
      heights: of the filters.
      widths: of the filters.
      filters: numbers of filters; the largest, or `C`, is `F`.
      strides: that can be chosen, or `None` where all are 1.
      skips: whether there are skip bits.
      most_classes: the input channels of a layer are rounded up to one of so many numbers, with
        channels of zeros; all sums of numbers of filters if they are no more.
    """

    image_shape: tuple[int, int, int]
    num_classes: int
    layers: int
    heights: tuple[int, ...]
    widths: tuple[int, ...]
    filters: tuple[int, ...]
    strides: tuple[int, ...] | None
    skips: bool
    most_classes: int = 8

    @functools.cached_property
    def space(self) -> SearchSpace:
        """The search space of the children."""
        return nasrl_conv(
            self.layers,
            heights=self.heights,
            widths=self.widths,
            filters=self.filters,
            strides=self.strides,
            skips=self.skips,
        )

    @property
    def most_filters(self) -> int:
        """`F`: the channels of a stored value."""
        return max(*self.filters, self.image_shape[-1])

    @property
    def most_inputs(self) -> int:
        """`I`: the input channels of a layer that reads all others."""
        return self.input_classes[-1]

    @functools.cached_property
    def input_classes(self) -> tuple[int, ...]:
        """The numbers of input channels that there is a program for, rising."""
        most = (self.layers - 1) if self.skips else min(1, self.layers - 1)
        sums = {self.image_shape[-1]}
        for number in range(1, most + 1):
            sums |= {sum(c) for c in itertools.combinations_with_replacement(self.filters, number)}
        exact = np.array(sorted(sums))
        if len(exact) <= self.most_classes:
            return tuple(int(c) for c in exact)
        # Evenly on a scale of ratios, so that no layer pays much more than its share.
        wanted = np.geomspace(exact[0], exact[-1], self.most_classes)
        return tuple(int(c) for c in np.unique(exact[np.searchsorted(exact, wanted - 1e-9)]))

    @functools.cached_property
    def shapes(self) -> tuple[tuple[int, int, int, int], ...]:
        """The exact shapes `(height, width, inputs, filters)` of a layer, in the order of codes."""
        sizes = (self.heights, self.widths, self.input_classes, self.filters)
        return tuple(itertools.product(*sizes))

    def columns(self, name: str) -> np.ndarray:
        """Where each layer's decision `name` stands in an architecture: `int [L]`."""
        index = self.space.vertex_index
        return np.array([index[f"layer_{i}/{name}"] for i in range(self.layers)])


class Codes(NamedTuple):
    """What one architecture says, as arrays; `L + 1` values are the image and the layers' outputs.

    Attributes:
      depth: `int32 []`, the number of layers.
      height: `int32 [L]`, filter heights, and likewise `width`.
      width: see `height`.
      channels: `int32 [L + 1]`, the channels of each value.
      inputs: `int32 [L]`, the input channels of each layer.
      shape: `int32 [L]`, the position of each layer's exact shape in `ConvSettings.shapes`.
      reads: `bool [L, L + 1]`, the values that each layer reads.
      sources: `int32 [L, L + 1]`, the same as positions, those that are read first.
      loose: `bool [L]`, the layers whose output no layer reads: they make the logits.
      stride: `int32 [L, 2]`, vertical and horizontal.
      extent: `int32 [L + 1, 2]`, height and width of each value; the rest of it is 0.
    """

    depth: jax.Array
    height: jax.Array
    width: jax.Array
    channels: jax.Array
    inputs: jax.Array
    shape: jax.Array
    reads: jax.Array
    sources: jax.Array
    loose: jax.Array
    stride: jax.Array
    extent: jax.Array


def read_codes(settings: ConvSettings, architecture: Any) -> Codes:
    """The codes of one architecture `int32 [T]`, traced or not.

    An architecture whose last layers are padding (-1) is a child of fewer layers.
    """
    architecture = jnp.asarray(architecture, jnp.int32)

    def action(name: str) -> jax.Array:
        return architecture[settings.columns(name)]

    there = action("height") >= 0
    height, width, filters = (jnp.maximum(action(n), 0) for n in ("height", "width", "filters"))
    own = jnp.where(there, jnp.asarray(settings.filters)[filters], 0)
    channels = jnp.concatenate([jnp.array([settings.image_shape[-1]]), own]).astype(jnp.int32)
    reads = _reads(settings, architecture, there)
    inputs = reads @ channels
    class_ = jnp.searchsorted(jnp.asarray(settings.input_classes), inputs).astype(jnp.int32)
    shape = height
    for code, number in (
        (width, len(settings.widths)),
        (class_, len(settings.input_classes)),
        (filters, len(settings.filters)),
    ):
        shape = shape * number + code
    stride = _strides(settings, architecture)
    return Codes(
        depth=there.sum(dtype=jnp.int32),
        height=jnp.asarray(settings.heights, jnp.int32)[height],
        width=jnp.asarray(settings.widths, jnp.int32)[width],
        channels=channels,
        inputs=inputs.astype(jnp.int32),
        shape=shape,
        reads=reads,
        sources=jnp.argsort(~reads, axis=-1, stable=True).astype(jnp.int32),
        loose=there & ~reads[:, 1:].any(0),
        stride=stride,
        extent=_extents(settings, reads, stride, there),
    )


def _reads(settings: ConvSettings, architecture: jax.Array, there: jax.Array) -> jax.Array:
    """Which values each layer reads, `bool [L, L + 1]`; the image where it chooses none."""
    number = settings.layers
    if settings.skips:
        index = settings.space.vertex_index
        pairs = [(i, j) for i in range(number) for j in range(i)]
        steps = [index[f"layer_{i}/skip_layer_{j}"] for i, j in pairs]
        rows, columns = (np.array([p[k] for p in pairs], int) for k in (0, 1))
        chosen = jnp.zeros((number, number), bool)
        chosen = chosen.at[rows, columns].set(architecture[np.array(steps, int)] == 1)
    else:
        chosen = jnp.eye(number, k=-1, dtype=bool)
    chosen &= there[:, None]
    image = there & ~chosen.any(-1)
    return jnp.concatenate([image[:, None], chosen], axis=-1)


def _strides(settings: ConvSettings, architecture: jax.Array) -> jax.Array:
    if settings.strides is None:
        return jnp.ones((settings.layers, 2), jnp.int32)
    actions = [settings.columns(f"stride_{side}") for side in ("height", "width")]
    positions = jnp.maximum(architecture[np.stack(actions, -1)], 0)
    return jnp.asarray(settings.strides, jnp.int32)[positions]


def _extents(settings: ConvSettings, reads, stride, there) -> jax.Array:
    """Height and width of every value: inputs of several sizes are filled up to the largest."""
    full = jnp.asarray(settings.image_shape[:2], jnp.int32)
    extents = [full]
    for i in range(settings.layers):
        known = jnp.stack(extents)
        size = jnp.where(reads[i, : i + 1, None], known, 0).max(0)
        extents.append(jnp.where(there[i], -(-size // stride[i]), 1))
    return jnp.stack(extents)
