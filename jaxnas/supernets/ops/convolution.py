"""Dense convolutions with gradients that stay fast on CPU.

XLA's CPU backend falls back to naive loops for the weight gradient of a convolution in some
layouts (30 to 80 times slower inside a conditional). There both gradients are written as ordinary
forward convolutions over materialised transposes; elsewhere they are the library's own.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from jax import lax

_DIMENSIONS = ("NHWC", "HWIO", "NHWC")


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
        return x[:, ::stride, ::stride] @ weights[0, 0]
    return _convolution(x, weights, stride)


def check_kernel(size: int) -> int:
    """Returns the size of a kernel, or raises `ValueError` where it is even."""
    if size % 2 == 0:
        raise ValueError(f"the kernel is {size} x {size}; only odd kernels keep the image centred.")
    return size


def _library(x, weights, stride):
    pad = weights.shape[0] // 2
    return lax.conv_general_dilated(
        x, weights, (stride, stride), ((pad, pad), (pad, pad)), dimension_numbers=_DIMENSIONS
    )


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _convolution(x, weights, stride):
    return _library(x, weights, stride)


def _forward(x, weights, stride):
    return _library(x, weights, stride), (x, weights)


def _backward(stride, residuals, gradient):
    library = functools.partial(_library_backward, stride)
    return lax.platform_dependent(
        *residuals, gradient, cpu=functools.partial(_cpu_backward, stride), default=library
    )


def _library_backward(stride, x, weights, gradient):
    return jax.vjp(lambda x, w: _library(x, w, stride), x, weights)[1](gradient)


def _cpu_backward(stride, x, weights, gradient):
    flipped = lax.optimization_barrier(jnp.swapaxes(weights[::-1, ::-1], 2, 3))
    images = lax.optimization_barrier(jnp.transpose(x, (3, 1, 2, 0)))
    kernel = lax.optimization_barrier(jnp.transpose(gradient, (1, 2, 0, 3)))
    image_padding, kernel_padding = _gradient_paddings(stride, weights.shape[0], x, gradient)
    dx = lax.conv_general_dilated(
        gradient, flipped, (1, 1), image_padding, (stride, stride), dimension_numbers=_DIMENSIONS
    )
    d_weights = lax.conv_general_dilated(
        images,
        kernel,
        (1, 1),
        kernel_padding,
        rhs_dilation=(stride, stride),
        dimension_numbers=_DIMENSIONS,
    )
    return dx, jnp.transpose(d_weights, (1, 2, 0, 3))


def _gradient_paddings(stride, size, x, gradient):
    """The paddings that give the image's gradient its size, and the kernel's gradient its own.

    Both read the output's gradient with `stride - 1` zeros between its pixels.
    """
    pad, sizes = size // 2, list(zip(x.shape[1:3], gradient.shape[1:3], strict=True))
    spread = [(inputs, (outputs - 1) * stride + 1) for inputs, outputs in sizes]
    image = [(pad, inputs + pad - outputs) for inputs, outputs in spread]
    kernel = [(pad, outputs + pad - inputs) for inputs, outputs in spread]
    return image, kernel


_convolution.defvjp(_forward, _backward)
