"""Dense convolutions, in forms that are fast on CPU; elsewhere they are the library's own.

XLA's CPU backend convolves as a product of matrices whose kernels are 32 columns wide, and falls
back to naive loops for the weight gradient of a convolution in some layouts (30 to 80 times slower
inside a conditional). So on CPU narrow outputs are computed two columns of the image at a time, or
tap by tap where there are few taps of strided colours, and both gradients are ordinary forward
convolutions over materialised transposes.
"""

from __future__ import annotations

import functools
from itertools import product

import jax
import jax.numpy as jnp
from jax import lax

from jaxnas.supernets.ops.outline import outlined
from jaxnas.supernets.ops.pointwise import pointwise

_DIMENSIONS = ("NHWC", "HWIO", "NHWC")
_NARROW, _WIDE = 16, 32
_CHUNK = 16
_MULTIPLE = 4
_TAPS = 36


def convolution(x: jax.Array, weights: jax.Array, stride: int = 1) -> jax.Array:
    """Convolves images with zero padding that keeps their size (divided by the stride).

    Args:
      x: `[B, H, W, C]`.
      weights: `[k, k, C, D]`, `k` odd.
      stride: the step in both directions.

    Returns:
      `[B, ceil(H / stride), ceil(W / stride), D]`.

    Raises:
      ValueError: `k` is even.
    """
    if check_kernel(weights.shape[0]) == 1:
        return pointwise(x[:, ::stride, ::stride], weights[0, 0])
    return _convolution(x, weights, stride)


def check_kernel(size: int) -> int:
    """Returns the size of a kernel, or raises `ValueError` where it is even."""
    if size % 2 == 0:
        raise ValueError(f"the kernel is {size} x {size}; only odd kernels keep the image centred.")
    return size


def pad_images(x: jax.Array, pad: int) -> jax.Array:
    """Pads the two image axes of `[B, H, W, C]` with zeros.

    Columns and channels are one long axis of it: XLA's CPU backend copies in vectors then.
    """
    batch, height, width, channels = x.shape
    sides = (pad * channels, pad * channels)
    rows = jnp.pad(x.reshape(batch, height, -1), ((0, 0), (pad, pad), sides))
    return rows.reshape(batch, height + 2 * pad, width + 2 * pad, channels)


def _library(stride, x, weights):
    pad = weights.shape[0] // 2
    return lax.conv_general_dilated(
        x, weights, (stride, stride), ((pad, pad), (pad, pad)), dimension_numbers=_DIMENSIONS
    )


def _cpu(stride, x, weights):
    if stride > 1 and weights[..., 0].size <= _TAPS and weights.shape[-1] <= _NARROW:
        return _outlined_taps(stride)(x, weights)
    missing = -x.shape[-1] % _MULTIPLE
    if missing:  # Such as the three colours: odd numbers of channels are not vectorised.
        x = jnp.pad(x, ((0, 0), (0, 0), (0, 0), (0, missing)))
        weights = jnp.pad(weights, ((0, 0), (0, 0), (0, missing), (0, 0)))
    if stride == 1 and weights.shape[-1] <= _NARROW and x.shape[2] % 2 == 0:
        return _two_columns(x, weights)
    return _library(stride, x, weights)


@functools.cache
def _outlined_taps(stride):
    return outlined(functools.partial(_tap_by_tap, stride))


def _tap_by_tap(stride, x, weights):
    """The sum over the kernel's pixels and input channels, as one loop over the output.

    Gathering the patches of a strided image for a product of matrices costs more than the product
    where there are few channels: the stem of a network for small images is 3 to 4 times as fast.
    """
    size, (height, width) = weights.shape[0], x.shape[1:3]
    padded = pad_images(lax.optimization_barrier(x), size // 2)
    taps = [
        padded[:, i : i + height : stride, j : j + width : stride, channel, None]
        * weights[i, j, channel]
        for i, j, channel in product(*map(range, weights.shape[:3]))
    ]
    return lax.optimization_barrier(functools.reduce(jnp.add, taps))


def _two_columns(x, weights):
    """Two neighbouring columns of the output as one with twice the channels.

    The kernel is one column wider and has a zero column for either: `(k + 1) / k` times the
    arithmetic, at twice the speed.
    """
    size, (batch, height, width) = weights.shape[0], x.shape[:3]
    none = jnp.zeros_like(weights[:, :1])
    left, right = jnp.concatenate([weights, none], 1), jnp.concatenate([none, weights], 1)
    pad = (size // 2, size // 2)
    pairs = lax.conv_general_dilated(
        x, jnp.concatenate([left, right], -1), (1, 2), (pad, pad), dimension_numbers=_DIMENSIONS
    )
    return pairs.reshape(batch, height, width, weights.shape[-1])


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _convolution(x, weights, stride):
    cpu, library = functools.partial(_cpu, stride), functools.partial(_library, stride)
    return lax.platform_dependent(x, weights, cpu=cpu, default=library)


def _forward(x, weights, stride):
    return _convolution(x, weights, stride), (x, weights)


def _backward(stride, residuals, gradient):
    cpu = functools.partial(_cpu_backward, stride)
    library = functools.partial(_library_backward, stride)
    return lax.platform_dependent(*residuals, gradient, cpu=cpu, default=library)


def _library_backward(stride, x, weights, gradient):
    return jax.vjp(functools.partial(_library, stride), x, weights)[1](gradient)


def _cpu_backward(stride, x, weights, gradient):
    image, kernel = _gradient_paddings(stride, weights.shape[0], x, gradient)
    dx = _image_gradient(stride, image, weights, gradient)
    return dx, _outlined_weight_gradient(stride, kernel)(x, gradient)


def _gradient_paddings(stride, size, x, gradient):
    """The paddings that give the image's gradient its size, and the kernel's gradient its own.

    Both read the output's gradient with `stride - 1` zeros between its pixels.
    """
    pad, sizes = size // 2, list(zip(x.shape[1:3], gradient.shape[1:3], strict=True))
    spread = [(inputs, (outputs - 1) * stride + 1) for inputs, outputs in sizes]
    image = [(pad, inputs + pad - outputs) for inputs, outputs in spread]
    kernel = [(pad, outputs + pad - inputs) for inputs, outputs in spread]
    return tuple(image), tuple(kernel)


def _image_gradient(stride, padding, weights, gradient):
    flipped = jnp.swapaxes(weights[::-1, ::-1], 2, 3)
    if stride == 1:
        return _cpu(1, gradient, flipped)
    return lax.conv_general_dilated(
        gradient, flipped, (1, 1), padding, (stride, stride), dimension_numbers=_DIMENSIONS
    )


@functools.cache
def _outlined_weight_gradient(stride, padding):
    return outlined(functools.partial(_weight_gradient, stride, padding))


def _weight_gradient(stride, padding, x, gradient):
    """The sum over chunks of the batch that stay in the cache."""
    part = functools.partial(_chunk_weight_gradient, stride, padding)
    batch, channels = x.shape[0], min(x.shape[-1], gradient.shape[-1])
    few = 2 * _CHUNK if channels < _WIDE else _CHUNK
    if batch <= few or batch % _CHUNK:
        return part(x, gradient)
    chunks = [a.reshape(-1, _CHUNK, *a.shape[1:]) for a in (x, gradient)]
    zero = jnp.zeros(jax.eval_shape(part, x, gradient).shape, x.dtype)
    return lax.scan(lambda total, chunk: (total + part(*chunk), None), zero, chunks)[0]


def _chunk_weight_gradient(stride, padding, x, gradient):
    images = lax.optimization_barrier(jnp.transpose(x, (3, 1, 2, 0)))
    kernel = lax.optimization_barrier(jnp.transpose(gradient, (1, 2, 0, 3)))
    d_weights = lax.conv_general_dilated(
        images,
        kernel,
        (1, 1),
        padding,
        rhs_dilation=(stride, stride),
        dimension_numbers=_DIMENSIONS,
    )
    return jnp.transpose(d_weights, (1, 2, 0, 3))


_convolution.defvjp(_forward, _backward)
