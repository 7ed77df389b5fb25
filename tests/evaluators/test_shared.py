"""Children evaluated with shared weights, against stand-alone children."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_engine import standardised, tiny_data, tiny_network

from jaxnas.evaluators import shared
from jaxnas.supernets import Supernet, standalone

pytestmark = pytest.mark.usefixtures("quick_compilation")

CHILDREN = np.array([[0, 0], [0, 1], [1, 0], [1, 1], [0, 1]])


@pytest.fixture(scope="module")
def parts():
    network, split = tiny_network(), tiny_data(validation=11).validation
    params = network.init(jax.random.key(3))
    return network, params, standardised(split.images), split.labels


def by_hand(network, params, images, labels):
    logits = np.asarray(standalone.forward_all(network, params, CHILDREN, images))
    return (logits.argmax(-1) == np.asarray(labels)).mean(-1)


def test_rewards_are_validation_accuracies(parts):
    network, params, images, labels = parts
    rewards = shared(Supernet(network), params, images, labels)(CHILDREN)
    assert rewards.dtype == jnp.float32
    np.testing.assert_allclose(rewards, by_hand(*parts), rtol=1e-6)


def test_full_batches_count_alike_and_the_rest_is_left_out(parts):
    network, params, images, labels = parts
    evaluate = shared(Supernet(network), params, images, labels, batch_size=4)
    batches = [(images[i : i + 4], labels[i : i + 4]) for i in (0, 4)]
    expected = np.mean([by_hand(network, params, *batch) for batch in batches], axis=0)
    np.testing.assert_allclose(evaluate(CHILDREN), expected, rtol=1e-6)


def test_chunks_change_nothing(parts):
    network, params, images, labels = parts
    whole, chunks = (
        shared(Supernet(network), params, images, labels, batch_size=4, chunk=chunk)(CHILDREN)
        for chunk in (64, 2)
    )
    np.testing.assert_array_equal(whole, chunks)


def test_a_users_objective(parts):
    network, params, images, labels = parts
    evaluate = shared(
        Supernet(network), params, images, labels, objective=lambda logits, _: logits[:, 0, 0]
    )
    expected = standalone.forward_all(network, params, CHILDREN, images)[:, 0, 0]
    np.testing.assert_allclose(evaluate(CHILDREN), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("batch_size", [12, 0, -1])
def test_batch_that_the_images_do_not_fill(parts, batch_size):
    network, params, images, labels = parts
    with pytest.raises(ValueError, match=f"'batch_size' is {batch_size} for 11 images"):
        shared(Supernet(network), params, images, labels, batch_size=batch_size)
    with pytest.raises(ValueError, match="'chunk' is 0"):
        shared(Supernet(network), params, images, labels, chunk=0)
