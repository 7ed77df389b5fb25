"""One convolution of exactly a shape, with normalisation and ReLU, and its gradient by hand.

Values are `[C, H, W, B]`; `piecewise.py` has the convolution itself.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxnas.children.nasrl_settings import ConvSettings
from jaxnas.children.piecewise import convolve, input_gradient, kernel_gradient

EPSILON = 1e-5


class Layers(NamedTuple):
    """The weights of all layers.

    Attributes:
      kernel: `[D, F, height, width, I]`, at the largest height and width; smaller ones lie in the
        middle.
      scale: `[D, F]`, of the normalisation.
      bias: `[D, F]`, of the normalisation.
    """

    kernel: jax.Array
    scale: jax.Array
    bias: jax.Array


def sampling(size: int, stride: jax.Array, extent: jax.Array, dtype: Any) -> jax.Array:
    """The matrix `[size, size]` that picks every `stride`-th row for the first `extent` ones."""
    rows, columns = np.arange(size)[:, None], np.arange(size)
    return ((columns == rows * stride) & (rows < extent)).astype(dtype)


def layer(settings, height, width, inputs, filters, x, weights: Layers, picks):
    """Convolution, normalisation and ReLU: the output, its normalised form, `1 / std`."""
    kernel = _kernel(settings, weights.kernel, height, width, inputs, filters)
    z = convolve(kernel, x[:inputs], height, width)
    counted = None
    if picks:
        z = _pick(z, *picks)
        counted = _counted(picks)
    mean = _mean(z, counted)
    centred = z - mean if counted is None else (z - mean) * counted
    inverse = lax.rsqrt(_mean(centred * centred, counted) + EPSILON)
    normal = centred * inverse
    y = jnp.maximum(normal * _column(weights.scale, filters) + _column(weights.bias, filters), 0)
    y = y if counted is None else y * counted
    fill = settings.most_filters - filters
    return _filled(y, fill), _filled(normal, fill), _filled(inverse[:, 0, 0, 0], fill)


def layer_gradient(settings, height, width, inputs, filters, x, weights: Layers, picks, rest):
    """The gradients of what a layer read and of its weights."""
    normal, inverse, dy = (part[:filters] for part in rest)
    scale, counted = _column(weights.scale, filters), _counted(picks) if picks else None
    dy = jnp.where(normal * scale + _column(weights.bias, filters) > 0, dy, 0)
    dy = dy if counted is None else dy * counted
    d_bias, d_scale = _mean(dy, counted), _mean(dy * normal, counted)
    dz = (dy - d_bias - normal * d_scale) * (scale * inverse[:, None, None, None])
    if picks:
        dz = _pick(dz * counted, *(matrix.T for matrix in picks))
    number = _number(x, counted)
    kernel = _kernel(settings, weights.kernel, height, width, inputs, filters)
    d_kernel = kernel_gradient(dz, x[:inputs], height, width)
    dx = input_gradient(kernel, dz, height, width)
    d_weights = Layers(
        _whole_kernel(settings, d_kernel, height, width, inputs, filters),
        _filled((d_scale * number)[:, 0, 0, 0], settings.most_filters - filters),
        _filled((d_bias * number)[:, 0, 0, 0], settings.most_filters - filters),
    )
    return _filled(dx, len(x) - inputs), d_weights


def _kernel(settings: ConvSettings, kernel, height, width, inputs, filters):
    """The used part of a kernel as a matrix `[filters, height width inputs]`."""
    top, left = (max(settings.heights) - height) // 2, (max(settings.widths) - width) // 2
    used = kernel[:filters, top : top + height, left : left + width, :inputs]
    return used.reshape(filters, -1)


def _whole_kernel(settings: ConvSettings, used, height, width, inputs, filters):
    """The inverse of `_kernel`, with zeros around."""
    used = used.reshape(filters, height, width, inputs)
    rows, columns = max(settings.heights) - height, max(settings.widths) - width
    fill = (settings.most_filters - filters, rows, columns, settings.most_inputs - inputs)
    low = (0, rows // 2, columns // 2, 0)
    return jnp.pad(used, [(a, f - a) for a, f in zip(low, fill, strict=True)])


def _column(values: jax.Array, filters: int) -> jax.Array:
    return values[:filters, None, None, None]


def _filled(x: jax.Array, rows: int) -> jax.Array:
    return jnp.pad(x, [(0, rows)] + [(0, 0)] * (x.ndim - 1))


def _pick(z: jax.Array, rows: jax.Array, columns: jax.Array) -> jax.Array:
    return jnp.einsum("ih,jw,chwb->cijb", rows, columns, z)


def _counted(picks: Any) -> jax.Array:
    """Which pixels `[1, H, W, 1]` there are."""
    rows, columns = (matrix.sum(1) for matrix in picks)
    return (rows[:, None] * columns)[None, :, :, None]


def _number(x: jax.Array, counted: jax.Array | None) -> Any:
    """Over how many numbers a channel is normalised."""
    pixels = x.shape[1] * x.shape[2] if counted is None else counted.sum()
    return pixels * x.shape[3]


def _mean(z: jax.Array, counted: jax.Array | None) -> jax.Array:
    """The mean of each channel `[C, 1, 1, 1]`; sums in two stages vectorise on a CPU."""
    total = z.sum((1, 2)).sum(-1)
    return (total / _number(z, counted))[:, None, None, None]
