"""What an instance policy is compared with."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from tiny_instance import two_blocks

from jaxnas.engine import DeviceData, Split
from jaxnas.instance.arms import best_static
from jaxnas.instance.engine import InstanceEngine
from jaxnas.instance.evaluation import evaluate
from jaxnas.objectives import LatencyTable, WindowSchedule
from jaxnas.policies.controllers import large_kernels
from jaxnas.policies.instance import InstancePolicy
from jaxnas.supernets import Supernet

pytestmark = pytest.mark.usefixtures("quick_compilation")

SHAPE, COST, IMAGES = (4, 4, 1), 0.1, 12


@pytest.fixture(scope="module")
def engine(quick_compilation):
    network = two_blocks(SHAPE, head=8)
    table = LatencyTable(network.name, "seconds", dict.fromkeys(network.operations, COST))
    policy = InstancePolicy(network.space, SHAPE, large_kernels(4, (4,), 3))
    window = WindowSchedule(lower=-1.0, start=1.0, end=1.0)
    return InstanceEngine(Supernet(network), policy, table, window, optax.sgd(0.1))


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    images = jnp.asarray(random.integers(0, 256, (IMAGES, *SHAPE)), jnp.uint8)
    split = Split(images, jnp.asarray(random.integers(0, 2, IMAGES)))
    return DeviceData(split, split, jnp.array([0.5]), jnp.array([0.25]))


@pytest.fixture(scope="module")
def state(engine, data):
    images = (data.train.images / 255 - 0.5) / 0.25
    return engine.init(jax.random.key(0), images)


def search(engine, state, data, architectures, most):
    given = engine, state, data.validation, data, IMAGES
    options = {"key": jax.random.key(1), "finalists": 16}
    return best_static(*given, architectures=architectures, most=most, **options)


@pytest.mark.parametrize("modules", [1, 2])
def test_the_best_static_architecture_is_that_of_all_within_the_latency(
    engine, state, data, modules
):
    every = np.array(list(itertools.product((0, 1), repeat=4)), np.int32)
    # Bits of one half each: all sixteen are drawn. Stem and classifier cost two more.
    found, evaluation = search(engine, state, data, every, COST * (modules + 2))
    accuracies = {
        tuple(row): evaluate(
            engine, state, data.validation, data, IMAGES, np.tile(row, (IMAGES, 1))
        ).accuracy
        for row in every
        if row.sum() <= modules
    }
    assert accuracies[tuple(found)] == max(accuracies.values()) == evaluation.accuracy
    assert found.sum() <= modules


def test_one_architecture_for_all_images_is_within_its_own_mean_latency(engine, state, data):
    rows = np.tile(np.array([1, 0, 0, 1], np.int32), (IMAGES, 1))
    mean = np.nextafter(np.float32(4 * COST), np.float32(0))
    found, _ = search(engine, state, data, rows, float(mean))
    np.testing.assert_array_equal(found, rows[0])


def test_a_latency_that_none_meets_is_refused(engine, state, data):
    with pytest.raises(ValueError, match=r"no candidate costs at most 0\.1 seconds"):
        search(engine, state, data, np.ones((IMAGES, 4), np.int32), COST)
