"""Batch normalisation with an explicit policy for its statistics.

Shared weights have no running averages of their own: each child sees other activations. So a child
is normalised by the statistics of its own batch (as ENAS does) unless its own moments, measured
for it alone, are given.

Source: Ioffe & Szegedy 2015, "Batch normalization" (arXiv:1502.03167).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxnas.supernets.ops.context import Context
from jaxnas.supernets.ops.routed_normalization import (
    EPSILON,
    moments_of_counted,
    normalize_counted,
    normalize_per_image,
)

_ROWS = 64
_LEAST_VARIANCE = 0.01
"""Of the squared mean: with more, a difference of means loses two digits at most."""


class Moments(NamedTuple):
    """The mean and variance `[C]` of a layer's inputs over batch and image."""

    mean: jax.Array
    variance: jax.Array


def moments_from(tree: Mapping[str, Any]) -> Any:
    """Nested dictionaries with leaves `mean` and `variance` as nested dictionaries of `Moments`."""
    if "variance" in tree:
        return Moments(tree["mean"], tree["variance"])
    return {name: moments_from(value) for name, value in tree.items()}


def batch_norm_init(channels: int, affine: bool = True) -> dict[str, jax.Array]:
    """Scale one and bias zero `[C]`; nothing if the normalisation is not affine."""
    if not affine:
        return {}
    return {"scale": jnp.ones((channels,)), "bias": jnp.zeros((channels,))}


def batch_norm(
    params: dict[str, jax.Array], x: jax.Array, context: Context, name: str, *, relu: bool = False
) -> jax.Array:
    """Normalises `[B, H, W, C]` by the moments that the context holds, else by the batch's own.

    Args:
      params: `scale` and `bias` `[C]`, or empty.
      x: `[B, H, W, C]`.
      context: gives or records the moments under `name`.
      name: the name of this normalisation within its operation.
      relu: whether to return the positive part; as one function it keeps less for its gradient.
    """
    scale = params.get("scale", jnp.ones(x.shape[-1:], x.dtype))
    bias = params.get("bias", jnp.zeros(x.shape[-1:], x.dtype))
    own_batch = context.moments is None and not context.per_image and context.counted is None
    if not own_batch:
        normalized = _normalize_by_context(x, scale, bias, context, name)
        return jnp.maximum(normalized, 0) if relu else normalized
    if context.record is not None:
        context.record[name] = _moments(x)
    return _normalize(x, scale, bias, relu)


def _normalize_by_context(x, scale, bias, context: Context, name: str):
    """By given moments, each image by its own, or by those of the images that count."""
    if context.moments is not None:
        mean, variance = context.moments[name]
        return (x - mean) * (lax.rsqrt(variance + EPSILON) * scale) + bias
    if context.per_image:
        return normalize_per_image(x, scale, bias)
    return _normalize_counted(x, scale, bias, context, name)


def _normalize_counted(x, scale, bias, context: Context, name: str):
    assert context.counted is not None
    if context.record is not None:
        context.record[name] = Moments(*moments_of_counted(x, context.counted))
    return normalize_counted(x, scale, bias, context.counted)


def _mean(x):
    """The mean over all but the channels; two-stage sums vectorise on CPU."""
    channels = x.shape[-1]
    count = x.size // channels
    rows = _ROWS if count % _ROWS == 0 else 1
    return x.reshape(count // rows, rows, channels).sum(1).sum(0) / count


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def _normalize(x, scale, bias, relu):
    mean, variance = lax.platform_dependent(x, cpu=_moments_of_sums, default=_moments)
    return _scaled(x - mean, lax.rsqrt(variance + EPSILON), scale, bias, relu)


def _scaled(centred, inverse, scale, bias, relu):
    normalized = centred * (inverse * scale) + bias
    return jnp.maximum(normalized, 0) if relu else normalized


def _moments(x):
    mean = _mean(x)
    return Moments(mean, _mean((x - mean) ** 2))


def _moments_of_sums(x):
    """The variance as the mean of squares less the squared mean, which needs no centred copy.

    That copy is a third of the time of a normalisation on CPU. Where means are large beside
    deviations, the difference has few digits, and the copy is made.
    """
    mean = _mean(x)
    variance = _mean(x * x) - mean * mean
    few_digits = jnp.any(variance < _LEAST_VARIANCE * mean * mean)
    exact = lambda x, variance: _moments(x).variance  # noqa: E731
    return Moments(mean, lax.cond(few_digits, exact, lambda x, variance: variance, x, variance))


def _forward(x, scale, bias, relu):
    # A gradient keeps the centred copy, so that it is of use twice.
    centred = x - _mean(x)
    inverse = lax.rsqrt(_mean(centred * centred) + EPSILON)
    return _scaled(centred, inverse, scale, bias, relu), (centred, scale, bias, inverse)


def _backward(relu, residuals, gradient):
    centred, scale, bias, inverse = residuals
    if relu:
        gradient = jnp.where(centred * (inverse * scale) + bias > 0, gradient, 0)
    count = centred.size // centred.shape[-1]
    d_bias, covariance = _mean(gradient), _mean(gradient * centred)
    slope = covariance * inverse**2
    dx = (inverse * scale) * (gradient - d_bias - centred * slope)
    return dx, covariance * inverse * count, d_bias * count


_normalize.defvjp(_forward, _backward)
