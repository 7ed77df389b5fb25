"""The auxiliary classifier of ENAS's final network: what it computes, and how it trains."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.config import Augmentation, OptimizerConfig, TrainConfig
from jaxnas.data import load
from jaxnas.engine import device_data
from jaxnas.objectives import cross_entropy
from jaxnas.supernets import (
    chain,
    child_network,
    children_network,
    enas_micro_final,
    standalone,
)
from jaxnas.supernets.ops import auxiliary_classifier
from jaxnas.supernets.ops.auxiliary import WidePool
from jaxnas.training import Trainer

pytestmark = pytest.mark.usefixtures("quick_compilation")

CHILD = np.array([0, 1, 4, 2] * 2)


@pytest.fixture(scope="module")
def network():
    return enas_micro_final(image_shape=(8, 8, 1), num_classes=10, cells=2, nodes=1, channels=2)


def test_the_head_of_the_authors_code_has_its_size():
    # On the 8 x 8 images of 144 channels of the published network, from 3 loose nodes, say.
    head = auxiliary_classifier(10)
    params = head.init(jax.random.key(0), (8, 8, 144))
    found = sum(leaf.size for leaf in jax.tree.leaves(params))
    assert found == 144 * 128 + 2 * 128 + 2 * 2 * 128 * 768 + 2 * 768 + 768 * 10 + 10


def test_wide_pooling_is_the_mean_of_windows():
    x = np.random.default_rng(0).normal(size=(2, 8, 11, 3)).astype(np.float32)
    expected = [
        [x[:, 3 * i : 3 * i + 5, 3 * j : 3 * j + 5].mean((1, 2)) for j in range(3)]
        for i in range(2)
    ]
    np.testing.assert_allclose(
        WidePool()({}, x), np.stack(expected).transpose(2, 0, 1, 3), atol=1e-6
    )
    np.testing.assert_allclose(
        WidePool()({}, x[:, :2, :2]), x[:, :2, :2].mean((1, 2), keepdims=True), atol=1e-6
    )


def test_a_child_of_its_own_has_no_auxiliary_classifier(network):
    assert not any("auxiliary" in key for key in child_network(network, CHILD).operations)
    both = children_network(network, [CHILD], auxiliary=True)
    extra = set(both.operations) - set(child_network(network, CHILD).operations)
    assert extra == {"auxiliary_1"}


def test_networks_without_one_say_so():
    plain = chain(image_shape=(8, 8, 1), num_classes=10, layers=1, channels=2)
    with pytest.raises(ValueError, match="has no auxiliary classifier"):
        children_network(plain, [[0]], auxiliary=True)


@pytest.mark.slow
def test_a_step_follows_the_weighted_sum_of_both_losses(network):
    both = children_network(network, [CHILD], auxiliary=True)
    data = device_data(load("digits").take(8, 8, 8))
    rate = OptimizerConfig(learning_rate=0.1, momentum=0.0, weight_decay=0.0, clip=0.0)
    plain = Augmentation(pad=0, flip=False)
    recipe = TrainConfig(
        epochs=1, batch_size=8, optimizer=rate, augmentation=plain, auxiliary_weight=0.4
    )
    params = both.init(jax.random.key(0))
    trained = Trainer(both, recipe, 8).train(jax.random.key(1), data, [0], params, auxiliary=[1])
    images = (data.train.images.astype(jnp.float32) / 255 - data.mean) / data.std

    def loss(params):
        logits = standalone.forward_all(both, params, [[1]], images)
        return 0.4 * cross_entropy(logits, data.train.labels)

    # The head's own weights see its loss alone; one batch holds all images, in another order.
    gradient = jax.jit(jax.grad(loss))(params)
    step = jax.tree.map(
        lambda new, old: (old - new) / 0.1,
        both.parameters(trained.params, "auxiliary_1"),
        both.parameters(params, "auxiliary_1"),
    )
    expected = both.parameters(gradient, "auxiliary_1")
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5), step, expected)
    # Inference does without it.
    assert trained.moments
    assert "auxiliary_1" not in trained.moments
