"""Normalisation of images that were routed to an operation.

By each image's own moments, or by those of the images that count in a batch that is filled up.

Gradients are written out: those of the plain formula read the images several times more.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from jax import lax

EPSILON = 1e-5


def normalize_per_image(x: jax.Array, scale: jax.Array, bias: jax.Array) -> jax.Array:
    """Normalises each image of `[B, H, W, C]` by its own mean and variance; `[C]` parameters."""
    return _normalize(x, scale, bias, jnp.ones(x.shape[:1], x.dtype), True)


def normalize_counted(
    x: jax.Array, scale: jax.Array, bias: jax.Array, counted: jax.Array
) -> jax.Array:
    """Normalises `[B, H, W, C]` by the moments of the images that `counted` `[B]` names.

    Other images come out by the same formula; they influence no other image, and a cotangent of
    theirs must be zero.
    """
    return _normalize(x, scale, bias, counted.astype(x.dtype), False)


def moments_of_counted(x: jax.Array, counted: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The mean and variance `[C]` of the images of `[B, H, W, C]` that `counted` `[B]` names."""
    weights = counted.astype(x.dtype)
    mean = _mean(x, weights, False)
    return mean[0], _mean((x - mean[:, None, None]) ** 2, weights, False)[0]


def _mean(x, weights, per_image: bool):
    """The mean over pixels, and over weighted images: `[B, C]`, or `[1, C]` over all images."""
    pixels = x.sum(1).sum(1) / (x.shape[1] * x.shape[2])
    if per_image:
        return pixels
    return (weights @ pixels / jnp.maximum(weights.sum(), 1))[None]


@functools.partial(jax.custom_vjp, nondiff_argnums=(4,))
def _normalize(x, scale, bias, weights, per_image: bool):
    return _forward(x, scale, bias, weights, per_image)[0]


def _forward(x, scale, bias, weights, per_image: bool):
    x = lax.optimization_barrier(x)
    centred = x - _mean(x, weights, per_image)[:, None, None]
    variance = _mean(centred * centred, weights, per_image)
    inverse = lax.rsqrt(variance + EPSILON)[:, None, None]
    return centred * (inverse * scale) + bias, (centred, inverse, scale, weights)


def _backward(per_image: bool, residuals, gradient):
    centred, inverse, scale, weights = residuals
    gradient = lax.optimization_barrier(gradient)
    normal = centred * inverse
    d_bias = _mean(gradient, weights, per_image)[:, None, None]
    d_scale = _mean(gradient * normal, weights, per_image)[:, None, None]
    # Images that do not count change nothing: no gradient reaches them.
    shares = jnp.ones_like(weights) if per_image else weights
    dx = (inverse * scale) * (gradient - d_bias - normal * d_scale) * shares[:, None, None, None]
    count = centred.shape[1] * centred.shape[2]
    count *= 1 if per_image else jnp.maximum(weights.sum(), 1)
    d_scale, d_bias = (count * total.sum((0, 1, 2)) for total in (d_scale, d_bias))
    return dx, d_scale, d_bias, jnp.zeros_like(weights)


_normalize.defvjp(_forward, _backward)
