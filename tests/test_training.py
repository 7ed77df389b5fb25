"""Training one child: what it learns, what it measures, and what it leaves alone."""

import math

import jax
import numpy as np
import pytest
from tiny_engine import PLAIN, standardised, tiny_data, tiny_network

from jaxnas.config import Augmentation, OptimizerConfig, TrainConfig
from jaxnas.data import DataError, load
from jaxnas.data.batches import batch_indices
from jaxnas.engine import device_data
from jaxnas.runtime import digest
from jaxnas.supernets import chain, child_network, children_network, inherit, ops, standalone
from jaxnas.training import Trainer

pytestmark = pytest.mark.usefixtures("quick_compilation")

KEY = jax.random.key(4)
FAST = OptimizerConfig(learning_rate=0.05, final_learning_rate=0.001)


def recipe(**options):
    given = {"epochs": 2, "batch_size": 4, "optimizer": FAST, "augmentation": PLAIN}
    return TrainConfig(**(given | options))


def trainer(network=None, size=12, **options):
    return Trainer(tiny_network() if network is None else network, recipe(**options), size)


@pytest.mark.slow
def test_a_child_learns_64_digits_by_heart():
    dataset = load("digits").take(train=64)
    operations = {"conv": lambda inputs, channels, stride: ops.conv_bn_relu(channels, 3, stride)}
    network = chain(
        image_shape=(8, 8, 1), num_classes=10, layers=2, channels=8, operations=operations
    )
    data, seen = device_data(dataset), []
    learner = trainer(network, 64, epochs=50, batch_size=16)
    trained = learner.train(KEY, data, [0, 0], report=seen.append)
    assert learner.accuracy(trained, data.train, data, [0, 0]) == 1.0
    assert learner.accuracy(trained, data.validation, data, [0, 0]) > 0.5
    assert not trained.diverged
    assert [line["epoch"] for line in seen] == list(range(50))
    assert seen[-1]["loss"] < 0.2 * seen[0]["loss"]
    assert seen[-1]["train_accuracy"] > seen[0]["train_accuracy"]


def test_training_is_a_function_of_its_key():
    data, learner = tiny_data(), trainer(augmentation=Augmentation(pad=1))
    first, second, other = (
        digest(learner.train(jax.random.key(seed), data, [0, 1])) for seed in (0, 0, 1)
    )
    assert first == second != other


def test_drop_path_and_label_smoothing_change_the_loss():
    data, losses = tiny_data(), []
    for options in ({}, {"drop_path": 0.5}, {"label_smoothing": 0.3}):
        lines = []
        learner = trainer(epochs=1, **options)
        trained = learner.train(KEY, data, [0, 0], report=lines.append)
        assert not trained.diverged
        losses.append(lines[0]["loss"])
    assert len(set(losses)) == 3
    assert np.isfinite(losses).all()


@pytest.mark.parametrize("batches", [1, 4])
def test_divergence_is_reported_and_never_raised(batches):
    wild = OptimizerConfig(learning_rate=1e38, final_learning_rate=1e38, clip=0)
    data = tiny_data(train=4 * batches)
    learner = trainer(size=4 * batches, optimizer=wild, epochs=1, recalibration_batches=1)
    trained = learner.train(KEY, data, [0, 0])
    # With one step only, the loss before it was still good: the logits tell.
    assert trained.diverged is (batches > 1)
    assert math.isnan(learner.accuracy(trained, data.validation, data, [0, 0]))


def by_hand(network, params, architecture, images):
    """The moments of the child alone on one batch."""
    choices = network.space.choices(architecture)
    return standalone.measure_moments(network, params, choices, images)


def test_moments_are_means_over_training_batches():
    data, learner = tiny_data(), trainer(recalibration_batches=2)
    trained = learner.train(KEY, data, [0, 1])
    # The key is split once, for the initial weights; no batch is augmented.
    order = jax.random.split(KEY)[1]
    images = [
        standardised(data.train.images[batch_indices(order, step, 12, 4)]) for step in range(2)
    ]
    each = [by_hand(learner.network, trained.params, [0, 1], batch) for batch in images]
    assert {"stem", "layer_0/conv"} <= each[0].keys()
    for key, moments in each[0].items():
        for path, leaf in jax.tree_util.tree_leaves_with_path(moments):
            other = dict(jax.tree_util.tree_leaves_with_path(each[1][key]))[path]
            got = dict(jax.tree_util.tree_leaves_with_path(trained.moments[key]))[path]
            np.testing.assert_allclose(got, (leaf + other) / 2, rtol=1e-4, atol=1e-6)


def test_accuracy_counts_every_image_once():
    data, learner = tiny_data(validation=11), trainer(epochs=1)
    trained = learner.train(KEY, data, [0, 0])
    network = learner.network
    logits = standalone.forward(
        network,
        trained.params,
        network.space.choices([0, 0]),
        standardised(data.validation.images),
        moments=trained.moments,
    )
    hits = np.asarray(logits).argmax(-1) == np.asarray(data.validation.labels)
    expected = float(hits.mean())
    for batch_size in (4, 11, 256):
        got = learner.accuracy(trained, data.validation, data, [0, 0], batch_size)
        assert got == pytest.approx(expected, abs=1e-12)


def test_a_child_among_others_is_trained_as_it_is_alone():
    network, data = tiny_network(), tiny_data()
    several = children_network(network, [[0, 1], [1, 0], [0, 0]])
    alone = child_network(network, [1, 0])
    shared = network.init(jax.random.key(7))
    among, single = (
        trainer(net).train(KEY, data, [number], inherit(network, shared, net))
        for net, number in ((several, 1), (alone, 0))
    )
    own = inherit(several, among.params, alone)
    for got, wanted in zip(jax.tree.leaves(own), jax.tree.leaves(single.params), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-6)
    # The operation that only other children use has decayed, but got no gradient.
    before = inherit(network, shared, several)
    for old, new in zip(
        jax.tree.leaves(several.parameters(before, "layer_0/conv")),
        jax.tree.leaves(several.parameters(among.params, "layer_0/conv")),
        strict=True,
    ):
        np.testing.assert_allclose(old, new, rtol=1e-3, atol=1e-6)


def test_inherited_weights_are_where_training_starts():
    network, data = tiny_network(), tiny_data()
    params = network.init(jax.random.key(7))
    still = OptimizerConfig(learning_rate=1e-30, final_learning_rate=0, weight_decay=0)
    trained = trainer(network, optimizer=still).train(KEY, data, [0, 0], params)
    for got, wanted in zip(jax.tree.leaves(trained.params), jax.tree.leaves(params), strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-20)


def test_a_batch_larger_than_the_split():
    with pytest.raises(DataError, match=r"train\.batch_size is 13, but the train split has 12"):
        trainer(batch_size=13)
