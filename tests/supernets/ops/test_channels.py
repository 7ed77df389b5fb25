"""Split, concatenate, shuffle, and every second pixel, against loops over channels and pixels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxnas.supernets import ops
from jaxnas.supernets.ops.shufflenet import shufflenet_join

pytestmark = pytest.mark.usefixtures("exact")


def normal(seed, *shape):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


def test_the_parts_of_a_split_are_the_whole():
    x = normal(0, 2, 3, 3, 6)
    parts = [ops.Split(i, 3)({}, x) for i in range(3)]
    for i, part in enumerate(parts):
        np.testing.assert_array_equal(part, x[..., 2 * i : 2 * i + 2])
    np.testing.assert_array_equal(ops.Concatenate()({}, *parts), x)


def test_a_shuffle_deals_the_groups_out_in_turn():
    x = jnp.arange(6.0).reshape(1, 1, 1, 6)
    assert ops.ChannelShuffle(2)({}, x).ravel().tolist() == [0, 3, 1, 4, 2, 5]
    assert ops.ChannelShuffle(3)({}, x).ravel().tolist() == [0, 2, 4, 1, 3, 5]


@pytest.mark.parametrize("groups", [2, 3])
def test_a_shuffle_equals_the_loop_of_its_definition(groups):
    x, y = normal(0, 2, 3, 3, 12), np.zeros((2, 3, 3, 12))
    for channel in range(12):
        group, place = divmod(channel, 12 // groups)
        y[..., place * groups + group] = x[..., channel]
    np.testing.assert_array_equal(ops.ChannelShuffle(groups)({}, x), y)


def test_each_half_of_a_joined_unit_holds_half_of_each_branch():
    kept, worked = jnp.zeros((1, 1, 1, 4)), jnp.ones((1, 1, 1, 4))
    joined = shufflenet_join()({}, kept, worked)
    for part in (0, 1):
        assert sorted(ops.Split(part)({}, joined).ravel().tolist()) == [0, 0, 1, 1]
    assert shufflenet_join().output_shape((4, 4, 3), (4, 4, 5)) == (4, 4, 8)


@pytest.mark.parametrize(
    ("pool", "initial", "combine"),
    [(ops.MaxPool(), -jnp.inf, lax.max), (ops.AvgPool(), 0, lax.add)],
)
@pytest.mark.parametrize("size", [(4, 6), (5, 3)])
def test_pooling_of_every_second_pixel_is_pooling_with_stride_2(pool, initial, combine, size):
    x = normal(0, 2, *size, 3)

    def strided(x):
        window = (1, 3, 3, 1), (1, 2, 2, 1), ((0, 0), (1, 1), (1, 1), (0, 0))
        pooled = lax.reduce_window(x, initial, combine, *window)
        ones = lax.reduce_window(jnp.ones_like(x), 0.0, lax.add, *window)
        return pooled / ones if combine is lax.add else pooled

    value, pull = jax.vjp(ops.Sequential((pool, ops.Subsample())), {}, x)
    expected, pull_expected = jax.vjp(strided, x)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    cotangent = normal(1, *expected.shape)
    np.testing.assert_allclose(pull(cotangent)[1], pull_expected(cotangent)[0], atol=1e-12)


def test_they_preserve_zero():
    zeros = jnp.zeros((1, 4, 4, 4))
    for operation in (ops.Split(1), ops.ChannelShuffle(), ops.Subsample()):
        assert operation.preserves_zero
        assert not np.any(operation({}, zeros))
    assert ops.Concatenate().preserves_zero
    assert not np.any(ops.Concatenate()({}, zeros, zeros))


def test_channels_that_cannot_be_split_are_refused():
    with pytest.raises(ValueError, match="5 channels cannot be split into 2 equal groups"):
        ops.Split(0).output_shape((4, 4, 5))
    with pytest.raises(ValueError, match="4 channels cannot be split into 3 equal groups"):
        ops.ChannelShuffle(3).output_shape((4, 4, 4))
    with pytest.raises(ValueError, match="part is 2: give one of 0 to 1"):
        ops.Split(2)
