"""Every fast form equals the library's, in value and gradient, in double precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxnas.supernets.ops import BatchNorm, Context, Relu, Sequential
from jaxnas.supernets.ops.convolution import convolution
from jaxnas.supernets.ops.depthwise import depthwise
from jaxnas.supernets.ops.normalization import EPSILON, batch_norm
from jaxnas.supernets.ops.pooling import avg_pool, max_pool

pytestmark = pytest.mark.usefixtures("exact")

DIMENSIONS = ("NHWC", "HWIO", "NHWC")


def normal(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


def library_convolution(x, weights, stride):
    pad = weights.shape[0] // 2
    return lax.conv_general_dilated(
        x, weights, (stride, stride), [(pad, pad)] * 2, dimension_numbers=DIMENSIONS
    )


def library_depthwise(x, weights, stride):
    pad, channels = weights.shape[0] // 2, x.shape[-1]
    return lax.conv_general_dilated(
        x,
        weights[:, :, None],
        (stride, stride),
        [(pad, pad)] * 2,
        dimension_numbers=DIMENSIONS,
        feature_group_count=channels,
    )


def library_max_pool(x):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 3, 3, 1), (1, 1, 1, 1), "SAME")


def library_avg_pool(x):
    def total(y):
        return lax.reduce_window(y, 0.0, lax.add, (1, 3, 3, 1), (1, 1, 1, 1), "SAME")

    return total(x) / total(jnp.ones_like(x))


def assert_same(fast, slow, *inputs):
    """Compares values and the gradients with respect to all inputs."""
    expected, pull_slow = jax.vjp(slow, *inputs)
    value, pull_fast = jax.vjp(fast, *inputs)
    assert value.shape == expected.shape
    np.testing.assert_allclose(value, expected, rtol=1e-12, atol=1e-12)
    cotangent = normal(9, *value.shape)
    for ours, theirs in zip(pull_fast(cotangent), pull_slow(cotangent), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize(("kernel", "size"), [(1, (6, 4)), (3, (6, 4)), (3, (5, 7)), (5, (4, 5))])
def test_convolution_equals_the_library(kernel, stride, size):
    x, weights = normal(0, 3, *size, 2), normal(1, kernel, kernel, 2, 4)
    assert_same(
        lambda x, w: convolution(x, w, stride),
        lambda x, w: library_convolution(x, w, stride),
        x,
        weights,
    )


@pytest.mark.parametrize("batch", [4, 16, 32, 48, 40])
def test_the_gradient_of_large_batches_is_a_sum_over_chunks(batch):
    x, weights = normal(0, batch, 4, 3, 33), normal(1, 3, 3, 33, 34)
    assert_same(
        lambda x, w: convolution(x, w, 2), lambda x, w: library_convolution(x, w, 2), x, weights
    )


@pytest.mark.parametrize("channels", [(3, 16), (16, 16), (4, 17), (1, 1), (5, 33)])
@pytest.mark.parametrize("width", [6, 5])
def test_narrow_convolutions_equal_the_library(channels, width):
    inputs, outputs = channels
    x, weights = normal(0, 2, 4, width, inputs), normal(1, 5, 5, inputs, outputs)
    assert_same(convolution, lambda x, w: library_convolution(x, w, 1), x, weights)


@pytest.mark.parametrize("relu", [False, True])
def test_normalisation_equals_the_gradient_of_its_definition(relu):
    def definition(x, scale, bias):
        y = (x - x.mean((0, 1, 2))) / jnp.sqrt(x.var((0, 1, 2)) + EPSILON) * scale + bias
        return jnp.where(y > 0, y, 0) if relu else y

    def ours(x, scale, bias):
        params = {"scale": scale, "bias": bias}
        return batch_norm(params, x, Context(), "moments", relu=relu)

    assert_same(ours, definition, 3 + normal(0, 4, 5, 3, 6), normal(1, 6), normal(2, 6))


def test_relu_after_normalisation_is_what_its_parts_are():
    x, both = normal(0, 4, 3, 3, 2), Sequential((BatchNorm(), Relu(), Relu()))
    params = {"0": {"scale": normal(1, 2), "bias": normal(2, 2)}}
    context = Context(record={})
    output = both.apply(params, x, context=context)
    parts = Relu()({}, BatchNorm()(params["0"], x))
    np.testing.assert_array_equal(output, parts)
    replayed = both.apply(params, x, context=Context(moments=context.record))
    np.testing.assert_allclose(replayed, output, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize(
    ("kernel", "size", "batch"), [(3, (6, 4), 8), (3, (5, 7), 3), (5, (4, 5), 16)]
)
def test_depthwise_equals_the_library(kernel, stride, size, batch):
    x, weights = normal(0, batch, *size, 2), normal(1, kernel, kernel, 2)
    assert_same(
        lambda x, w: depthwise(x, w, stride),
        lambda x, w: library_depthwise(x, w, stride),
        x,
        weights,
    )


@pytest.mark.parametrize("size", [(4, 6), (5, 3), (1, 2)])
def test_pooling_equals_the_library(size):
    x = normal(0, 2, *size, 3)
    assert_same(max_pool, library_max_pool, x)
    assert_same(avg_pool, library_avg_pool, x)


def test_ties_of_max_pooling_pass_their_gradient_to_the_first_of_the_window():
    x = jnp.zeros((1, 3, 3, 1))
    gradient = jax.grad(lambda x: (max_pool(x) * jnp.arange(9.0).reshape(1, 3, 3, 1)).sum())(x)
    # Outputs (row, column) take their window's first pixel: (max(row-1, 0), max(column-1, 0)).
    # Pixel (0, 0) serves outputs 0, 1, 3, 4: 8. Pixel (0, 1): 2, 5. (1, 0): 6, 7. (1, 1): 8.
    np.testing.assert_array_equal(gradient[0, :, :, 0], [[8, 7, 0], [13, 8, 0], [0, 0, 0]])
    np.testing.assert_array_equal(
        jax.grad(lambda x: (library_max_pool(x) * jnp.arange(9.0).reshape(1, 3, 3, 1)).sum())(x),
        gradient,
    )


@pytest.mark.parametrize("kernel", [2, 4])
def test_even_kernels_are_refused(kernel):
    x = jnp.zeros((1, 4, 4, 2))
    with pytest.raises(ValueError, match=f"kernel is {kernel} x {kernel}; only odd"):
        convolution(x, jnp.zeros((kernel, kernel, 2, 2)))
    with pytest.raises(ValueError, match=f"kernel is {kernel} x {kernel}; only odd"):
        depthwise(x, jnp.zeros((kernel, kernel, 2)))


def test_fast_forms_work_under_jit_vmap_and_conditionals():
    x, weights = normal(0, 4, 4, 4, 2), normal(1, 3, 3, 2, 2)

    def loss(weights, x, index):
        branches = [lambda x: convolution(x, weights), lambda x: depthwise(x, weights[..., 0])]
        return (lax.switch(index, branches, x) ** 2).sum()

    gradients = jax.jit(jax.vmap(jax.grad(loss), (None, None, 0)))(weights, x, jnp.arange(2))
    for index, branch in enumerate((library_convolution, library_depthwise)):
        expected = jax.grad(
            lambda w, b=branch, i=index: (b(x, w[..., 0] if i else w, 1) ** 2).sum()
        )(weights)
        np.testing.assert_allclose(gradients[index], expected, rtol=1e-11, atol=1e-11)
