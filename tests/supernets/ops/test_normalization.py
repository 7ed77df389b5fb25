"""Batch normalisation by its own batch, beside NumPy in double precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.supernets.ops.context import Context
from jaxnas.supernets.ops.normalization import Moments, batch_norm

SHAPE = (8, 4, 4, 3)


def images(mean, deviation, shape=SHAPE):
    random = np.random.default_rng(0)
    return (mean + deviation * random.normal(size=shape)).astype(np.float32)


def reference(x, scale, bias, relu):
    x = x.astype(np.float64)
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    normalized = (x - mean) / np.sqrt(variance + 1e-5) * scale + bias
    return np.maximum(normalized, 0) if relu else normalized


@pytest.mark.parametrize("relu", [False, True])
# Means up to 1e4 deviations: a difference of means of squares has no digit left there.
@pytest.mark.parametrize("mean", [0.0, 3.0, -9.0, 11.0, 300.0, 1e4])
@pytest.mark.parametrize("shape", [SHAPE, (3, 5, 5, 2), (64, 8, 8, 16)])
def test_values_are_those_of_double_precision(mean, relu, shape):
    x = images(mean, 1.0, shape)
    scale, bias = np.linspace(0.5, 2, shape[-1]), np.linspace(-1, 1, shape[-1])
    params = {"scale": jnp.asarray(scale, jnp.float32), "bias": jnp.asarray(bias, jnp.float32)}
    ours = jax.jit(lambda x: batch_norm(params, x, Context(), "norm", relu=relu))(x)
    # A difference loses digits with the squared mean, up to 10 deviations; beyond, what is left is
    # the rounding of images and of their mean.
    lost = 5e-6 * mean**2 if abs(mean) < 10 else 0
    expected = reference(x, scale, bias, relu)
    np.testing.assert_allclose(ours, expected, rtol=lost, atol=6e-5 + 2e-6 * abs(mean) + lost)


def test_one_channel_of_few_digits_among_others():
    x = images(0.0, 1.0)
    x[..., 1] = images(500.0, 0.5)[..., 1]
    ours = batch_norm({}, jnp.asarray(x), Context(), "norm")
    np.testing.assert_allclose(ours, reference(x, 1, 0, False), atol=1e-3)
    np.testing.assert_allclose(ours[..., 0], reference(x, 1, 0, False)[..., 0], atol=1e-5)


@pytest.mark.parametrize("value", [0.0, 2.5, 1e4])
def test_constant_channels_become_the_bias(value):
    x = jnp.full(SHAPE, value)
    params = {"scale": jnp.ones(3), "bias": jnp.array([0.0, 1.0, -1.0])}
    ours = batch_norm(params, x, Context(), "norm")
    np.testing.assert_allclose(ours, jnp.broadcast_to(params["bias"], SHAPE), atol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_stays_in_its_channel(value):
    x = images(0.0, 1.0)
    x[0, 0, 0, 1] = value
    ours = np.asarray(batch_norm({}, jnp.asarray(x), Context(), "norm"))
    assert np.isnan(ours[..., 1]).any()
    assert np.isfinite(ours[..., [0, 2]]).all()


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("mean", [1.0, 50.0])
def test_gradients_are_those_of_finite_differences(float64, mean, relu):
    x = jnp.asarray(images(mean, 1.0), jnp.float64)
    params = {"scale": jnp.array([0.5, 1.0, 2.0]), "bias": jnp.array([0.1, 0.0, -0.1])}
    weights = jnp.asarray(np.random.default_rng(1).normal(size=SHAPE))

    def loss(x, params):
        return (weights * batch_norm(params, x, Context(), "norm", relu=relu)).sum()

    found = jax.grad(loss, (0, 1))(x, params)
    direction = jax.tree.map(lambda leaf: jnp.cos(jnp.arange(leaf.size * 1.0)), (x, params))
    direction = jax.tree.map(lambda d, leaf: d.reshape(leaf.shape), direction, (x, params))
    step = 1e-6
    ends = [
        loss(*jax.tree.map(lambda leaf, d, s=sign: leaf + s * step * d, (x, params), direction))
        for sign in (1, -1)
    ]
    along = sum(
        jnp.vdot(a, b) for a, b in zip(*map(jax.tree.leaves, (found, direction)), strict=True)
    )
    np.testing.assert_allclose(along, (ends[0] - ends[1]) / (2 * step), rtol=1e-6)


def test_moments_are_recorded():
    x = images(20.0, 2.0)
    context = Context(record={})
    batch_norm({}, jnp.asarray(x), context, "norm")
    assert isinstance(context.record["norm"], Moments)
    np.testing.assert_allclose(context.record["norm"].mean, x.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(context.record["norm"].variance, x.var((0, 1, 2)), rtol=1e-4)


def test_many_batches_at_once_are_each_normalised_alone():
    x = np.stack([images(0.0, 1.0), images(400.0, 1.0)])
    ours = jax.vmap(lambda x: batch_norm({}, x, Context(), "norm"))(jnp.asarray(x))
    for each, result in zip(x, ours, strict=True):
        np.testing.assert_allclose(result, reference(each, 1, 0, False), atol=1e-3)
