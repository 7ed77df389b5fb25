"""FLOPs by hand."""

import jax
import jax.numpy as jnp

from jaxnas.supernets import ops
from jaxnas.supernets.cost import operation_flops


def test_convolutions():
    # 6 x 8 outputs, 3 x 3 x 2 taps, 5 channels; a stride of 2 leaves 3 x 4 outputs.
    assert operation_flops(ops.Convolution(5, 3), ((6, 8, 2),)) == 2 * 48 * 18 * 5
    assert operation_flops(ops.Convolution(5, 3, 2), ((6, 8, 2),)) == 2 * 12 * 18 * 5
    assert operation_flops(ops.Convolution(5, 1), ((6, 8, 2),)) == 2 * 48 * 2 * 5
    assert operation_flops(ops.Convolution(5, 1, 2), ((6, 8, 2),)) == 2 * 12 * 2 * 5


def test_depthwise_convolutions_count_as_on_accelerators():
    assert operation_flops(ops.Depthwise(5), ((6, 8, 3),)) == 2 * 48 * 25 * 3
    assert operation_flops(ops.Depthwise(3, 2), ((6, 8, 3),)) == 2 * 12 * 9 * 3


def test_linear_and_compositions():
    assert operation_flops(ops.Linear(10), ((7,),)) == 2 * 7 * 10
    assert operation_flops(ops.classifier(10), ((6, 8, 7),)) == 2 * 7 * 10
    # Two halves of a factorised reduction, 2 to 1 and 2 to 2 channels, on 3 x 4 pixels each.
    assert operation_flops(ops.FactorizedReduction(3), ((6, 8, 2),)) == 2 * 12 * 2 * 3
    once = 2 * 48 * (9 * 2 + 2 * 2)
    assert operation_flops(ops.separable_conv_twice(2, 3), ((6, 8, 2),)) == 2 * once


def test_elementwise_work_is_free():
    for operation in (ops.BatchNorm(), ops.Relu(), ops.AvgPool(), ops.MaxPool(), ops.Halve()):
        assert operation_flops(operation, ((6, 8, 3),)) == 0


def init_square(key, shape):
    return jax.random.normal(key, (shape[-1], shape[-1]))


def apply_three_times(weights, x):
    return jax.lax.scan(lambda x, _: (jnp.tanh(x @ weights), None), x, None, length=3)[0]


def apply_in_a_jit(weights, x):
    return jax.jit(lambda x: jnp.einsum("bhwc,cd->bhwd", x, weights))(x)


def apply_one_of_two(weights, x):
    return jax.lax.cond(x.sum() > 0, lambda x: x @ weights, lambda x: x @ weights @ weights, x)


def test_a_users_function_is_counted_from_its_program():
    once = 2 * 48 * 3 * 3
    for function, times in ((apply_three_times, 3), (apply_in_a_jit, 1), (apply_one_of_two, 2)):
        operation = ops.Function(function.__name__, init_square, function)
        assert operation_flops(operation, ((6, 8, 3),)) == times * once
