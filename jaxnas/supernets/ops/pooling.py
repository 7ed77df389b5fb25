"""3 x 3 pooling with stride 1, in forms whose gradients are fast on CPU.

The library's gradient of max pooling is a scatter, and that of average pooling a dilated window
sum, both slow loops on CPU; shifted slices fuse.
"""

from __future__ import annotations

import functools
from itertools import product

import jax
import jax.numpy as jnp
from jax import lax

from jaxnas.supernets.ops.convolution import pad_images
from jaxnas.supernets.ops.outline import outlined

_WINDOW, _STRIDES = (1, 3, 3, 1), (1, 1, 1, 1)
_NO_TAP = 9


@jax.custom_vjp
def avg_pool(x: jax.Array) -> jax.Array:
    """The mean of each 3 x 3 window of `[B, H, W, C]`; padding does not count."""
    return _window_sum(x) / _counts(x)


def _window_sum(x):
    height, width = x.shape[1:3]
    padded = pad_images(x, 1)
    rows = padded[:, :height] + padded[:, 1 : height + 1] + padded[:, 2:]
    return rows[:, :, :width] + rows[:, :, 1 : width + 1] + rows[:, :, 2:]


def _counts(x):
    return _window_sum(jnp.ones((1, *x.shape[1:3], 1), x.dtype))


def _avg_forward(x):
    return avg_pool(x), _counts(x)


def _avg_backward(counts, gradient):
    return (_window_sum(gradient / counts),)


avg_pool.defvjp(_avg_forward, _avg_backward)


@jax.custom_vjp
def max_pool(x: jax.Array) -> jax.Array:
    """The maximum of each 3 x 3 window of `[B, H, W, C]`; ties pass their gradient to the first."""
    return lax.platform_dependent(x, cpu=_shifted_max, default=_library_max)


def _library_max(x):
    return lax.reduce_window(x, -jnp.inf, lax.max, _WINDOW, _STRIDES, "SAME")


def _taps(x):
    height, width = x.shape[1:3]
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-jnp.inf)
    return [padded[:, i : i + height, j : j + width] for i, j in product(range(3), repeat=2)]


def _shifted_max(x):
    return functools.reduce(jnp.maximum, _taps(x))


def _max_forward(x):
    pooled = max_pool(x)
    return pooled, (x, pooled)


def _max_backward(residuals, gradient):
    return lax.platform_dependent(
        *residuals, gradient, cpu=_shifted_max_backward, default=_library_max_backward
    )


def _library_max_backward(x, pooled, gradient):
    return jax.vjp(_library_max, x)[1](gradient)


def _shifted_max_backward(x, pooled, gradient):
    """Each pixel gathers from the nine windows that it is in, if it is the first maximum there."""
    first = _padded_first(_first(x, pooled))
    return (_gather(first, _padded(gradient)),)


@outlined
def _first(x, pooled):
    """The number of the first tap of each window that holds its maximum."""
    first = jnp.full(x.shape, _NO_TAP, jnp.int8)
    for tap, shifted in reversed(list(enumerate(_taps(x)))):
        first = jnp.where(shifted == pooled, jnp.int8(tap), first)
    return first


@outlined
def _padded_first(first):
    return jnp.pad(first, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=_NO_TAP)


@outlined
def _padded(gradient):
    return pad_images(gradient, 1)


@outlined
def _gather(first, gradient):
    height, width = gradient.shape[1] - 2, gradient.shape[2] - 2
    shares = []
    for tap, (i, j) in enumerate(product(range(3), repeat=2)):
        window = (slice(None), slice(2 - i, 2 - i + height), slice(2 - j, 2 - j + width))
        shares.append(jnp.where(first[window] == tap, gradient[window], 0))
    return functools.reduce(jnp.add, shares)


max_pool.defvjp(_max_forward, _max_backward)
