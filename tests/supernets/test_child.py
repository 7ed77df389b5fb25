"""One child as a network of its own, and its size by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.spaces import SpaceError
from jaxnas.supernets import (
    Supernet,
    chain,
    child_network,
    count_flops,
    count_parameters,
    enas_macro,
    enas_micro,
    inherit,
    standalone,
)
from jaxnas.supernets.child import ARCHITECTURE

pytestmark = pytest.mark.usefixtures("exact")


@pytest.fixture(scope="module")
def micro(exact):
    network = enas_micro(image_shape=(4, 4, 1), num_classes=3, cells=2, nodes=2, channels=2)
    random = np.random.default_rng(0)
    shapes = jax.eval_shape(network.init, jax.random.key(0))
    params = jax.tree.map(lambda s: jnp.asarray(random.normal(size=s.shape)), shapes)
    architecture = np.array([0, 1, 0, 2, 1, 2, 3, 4] * 2)
    return network, params, architecture, jnp.asarray(random.normal(size=(4, 4, 4, 1)))


def test_a_child_with_inherited_parameters_gives_the_same_logits(micro):
    network, params, architecture, images = micro
    child = child_network(network, architecture)
    inherited = inherit(network, params, child)
    shapes = jax.eval_shape(child.init, jax.random.key(0))
    assert jax.tree.map(jnp.shape, inherited) == jax.tree.map(jnp.shape, shapes)
    among = Supernet(network).apply(params, [architecture], images)
    alone = Supernet(child).apply(inherited, ARCHITECTURE, images)
    np.testing.assert_array_equal(alone, among)
    assert child.count_parameters() == count_parameters(network, architecture)
    assert child.count_parameters() < network.count_parameters()


def test_moments_of_a_batch_reproduce_it_and_separate_its_images(micro):
    network, params, architecture, images = micro
    child = child_network(network, architecture)
    inherited = inherit(network, params, child)
    choices = child.space.choices(ARCHITECTURE[0])
    moments = standalone.measure_moments(child, inherited, choices, images)
    logits = standalone.forward(child, inherited, choices, images)
    again = standalone.forward(child, inherited, choices, images, moments=moments)
    np.testing.assert_allclose(again, logits, rtol=1e-8, atol=1e-9)
    one = standalone.forward(child, inherited, choices, images[:1], moments=moments)
    np.testing.assert_allclose(one, logits[:1], rtol=1e-8, atol=1e-9)


def test_size_of_a_chain_child():
    network = chain(image_shape=(8, 8, 1), num_classes=10, layers=3, channels=4, reductions=(1,))
    conv_3x3, separable_5x5, skip = 0, 2, 4
    child = [conv_3x3, separable_5x5, skip]
    # Stem: 3 x 3 x 1 x 4 weights and 2 x 4 of its normalisation. Layer 0: 3 x 3 x 4 x 4 and 8.
    # Layer 1, to 8 channels: 5 x 5 x 4, 2 x 4, 4 x 8, 2 x 8. Layer 2: nothing.
    # Classifier: 8 x 10 and 10.
    weights = (36 + 8) + (144 + 8) + (100 + 8 + 32 + 16) + (80 + 10)
    assert count_parameters(network, child) == weights
    # The stem and layer 0 at 64 pixels, layer 1 at 16.
    macs = 64 * 36 + 64 * 144 + 16 * (100 + 32) + 80
    assert count_flops(network, child) == 2 * macs


def test_size_of_an_enas_macro_child():
    network = enas_macro(image_shape=(8, 8, 1), num_classes=10, layers=3, channels=4)
    conv_3x3, separable_5x5, max_pool, no, yes = 0, 3, 5, 0, 1
    child = [conv_3x3, separable_5x5, yes, max_pool, no, no]
    norm, point = 2 * 4, 4 * 4
    # Reductions follow layers 0 and 1 and halve the outputs that are read later: the stem and
    # layer 0 after layer 0, and layer 1 after layer 1.
    stem, classifier = 3 * 3 * 4 + norm, 4 * 10 + 10
    layer_0 = point + norm + 3 * 3 * 4 * 4 + norm
    layer_1 = point + norm + 5 * 5 * 4 + point + norm + norm
    layer_2 = point + norm + norm
    reductions = 3 * (point + norm)
    weights = stem + layer_0 + layer_1 + layer_2 + reductions + classifier
    assert count_parameters(network, child) == weights
    macs = 64 * (36 + 16 + 144) + 16 * (16 + 100 + 16) + 4 * 16 + 40
    macs += 2 * 16 * point + 4 * point
    assert count_flops(network, child) == 2 * macs


def test_a_child_of_another_space_is_refused():
    network = chain(image_shape=(8, 8, 1), num_classes=10, layers=3, channels=4)
    with pytest.raises(SpaceError, match="shape"):
        child_network(network, [0, 1])
