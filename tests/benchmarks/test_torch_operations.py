"""Operations in PyTorch equal those of jaxnas, in value and in gradient, in double precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.supernets import Network, OperationTable, ops
from jaxnas.supernets.ops.operation import Operation

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.extra, pytest.mark.usefixtures("exact")]

IMAGE = (4, 4, 2)
OPERATIONS = [
    ops.Relu(),
    ops.Convolution(3, 3, 2),
    ops.Convolution(3, 1),
    ops.Depthwise(5),
    ops.Depthwise(3, 2),
    ops.BatchNorm(),
    ops.BatchNorm(affine=False),
    ops.AvgPool(),
    ops.MaxPool(),
    ops.Halve(),
    ops.Identity(),
    ops.FactorizedReduction(4),
    ops.relu_conv_bn(3, 3),
    ops.separable_conv_twice(2, 3),
    ops.inverted_residual(2, 2),
    ops.Sequential((ops.Relu(), ops.Relu())),
    ops.classifier(3, before=(ops.BatchNorm(), ops.Relu()), dropout=0.1),
]


def network_of(operation):
    """A network of one operation; only its tables matter here."""
    table = OperationTable()
    table.add("it", operation, IMAGE)
    return Network("one", None, IMAGE, 3, table, None)


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: f"{type(o).__name__}")
def test_value_and_gradients_are_equal(operation, channels_last):
    from torch_reference import SharedWeights, to_images

    network, random = network_of(operation), np.random.default_rng(0)
    shapes = jax.eval_shape(network.init, jax.random.key(0))
    params = jax.tree.map(lambda s: jnp.asarray(random.normal(size=s.shape)), shapes)
    images = random.normal(size=(3, *IMAGE))
    own = network.parameters(params, "it")
    expected, pullback = jax.jit(lambda p, x: jax.vjp(operation, p, x))(own, jnp.asarray(images))
    cotangent = random.normal(size=expected.shape)
    d_own, d_images = jax.jit(lambda f, g: f(g))(pullback, jnp.asarray(cotangent))

    weights = SharedWeights(network, params, channels_last=channels_last)
    tensor = to_images(images, channels_last=channels_last).requires_grad_()
    before = tensor.detach().clone()
    function = weights.functions.get("it", lambda x: x * 1)
    output = function(tensor)
    output.backward(torch.from_numpy(_to_channels_first(cotangent)))

    np.testing.assert_array_equal(tensor.detach(), before)  # Nothing changes its input in place.
    _assert_equal(output.detach(), _to_channels_first(expected))
    _assert_equal(tensor.grad, _to_channels_first(d_images))
    ours = jax.tree.map(lambda leaf: leaf[None], d_own)
    assert jax.tree.structure(weights.gradient()[0]) == jax.tree.structure(ours)
    for a, b in zip(jax.tree.leaves(weights.gradient()), jax.tree.leaves(ours), strict=True):
        _assert_equal(a, b)


def _to_channels_first(array):
    array = np.array(array)
    return np.ascontiguousarray(array.transpose(0, 3, 1, 2)) if array.ndim == 4 else array


def _assert_equal(ours, expected):
    np.testing.assert_allclose(ours, expected, rtol=1e-10, atol=1e-12)


def test_an_operation_without_a_form_is_named():
    from torch_reference.operations import function_of

    class Strange(Operation):
        pass

    with pytest.raises(TypeError, match="Strange has no PyTorch form"):
        function_of(Strange(), {})
