"""The layers of one convolutional child at exactly their shapes: what is fast on a CPU core.

Values are `[C, H, W, B]`, so that a filter's taps are copies of long blocks (`piecewise.py`). A
loop runs over the layers, with one real branch for each shape that a layer can have. The gradient
is written by hand: that of a `lax.switch` would keep what every branch keeps, and that of a loop
whole copies of all values.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxnas.children.exact_convolution import Layers, layer, layer_gradient, sampling
from jaxnas.children.nasrl_settings import Codes, ConvSettings
from jaxnas.children.pooling import pool


class _Kept(NamedTuple):
    """What the gradient needs: values `[D + 1, F, H, W, B]`, normalised outputs, `1 / std`."""

    values: jax.Array
    normal: jax.Array
    inverse: jax.Array


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def outputs(settings: ConvSettings, layers: Layers, images: jax.Array, codes: Codes) -> jax.Array:
    """The outputs `[D, F, H, W, B]` of all layers of a child; zeros past its depth and channels.

    Args:
      settings: the sizes.
      layers: the weights.
      images: `[B, H, W, C]`.
      codes: the architecture.
    """
    return _run(settings, layers, images, codes).values[1:]


def _forward(settings: ConvSettings, layers: Layers, images: jax.Array, codes: Codes):
    kept = _run(settings, layers, images, codes)
    return kept.values[1:], (kept, layers, codes)


def _run(settings: ConvSettings, layers: Layers, images: jax.Array, codes: Codes) -> _Kept:
    rows, number = settings.most_filters, settings.depth
    image = jnp.transpose(images, (3, 1, 2, 0))
    shape = (rows, *image.shape[1:])
    values = jnp.zeros((number + 1, *shape), image.dtype).at[0, : len(image)].set(image)
    kept = _Kept(values, values[1:], jnp.zeros((number, rows), image.dtype))
    branches = [functools.partial(layer, settings, *s) for s in settings.shapes]

    def run(i: jax.Array, kept: _Kept) -> _Kept:
        weights = jax.tree.map(lambda leaf: leaf[i], layers)
        x = _pack(settings, kept.values, codes, i)
        y, normal, inverse = lax.switch(
            codes.shape[i], branches, x, weights, _sampling(settings, codes, i, image.dtype)
        )
        return _Kept(
            kept.values.at[i + 1].set(y),
            kept.normal.at[i].set(normal),
            kept.inverse.at[i].set(inverse),
        )

    return lax.fori_loop(0, codes.depth, run, kept)


def _backward(settings: ConvSettings, residuals: Any, gradient: jax.Array):
    kept, layers, codes = residuals
    branches = [functools.partial(layer_gradient, settings, *s) for s in settings.shapes]
    d_values = jnp.concatenate([jnp.zeros_like(gradient[:1]), gradient])

    def run(k: jax.Array, state: Any) -> Any:
        d_values, d_layers = state
        i = codes.depth - 1 - k
        weights = jax.tree.map(lambda leaf: leaf[i], layers)
        x = _pack(settings, kept.values, codes, i)
        dx, d_weights = lax.switch(
            codes.shape[i],
            branches,
            x,
            weights,
            _sampling(settings, codes, i, x.dtype),
            (kept.normal[i], kept.inverse[i], d_values[i + 1]),
        )
        d_layers = jax.tree.map(lambda d, new: d.at[i].set(new), d_layers, d_weights)
        return _unpack(settings, dx, d_values, kept.values, codes, i), d_layers

    state = (d_values, jax.tree.map(jnp.zeros_like, layers))
    d_values, d_layers = lax.fori_loop(0, codes.depth, run, state)
    d_image = d_values[0, : settings.image_shape[-1]]
    return d_layers, jnp.transpose(d_image, (3, 1, 2, 0)), None


outputs.defvjp(_forward, _backward)


def _pack(settings: ConvSettings, values: jax.Array, codes: Codes, i: jax.Array) -> jax.Array:
    """The values that a layer reads, one after the other: `[I + F, H, W, B]`, then zeros."""
    rows = settings.most_inputs + settings.most_filters
    packed = jnp.zeros((rows, *values.shape[2:]), values.dtype)

    def put(k: jax.Array, state: Any) -> Any:
        packed, start = state
        source = codes.sources[i, k]
        # Rows past the channels of a value are zero, and the next one lies over them.
        value = _pooled(settings, values[source], codes, i, source)
        packed = lax.dynamic_update_slice_in_dim(packed, value, start, 0)
        return packed, start + codes.channels[source]

    return lax.fori_loop(0, codes.reads[i].sum(), put, (packed, jnp.int32(0)))[0]


def _unpack(settings: ConvSettings, dx, d_values, values, codes: Codes, i) -> jax.Array:
    """Adds the gradient of what a layer read to those of the values."""
    rows = d_values.shape[1]

    def add(k: jax.Array, state: Any) -> Any:
        d_values, start = state
        source = codes.sources[i, k]
        # Rows past the channels of the value get what is not theirs; nobody reads them.
        part = lax.dynamic_slice_in_dim(dx, start, rows)
        part = _pooled_gradient(settings, values[source], part, codes, i, source)
        return d_values.at[source].add(part), start + codes.channels[source]

    return lax.fori_loop(0, codes.reads[i].sum(), add, (d_values, jnp.int32(0)))[0]


def _pooled(settings: ConvSettings, value: jax.Array, codes: Codes, i, source) -> jax.Array:
    """What layer `i` reads of a value: the same, or pooled where a pooling lies between."""
    sizes = sorted(set(settings.windows.flat))
    which = jnp.searchsorted(jnp.asarray(sizes), jnp.asarray(settings.windows)[i, source])
    branches = [functools.partial(pool, int(size)) for size in sizes]
    return lax.switch(which, branches, value, codes.extent[source])


def _pooled_gradient(settings: ConvSettings, value, gradient, codes: Codes, i, source):
    """The gradient of a value by that of what layer `i` reads of it."""
    return jax.vjp(lambda x: _pooled(settings, x, codes, i, source), value)[1](gradient)[0]


def _sampling(settings: ConvSettings, codes: Codes, i: jax.Array, dtype: Any) -> Any:
    """Which rows `[H, H]` and columns `[W, W]` of a convolution are its output; `()` for all."""
    if not settings.resized:
        return ()
    return tuple(
        sampling(
            settings.image_shape[side], codes.stride[i, side], codes.extent[i + 1, side], dtype
        )
        for side in (0, 1)
    )
