"""A trained child as a Flax module, and as StableHLO."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from tiny_engine import PLAIN, standardised, tiny_data, tiny_network

from jaxnas.config import TrainConfig
from jaxnas.export import ChildModule, stablehlo
from jaxnas.supernets import chain, child_network, enas_micro, inherit, make_plan, ops, standalone
from jaxnas.supernets.executors import host
from jaxnas.training import Trainer

pytestmark = pytest.mark.usefixtures("quick_compilation")


def child_of(network, architecture, data, mean=(0.5,), std=(0.3,)):
    """A trained child, and what its trainer's evaluation computes for the validation images."""
    own = child_network(network, architecture)
    recipe = TrainConfig(epochs=1, batch_size=4, augmentation=PLAIN)
    learner = Trainer(own, recipe, len(data.train.labels))
    trained = learner.train(jax.random.key(0), data, [0])
    plan = make_plan(own, [[0]])
    images = standardised(data.validation.images)
    logits = host.forward(plan, trained.params, images, moments=trained.moments)[0]
    module = ChildModule(own, trained.params, trained.moments, np.array(mean), np.array(std))
    return module, trained, logits


@pytest.fixture(scope="module")
def data():
    return tiny_data()


@pytest.fixture(scope="module")
def exported(data):
    return child_of(tiny_network(dropout=0.2), [0, 1], data)


def test_module_gives_the_logits_of_the_trainers_evaluation(exported, data):
    module, _, logits = exported
    images = data.validation.images
    np.testing.assert_allclose(module(images), logits, rtol=1e-4, atol=1e-5)
    scaled = images.astype(jnp.float32) / 255
    np.testing.assert_allclose(module(scaled), logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(4, 4, 1), (2, 4, 4, 3), (2, 5, 4, 1)])
def test_images_of_another_shape_are_named(exported, shape):
    # Those of three colours would otherwise be standardised by one mean, and go through.
    with pytest.raises(ValueError, match=r"images have shape .*; this child takes \[B, 4, 4, 1\]"):
        exported[0](jnp.zeros(shape))


@pytest.mark.slow
def test_a_searched_cell_with_pools_and_sums(data):
    network = enas_micro(image_shape=(4, 4, 1), num_classes=3, cells=2, nodes=1, channels=2)
    own = child_network(network, network.space.sample(jax.random.key(3), 1)[0])
    params, plan = own.init(jax.random.key(1)), make_plan(own, [[0]])
    images = standardised(data.validation.images)
    moments = host.measure_moments(plan, params, images)
    module = ChildModule(own, params, moments, np.array([0.5]), np.array([0.3]))
    logits = host.forward(plan, params, images, moments=moments)[0]
    np.testing.assert_allclose(module(data.validation.images), logits, rtol=1e-4, atol=1e-5)


def test_batch_statistics_are_those_of_training(exported, data):
    module, trained, _ = exported
    network = module.child
    expected = standalone.forward(
        network, trained.params, network.space.choices([0]), standardised(data.validation.images)
    )
    got = module(data.validation.images, use_batch_statistics=True)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
    assert not np.allclose(got, module(data.validation.images), rtol=1e-3)


def test_weights_are_params_and_moments_are_statistics(exported):
    module, trained, _ = exported
    weights = jax.tree.leaves(nnx.state(module, nnx.Param))
    assert sum(leaf.size for leaf in weights) == module.child.count_parameters()
    moments = jax.tree.leaves(nnx.state(module, nnx.BatchStat))
    # The mean and the deviation of the images besides.
    assert len(moments) == len(jax.tree.leaves(trained.moments)) + 2
    assert hasattr(module.weights, "stem__0__weights")


def test_split_merge_and_jit(exported, data):
    module, _, logits = exported
    graph, state = nnx.split(module)
    np.testing.assert_array_equal(
        nnx.merge(graph, state)(data.validation.images), module(data.validation.images)
    )
    jitted = nnx.jit(lambda m, x: m(x))(module, data.validation.images)
    np.testing.assert_allclose(jitted, logits, rtol=1e-4, atol=1e-5)
    assert hash(graph) == hash(nnx.split(module)[0])


@pytest.mark.slow
def test_a_flax_user_trains_it_on(data):
    module, _, _ = child_of(tiny_network(), [0, 0], data)
    labels = data.train.labels

    def loss(m):
        logits = m(data.train.images, use_batch_statistics=True)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    gradient = nnx.grad(loss)(module)
    graph, params, rest = nnx.split(module, nnx.Param, ...)
    assert jax.tree.structure(jax.tree.leaves(gradient)) == jax.tree.structure(
        jax.tree.leaves(params)
    )
    stepped = jax.tree.map(lambda w, g: w - 0.01 * g, params, gradient)
    assert float(loss(nnx.merge(graph, stepped, rest))) < float(loss(module))


class Pair(ops.Operation):
    """A user's operation whose parameters are a tuple, not a dictionary."""

    def init(self, key, shape):
        return (jnp.ones(shape[-1:]), jnp.full(shape[-1:], 0.5))

    def apply(self, params, x, *, context):
        return params[0] * x + params[1]

    def output_shape(self, shape):
        return shape


def test_parameters_of_any_structure(data):
    operations = {"pair": lambda inputs, channels, stride: Pair()}
    network = chain(
        image_shape=(4, 4, 1),
        num_classes=3,
        layers=1,
        channels=2,
        operations=operations,
        reductions=(),
    )
    module, _, logits = child_of(network, [0], data)
    np.testing.assert_allclose(module(data.validation.images), logits, rtol=1e-4, atol=1e-5)


def test_inherited_weights_travel(data):
    network = tiny_network()
    params = network.init(jax.random.key(1))
    own = child_network(network, [1, 0])
    record = standalone.measure_moments(
        network, params, network.space.choices([1, 0]), standardised(data.train.images)
    )
    module = ChildModule(
        own, inherit(network, params, own), record, np.array([0.5]), np.array([0.3])
    )
    expected = standalone.forward(
        network,
        params,
        network.space.choices([1, 0]),
        standardised(data.validation.images),
        moments=record,
    )
    np.testing.assert_allclose(module(data.validation.images), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.extra
def test_stablehlo_round_trip(exported, data):
    pytest.importorskip("flatbuffers")
    from jax import export

    module, _, logits = exported
    loaded = export.deserialize(stablehlo(module, (4, 4, 1)))
    assert loaded.platforms == ("cpu", "cuda", "tpu")
    images = np.asarray(data.validation.images, np.float32) / 255
    np.testing.assert_allclose(loaded.call(images), logits, rtol=1e-4, atol=1e-5)
    # Any batch size.
    np.testing.assert_allclose(loaded.call(images[:3]), logits[:3], rtol=1e-4, atol=1e-5)


def test_stablehlo_without_the_extra(exported, monkeypatch):
    monkeypatch.setitem(sys.modules, "flatbuffers", None)
    with pytest.raises(ImportError, match=r"pip install 'jaxnas\[export\]'"):
        stablehlo(exported[0], (4, 4, 1))
