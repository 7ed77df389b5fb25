"""Depthwise convolutions: shift-and-add on CPU, the library's grouped convolution elsewhere.

XLA's CPU backend runs grouped convolutions 20 to 90 times slower than the sum of `k * k` shifted
products, which is one fused loop. The weight gradient folds the batch so that its reductions are
elementwise additions followed by one matrix product.
"""

from __future__ import annotations

import functools
from itertools import product

import jax
import jax.numpy as jnp
from jax import lax

from jaxnas.supernets.ops.convolution import check_kernel, pad_images
from jaxnas.supernets.ops.outline import outlined

_FOLDS = 8


def depthwise(x: jax.Array, weights: jax.Array, stride: int = 1) -> jax.Array:
    """Convolves each channel with its own kernel, with zero padding that keeps the size.

    Args:
      x: `[B, H, W, C]`.
      weights: `[k, k, C]`, `k` odd.
      stride: the step in both directions.

    Returns:
      `[B, ceil(H / stride), ceil(W / stride), C]`.

    Raises:
      ValueError: `k` is even.
    """
    check_kernel(weights.shape[0])
    return _depthwise(x, weights, stride)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _depthwise(x, weights, stride):
    shift, library = _outlined(_shift_and_add, stride), functools.partial(_library, stride)
    return lax.platform_dependent(x, weights, cpu=shift, default=library)


def _library(stride, x, weights):
    pad = weights.shape[0] // 2
    return lax.conv_general_dilated(
        x,
        weights[:, :, None],
        (stride, stride),
        ((pad, pad), (pad, pad)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=x.shape[-1],
    )


def _shift_and_add(stride, x, weights):
    size, (height, width) = weights.shape[0], x.shape[1:3]
    padded = pad_images(lax.optimization_barrier(x), size // 2)
    taps = [
        padded[:, i : i + height : stride, j : j + width : stride] * weights[i, j]
        for i, j in product(range(size), repeat=2)
    ]
    return lax.optimization_barrier(functools.reduce(jnp.add, taps))


def _forward(x, weights, stride):
    return _depthwise(x, weights, stride), (x, weights)


def _backward(stride, residuals, gradient):
    return lax.platform_dependent(
        *residuals,
        gradient,
        cpu=functools.partial(_cpu_backward, stride),
        default=functools.partial(_library_backward, stride),
    )


def _library_backward(stride, x, weights, gradient):
    return jax.vjp(functools.partial(_library, stride), x, weights)[1](gradient)


def _cpu_backward(stride, x, weights, gradient):
    dx = _outlined(_image_gradient, stride)(x, weights, gradient)
    return dx, _outlined(_weight_gradient, stride)(x, weights, gradient)


@functools.cache
def _outlined(function, stride):
    return outlined(functools.partial(function, stride))


def _image_gradient(stride, x, weights, gradient):
    spread = lax.optimization_barrier(_dilate(gradient, stride, x.shape[1:3]))
    return _shift_and_add(1, spread, weights[::-1, ::-1])


def _weight_gradient(stride, x, weights, gradient):
    size, (batch, height, width, channels) = weights.shape[0], x.shape
    folds = _FOLDS if batch % _FOLDS == 0 else 1
    padded = pad_images(x, size // 2)
    if stride == 1:  # Rows of pixels and channels are one long axis, which fills vectors.
        padded = padded.reshape(batch, padded.shape[1], -1)
        gradient = gradient.reshape(batch, height, -1)
    taps = []
    for i, j in product(range(size), repeat=2):
        if stride == 1:
            start = j * channels
            shifted = padded[:, i : i + height, start : start + width * channels]
        else:
            shifted = padded[:, i : i + height : stride, j : j + width : stride]
        folded = (shifted * gradient).reshape(folds, -1, gradient.shape[-1])
        partial = functools.reduce(jnp.add, list(folded))
        taps.append(jnp.ones(partial.shape[:1], x.dtype) @ partial)
    return jnp.stack(taps).reshape(size, size, -1, channels).sum(2)


def _dilate(gradient: jax.Array, stride: int, size: tuple[int, int]) -> jax.Array:
    """Spreads a strided output's gradient `[B, h, w, C]` over the input grid `[B, H, W, C]`."""
    if stride == 1:
        return gradient
    spread = (0, stride - 1, stride - 1)
    zero = jnp.zeros((), gradient.dtype)
    padded = lax.pad(gradient, zero, ((0, 0, 0), spread, spread, (0, 0, 0)))
    return padded[:, : size[0], : size[1]]


_depthwise.defvjp(_forward, _backward)
