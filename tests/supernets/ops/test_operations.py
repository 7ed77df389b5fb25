"""Batch normalisation, noise, halving, composition and users' own operations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxnas.supernets import ops
from jaxnas.supernets.noise import drop_path
from jaxnas.supernets.ops.context import Context

pytestmark = pytest.mark.usefixtures("exact")


def normal(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


def slow_batch_norm(x, scale, bias):
    mean = jnp.mean(x, (0, 1, 2))
    variance = jnp.mean((x - mean) ** 2, (0, 1, 2))
    return (x - mean) / jnp.sqrt(variance + 1e-5) * scale + bias


@pytest.mark.parametrize("shape", [(4, 4, 4, 3), (3, 5, 1, 2)])
def test_batch_norm_equals_its_definition(shape):
    x, scale, bias = normal(0, *shape), normal(1, shape[-1]), normal(2, shape[-1])

    def fast(x, scale, bias):
        return ops.BatchNorm()({"scale": scale, "bias": bias}, x)

    value, pull = jax.vjp(fast, x, scale, bias)
    expected, pull_expected = jax.vjp(slow_batch_norm, x, scale, bias)
    np.testing.assert_allclose(value, expected, rtol=1e-10, atol=1e-12)
    cotangent = normal(3, *shape)
    for ours, theirs in zip(pull(cotangent), pull_expected(cotangent), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-11)


def test_batch_norm_without_scale_and_bias_has_no_parameters():
    x = normal(0, 4, 3, 3, 2)
    operation = ops.BatchNorm(affine=False)
    assert operation.init(jax.random.key(0), (3, 3, 2)) == {}
    np.testing.assert_allclose(operation({}, x), slow_batch_norm(x, 1.0, 0.0), atol=1e-12)


def test_recorded_moments_reproduce_the_batch_and_fix_the_normalisation():
    x, y = normal(0, 4, 3, 3, 2), normal(1, 2, 3, 3, 2)
    operation = ops.conv_bn(3, 1)
    params = operation.init(jax.random.key(0), (3, 3, 2))
    record: dict = {}
    value = operation.apply(params, x, context=Context(record=record))
    again = operation.apply(params, x, context=Context(moments=record))
    np.testing.assert_allclose(again, value, rtol=1e-10, atol=1e-12)
    # With given moments each image is normalised on its own.
    both = operation.apply(params, y, context=Context(moments=record))
    one = operation.apply(params, y[:1], context=Context(moments=record))
    np.testing.assert_allclose(both[:1], one, atol=1e-13)
    assert not np.allclose(both, operation(params, y))


def test_factorized_reduction_reads_every_pixel():
    operation = ops.FactorizedReduction(3)
    x = normal(0, 2, 4, 6, 2)
    params = operation.init(jax.random.key(0), (4, 6, 2))
    even, odd = params["even"]["weights"][0, 0], params["odd"]["weights"][0, 0]
    assert even.shape == (2, 1)
    assert odd.shape == (2, 2)
    expected = np.zeros((2, 2, 3, 3))
    for row in range(2):
        for column in range(3):
            expected[:, row, column, :1] = x[:, 2 * row, 2 * column] @ even
            expected[:, row, column, 1:] = x[:, 2 * row + 1, 2 * column + 1] @ odd
    np.testing.assert_allclose(operation(params, x), expected, atol=1e-12)


@pytest.mark.parametrize("operation", [ops.FactorizedReduction(4), ops.Halve()])
def test_odd_images_cannot_be_halved(operation):
    with pytest.raises(ValueError, match="5 x 4 cannot be halved"):
        operation.output_shape((5, 4, 2))


def test_halve_is_the_mean_of_disjoint_windows():
    x = jnp.arange(16.0).reshape(1, 4, 4, 1)
    np.testing.assert_array_equal(ops.Halve()({}, x)[0, :, :, 0], [[2.5, 4.5], [10.5, 12.5]])


def test_drop_path_zeroes_whole_images_and_keeps_the_expectation():
    x = jnp.ones((4000, 2, 2, 3))
    y = drop_path(jax.random.key(0), x, 0.25)
    kept = np.asarray(y[:, 0, 0, 0]) > 0
    np.testing.assert_allclose(y, np.where(kept, 4 / 3, 0)[:, None, None, None] * x)
    # The standard deviation of the share is sqrt(0.25 * 0.75 / 4000) = 0.0068.
    assert abs(kept.mean() - 0.75) < 0.03
    np.testing.assert_array_equal(drop_path(jax.random.key(0), x, 0.0), x)


def test_dropout_needs_a_key_and_keeps_the_expectation():
    x = jnp.ones((1000, 8))
    np.testing.assert_array_equal(ops.Dropout(0.5)({}, x), x)
    y = ops.Dropout(0.2).apply({}, x, context=Context(key=jax.random.key(0)))
    assert set(np.unique(np.asarray(y)).round(12)) == {0.0, 1.25}
    assert abs(float(y.mean()) - 1) < 0.03


def test_dropout_and_drop_path_of_one_operation_draw_independently():
    key, x = jax.random.key(0), jnp.ones((2000, 1))
    operation = ops.Sequential((ops.Relu(), ops.Dropout(0.5)))
    dropped = np.asarray(operation.apply({}, x, context=Context(key=key)))[:, 0] > 0
    path = np.asarray(drop_path(key, x, 0.5))[:, 0] > 0
    # Independent masks agree on half of the images, within 5 standard deviations of 0.011.
    assert abs((dropped == path).mean() - 0.5) < 0.056


def test_sequential_and_residual_compose():
    x = normal(0, 2, 4, 4, 2)
    body = ops.Sequential((ops.Convolution(2, 1), ops.Relu(), ops.Convolution(2, 3)))
    params = body.init(jax.random.key(0), (4, 4, 2))
    assert sorted(params) == ["0", "2"]
    by_hand = ops.Convolution(2, 3)(params["2"], jax.nn.relu(x @ params["0"]["weights"][0, 0]))
    np.testing.assert_allclose(body(params, x), by_hand, atol=1e-12)
    np.testing.assert_allclose(ops.Residual(body)(params, x), x + by_hand, atol=1e-12)


def test_which_operations_preserve_zero_is_true_of_their_values():
    operations = [
        *(ops.Relu(), ops.Convolution(3), ops.Depthwise(), ops.AvgPool(), ops.MaxPool()),
        *(ops.Halve(), ops.GlobalAvgPool(), ops.Identity(), ops.Zero(), ops.FactorizedReduction(4)),
        ops.relu_conv_bn(3, 1, affine=False),
        ops.Residual(ops.Convolution(2)),
    ]
    for operation in operations:
        params = operation.init(jax.random.key(0), (4, 4, 2))
        assert operation.preserves_zero
        assert not np.any(operation(params, jnp.zeros((2, 4, 4, 2))))
    assert not ops.BatchNorm().preserves_zero
    assert not ops.relu_conv_bn(3, 1).preserves_zero
    assert not ops.Linear(3).preserves_zero


def test_a_function_is_an_operation():
    def init(key, shape):
        return {"scale": jnp.full(shape[-1:], 3.0)}

    def apply(params, x):
        return params["scale"] * x

    operation = ops.Function("scale", init, apply)
    assert operation == ops.Function("scale", init, apply)
    assert operation.output_shape((4, 4, 2)) == (4, 4, 2)
    x = normal(0, 2, 4, 4, 2)
    np.testing.assert_allclose(operation(operation.init(jax.random.key(0), (4, 4, 2)), x), 3 * x)


def make_convolution(shape, rngs):
    return nnx.Conv(shape[-1], 3, (3, 3), rngs=rngs)


def test_a_flax_module_is_an_operation():
    operation = ops.from_nnx(make_convolution)
    assert operation.output_shape((4, 4, 2)) == (4, 4, 3)
    params = operation.init(jax.random.key(0), (4, 4, 2))
    x = normal(0, 2, 4, 4, 2)
    module = nnx.Conv(2, 3, (3, 3), rngs=nnx.Rngs(0))
    nnx.update(module, nnx.State(params))
    np.testing.assert_allclose(operation(params, x), module(x), rtol=1e-6, atol=1e-6)
    gradient = jax.jit(jax.grad(lambda p: (operation(p, x) ** 2).sum()))(params)
    assert jax.tree.structure(gradient) == jax.tree.structure(params)


def make_batch_norm(shape, rngs):
    return nnx.BatchNorm(shape[-1], rngs=rngs)


def test_a_flax_module_with_running_state_is_refused():
    with pytest.raises(ValueError, match="state besides its parameters"):
        ops.from_nnx(make_batch_norm).init(jax.random.key(0), (4, 4, 2))
