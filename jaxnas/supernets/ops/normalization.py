"""Batch normalisation with an explicit policy for its statistics.

Shared weights have no running averages of their own: each child sees other activations. So a child
is normalised by the statistics of its own batch (as ENAS does) unless its own moments, measured
for it alone, are given.

Source: Ioffe & Szegedy 2015, "Batch normalization" (arXiv:1502.03167).
"""

from __future__ import annotations

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
    params: dict[str, jax.Array], x: jax.Array, context: Context, name: str
) -> jax.Array:
    """Normalises `[B, H, W, C]` by the moments that the context holds, else by the batch's own.

    Args:
      params: `scale` and `bias` `[C]`, or empty.
      x: `[B, H, W, C]`.
      context: gives or records the moments under `name`.
      name: the name of this normalisation within its operation.
    """
    scale = params.get("scale", jnp.ones(x.shape[-1:], x.dtype))
    bias = params.get("bias", jnp.zeros(x.shape[-1:], x.dtype))
    if context.moments is not None:
        mean, variance = context.moments[name]
        return (x - mean) * (lax.rsqrt(variance + EPSILON) * scale) + bias
    if context.per_image:
        return normalize_per_image(x, scale, bias)
    if context.counted is not None:
        return _normalize_counted(x, scale, bias, context, name)
    if context.record is not None:
        mean = _mean(x)
        context.record[name] = Moments(mean, _mean((x - mean) ** 2))
    return _normalize(x, scale, bias)


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


@jax.custom_vjp
def _normalize(x, scale, bias):
    return _forward(x, scale, bias)[0]


def _forward(x, scale, bias):
    x = lax.optimization_barrier(x)
    mean = _mean(x)
    centred = x - mean
    inverse = lax.rsqrt(_mean(centred * centred) + EPSILON)
    return centred * (inverse * scale) + bias, (x, scale, mean, inverse)


def _backward(residuals, gradient):
    x, scale, mean, inverse = residuals
    gradient = lax.optimization_barrier(gradient)
    normal = (x - mean) * inverse
    count = x.size // x.shape[-1]
    d_bias, d_scale = _mean(gradient), _mean(gradient * normal)
    dx = (inverse * scale) * (gradient - d_bias - normal * d_scale)
    return dx, d_scale * count, d_bias * count


_normalize.defvjp(_forward, _backward)
