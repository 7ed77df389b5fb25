"""The sizes of NAS-RL's convolutional children, and what an architecture says in them."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.children import pooling
from jaxnas.spaces import SearchSpace
from jaxnas.spaces.nasrl_conv import nasrl_conv


@dataclasses.dataclass(frozen=True)
class ConvSettings:
    """What all children have in common; hashable.

    Attributes:
      image_shape: `(H, W, C)`.
      num_classes: `K`.
      layers: `L`, the largest number of layers of an architecture; shallower children have fewer.
      heights: of the filters.
      widths: of the filters.
      filters: numbers of filters; the largest, or `C`, is `F`.
      strides: that can be chosen, or `None` where all are 1.
      skips: whether there are skip bits.
      most_classes: the input channels of a layer are rounded up to one of so many numbers, with
        channels of zeros; all sums of numbers of filters if they are no more.
      block: convolutions that one layer of an architecture stands for, each of which reads all
        before it in the block.
      pools: the convolutions, counted from 1, after which everything is pooled by 2 x 2.
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
    block: int = 1
    pools: tuple[int, ...] = ()

    @property
    def depth(self) -> int:
        """`D`: the largest number of convolutions."""
        return self.layers * self.block

    @property
    def resized(self) -> bool:
        """Whether values can be smaller than the image."""
        return self.strides is not None or bool(self.pools)

    @functools.cached_property
    def windows(self) -> np.ndarray:
        """By what each convolution's inputs are pooled; see `jaxnas.children.pooling`."""
        return pooling.windows(self.depth, self.pools)

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
        inside = {k * filters for k in range(self.block) for filters in self.filters}
        exact = np.array(sorted({first + second for first in sums for second in inside}))
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
        """Where the decision `name` of each of the `L` layers stands in an architecture."""
        index = self.space.vertex_index
        return np.array([index[f"layer_{i}/{name}"] for i in range(self.layers)])


class Codes(NamedTuple):
    """What one architecture says, as arrays.

    The `D + 1` values are the image and the convolutions' outputs.

    Attributes:
      depth: `int32 []`, the number of convolutions.
      height: `int32 [D]`, filter heights, and likewise `width`.
      width: see `height`.
      channels: `int32 [D + 1]`, the channels of each value.
      inputs: `int32 [D]`, the input channels of each layer.
      shape: `int32 [D]`, the position of each convolution's exact shape in `ConvSettings.shapes`.
      reads: `bool [D, D + 1]`, the values that each layer reads.
      sources: `int32 [D, D + 1]`, the same as positions, those that are read first.
      loose: `bool [D]`, the layers whose output no layer reads: they make the logits.
      stride: `int32 [D, 2]`, vertical and horizontal.
      extent: `int32 [D + 1, 2]`, height and width of each value; the rest of it is 0.
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
        return architecture[np.repeat(settings.columns(name), settings.block)]

    there = action("height") >= 0
    height, width, filters = (jnp.maximum(action(n), 0) for n in ("height", "width", "filters"))
    own = jnp.where(there, jnp.asarray(settings.filters)[filters], 0)
    channels = jnp.concatenate([jnp.array([settings.image_shape[-1]]), own]).astype(jnp.int32)
    reads = _convolutions(settings, _reads(settings, architecture))
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


def _reads(settings: ConvSettings, architecture: jax.Array) -> jax.Array:
    """Which values each layer reads, `bool [L, L + 1]`; the image where it chooses none."""
    number = settings.layers
    there = architecture[settings.columns("height")] >= 0
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


def _convolutions(settings: ConvSettings, reads: jax.Array) -> jax.Array:
    """Which values each convolution reads, `bool [D, D + 1]`: its block's, and those before it.

    Blocks read the last convolution of others.
    """
    block = settings.block
    there = jnp.repeat(reads.any(-1), block)
    ends = block * np.arange(settings.layers + 1)
    result = jnp.zeros((settings.depth, settings.depth + 1), bool)
    result = result.at[:, ends].set(jnp.repeat(reads, block, axis=0))
    layer, value = np.arange(settings.depth)[:, None], np.arange(settings.depth)
    inside = (layer // block == value // block) & (value < layer)
    return result.at[:, 1:].set(result[:, 1:] | (there[:, None] & inside))


def _strides(settings: ConvSettings, architecture: jax.Array) -> jax.Array:
    """The stride of the first convolution of each block; the others keep the size."""
    if settings.strides is None:
        return jnp.ones((settings.depth, 2), jnp.int32)
    actions = [settings.columns(f"stride_{side}") for side in ("height", "width")]
    positions = jnp.maximum(architecture[np.stack(actions, -1)], 0)
    chosen = jnp.asarray(settings.strides, jnp.int32)[positions]
    return jnp.ones((settings.depth, 2), jnp.int32).at[:: settings.block].set(chosen)


def _extents(settings: ConvSettings, reads, stride, there) -> jax.Array:
    """Height and width of every value: inputs of several sizes are filled up to the largest."""
    full = jnp.asarray(settings.image_shape[:2], jnp.int32)
    extents = [full]
    for i in range(settings.depth):
        known = -(-jnp.stack(extents) // settings.windows[i, : i + 1, None])
        size = jnp.where(reads[i, : i + 1, None], known, 0).max(0)
        extents.append(jnp.where(there[i], -(-size // stride[i]), 1))
    return jnp.stack(extents)
