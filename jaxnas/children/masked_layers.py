"""The layers of convolutional children at the largest shape, with masks: the form for `vmap`.

Every child pays for the largest height, width and number of filters, in exchange for operations
that many children share. The weights and the numbers are those of `exact_convolution.py`.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnas.children.exact_convolution import EPSILON, Layers, sampling
from jaxnas.children.nasrl_settings import Codes, ConvSettings
from jaxnas.children.pooling import pool


class LayerMoments(NamedTuple):
    """The mean and variance `[D, F]` of what each layer normalises."""

    mean: jax.Array
    variance: jax.Array


def outputs(settings: ConvSettings, layers: Layers, images: jax.Array, codes: Codes) -> jax.Array:
    """What `exact_layers.outputs` gives: the outputs `[D, F, H, W, B]` of all layers of a child."""
    return outputs_and_moments(settings, layers, images, codes)[0]


def outputs_and_moments(
    settings: ConvSettings,
    layers: Layers,
    images: jax.Array,
    codes: Codes,
    moments: LayerMoments | None = None,
) -> tuple[jax.Array, LayerMoments]:
    """The outputs, normalised by given moments or by the batch's own, and those moments."""
    rows = settings.most_filters
    image = jnp.pad(images, [(0, 0)] * 3 + [(0, rows - images.shape[-1])])
    values, used = [image], []
    for i in range(settings.depth):
        weights, given = jax.tree.map(lambda leaf, i=i: leaf[i], (layers, moments))
        x = _inputs(settings, values, codes, i)
        y, own = _layer(settings, weights, x, codes, i, given)
        values.append(y)
        used.append(own)
    stacked = jnp.transpose(jnp.stack(values[1:]), (0, 4, 2, 3, 1))
    return stacked, jax.tree.map(lambda *rows: jnp.stack(rows), *used)


def _inputs(settings: ConvSettings, values, codes: Codes, i: int) -> jax.Array:
    """The channels that a layer reads, one after the other, then zeros: `[B, H, W, I]`."""
    rows = settings.most_filters
    sources = np.arange(len(values))
    channels = jnp.where(codes.reads[i, sources], codes.channels[sources], 0)
    starts = jnp.cumsum(channels) - channels
    source, row = np.repeat(sources, rows), np.tile(np.arange(rows), len(values))
    used = row < channels[source]
    # Row r of what is read comes from this channel of all values.
    target = jnp.where(used, starts[source] + row, settings.most_inputs)
    picks = jax.nn.one_hot(target, settings.most_inputs, dtype=values[0].dtype)
    values = [
        _pooled(value, int(settings.windows[i, j]), codes.extent[j])
        for j, value in enumerate(values)
    ]
    return jnp.concatenate(values, axis=-1) @ picks


def _pooled(x: jax.Array, window: int, extent: jax.Array) -> jax.Array:
    """`jaxnas.children.pooling.pool` on `[B, H, W, C]`."""
    return jnp.transpose(pool(window, jnp.transpose(x, (3, 1, 2, 0)), extent), (3, 1, 2, 0))


def _layer(settings: ConvSettings, weights: Layers, x, codes: Codes, i: int, moments):
    """Convolution, normalisation and ReLU on `[B, H, W, I]`, and the moments of the second."""
    kernel = weights.kernel * kernel_mask(settings, codes, i, weights.kernel.dtype)
    z = lax.conv_general_dilated(
        x,
        jnp.transpose(kernel, (1, 2, 3, 0)),
        (1, 1),
        [(max(sizes) // 2,) * 2 for sizes in (settings.heights, settings.widths)],
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    z, counted = _sampled(settings, z, codes, i)
    if moments is None:
        number = counted.sum() * z.shape[0]
        mean = z.sum((0, 1, 2)) / number
        variance = (((z - mean) * counted) ** 2).sum((0, 1, 2)) / number
        moments = LayerMoments(mean, variance)
    inverse = lax.rsqrt(moments.variance + EPSILON)
    y = jnp.maximum((z - moments.mean) * (inverse * weights.scale) + weights.bias, 0) * counted
    return y * (np.arange(y.shape[-1]) < codes.channels[i + 1]), moments


def _sampled(settings: ConvSettings, z, codes: Codes, i: int) -> tuple[jax.Array, jax.Array]:
    """The strided output, and which of its pixels `[H, W, 1]` there are."""
    if not settings.resized:
        return z, jnp.ones((*z.shape[1:3], 1), z.dtype)
    rows, columns = (
        sampling(z.shape[1 + side], codes.stride[i, side], codes.extent[i + 1, side], z.dtype)
        for side in (0, 1)
    )
    picked = jnp.einsum("ih,jw,bhwc->bijc", rows, columns, z)
    return picked, (rows.sum(1)[:, None] * columns.sum(1))[..., None]


def kernel_mask(settings: ConvSettings, codes: Codes, i: int, dtype) -> jax.Array:
    """Which weights `[F, height, width, I]` of a layer its child uses."""

    def middle(sizes, size):
        most = max(sizes)
        return jnp.abs(np.arange(most) - most // 2) <= size // 2

    filters = np.arange(settings.most_filters) < codes.channels[i + 1]
    inputs = np.arange(settings.most_inputs) < codes.inputs[i]
    rows, columns = (
        middle(settings.heights, codes.height[i]),
        middle(settings.widths, codes.width[i]),
    )
    used = filters[:, None, None, None] & rows[:, None, None] & columns[:, None] & inputs
    return used.astype(dtype)
