"""Several architectures for every image: the logits of each alone, and nothing computed twice."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxnas.supernets import Supernet, average_moments, make_routing, mobilenet
from jaxnas.supernets.executors import routed
from jaxnas.supernets.executors.routed_chunks import heavy_chunk
from jaxnas.supernets.executors.routed_sharing import forward, share
from jaxnas.supernets.routing import Routing

pytestmark = pytest.mark.usefixtures("quick_compilation")

MODULES = ("inverted_residual_3x3_3", "basic_block")
COUNT, IMAGES = 3, 4


class Case:
    """Three blocks of two modules, images, and moments of every operation."""

    def __init__(self):
        stages = ((4, 1, 2), (4, 1, 1), (6, 1, 1))
        self.network = mobilenet(
            image_shape=(4, 4, 1), num_classes=3, stages=stages, stem=4, head=8, modules=MODULES
        )
        self.length = len(self.network.space.decisions)
        supernet, keys = Supernet(self.network), jax.random.split(jax.random.key(0))
        self.params = supernet.init(keys[0])
        self.images = jax.random.normal(keys[1], (IMAGES, 4, 4, 1))
        every = np.ones((IMAGES, self.length), np.int32)
        found = supernet.measure_moments_each(self.params, every, self.images)
        self.moments = average_moments([found])

    def alone(self, architectures):
        """The logits under one architecture for each image, driven from Python."""
        routing = make_routing(self.network, architectures)
        return routed.forward(routing, self.params, self.images, statistics=self.moments)


@pytest.fixture(scope="module")
def case():
    return Case()


def drawn(case, seed):
    return np.random.default_rng(seed).integers(0, 2, (COUNT, IMAGES, case.length), np.int32)


def related(case, alike):
    """Of each image's architectures, the second agrees with the first up to some block."""
    rows = drawn(case, 1)
    for image, length in enumerate(alike):
        rows[1, image, :length] = rows[0, image, :length]
    rows[2] = rows[0]
    return rows


@pytest.mark.parametrize("alike", [(0, 0, 0, 0), (2, 4, 6, 3), (6, 6, 6, 6)])
def test_logits_are_those_of_each_architecture_alone(case, alike):
    rows = related(case, alike)
    found = forward(case.network, case.params, rows, case.images, case.moments)
    expected = [case.alone(each) for each in rows]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_one_architecture_for_each_image_is_all_that_is_needed(case):
    rows = drawn(case, 2)[:1]
    found = forward(case.network, case.params, rows, case.images, case.moments)
    np.testing.assert_allclose(found[0], case.alone(rows[0]), rtol=1e-5, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
def test_what_architectures_have_in_common_is_computed_once(case, seed, same):
    rows = drawn(case, seed)
    rows[1, :, : 2 * same] = rows[0, :, : 2 * same]
    legs = make_routing(case.network, rows.reshape(-1, case.length)).legs
    shared, last = share(legs, COUNT)
    prefixes = {}
    for position, (leg, before) in enumerate(zip(shared, legs, strict=True)):
        for row in range(COUNT * IMAGES):
            steps = tuple(tuple(each.taken[row]) for each in legs[: position + 1])
            first = prefixes.setdefault((row % IMAGES, steps), row)
            expected = before.taken[row] if first == row else np.zeros_like(before.taken[row])
            np.testing.assert_array_equal(leg.taken[row], expected)
            if position + 1 < len(legs):
                assert shared[position + 1].origins[row] == first
            else:
                assert last[row] == first
    np.testing.assert_array_equal(shared[0].origins, np.arange(COUNT * IMAGES) % IMAGES)


def test_shared_rows_have_neither_a_gradient_nor_the_statistics_of_a_batch(case):
    legs, _ = share(make_routing(case.network, drawn(case, 3).reshape(-1, case.length)).legs, COUNT)
    routing = Routing(case.network, legs)
    with pytest.raises(ValueError, match="only forward"):
        routed.forward(routing, case.params, case.images, statistics="batch")
    with pytest.raises(ValueError, match="only forward"):
        routed.vjp(routing, case.params, case.images, statistics=case.moments)


def test_heavy_operations_take_several_images_at_once():
    light, heavy = ({"weights": jnp.zeros((2, size))} for size in (100, 3 * 2**17))
    assert heavy_chunk(1, light, 64) == 1
    assert heavy_chunk(1, heavy, 64) == 8
    assert [heavy_chunk(1, heavy, total) for total in (1, 4, 16)] == [1, 1, 4]
    assert heavy_chunk(32, heavy, 64) == 32


def test_moments_that_miss_an_operation_are_named(case):
    moments = {k: v for k, v in case.moments.items() if k != "stem"}
    with pytest.raises(ValueError, match="'stem'"):
        forward(case.network, case.params, drawn(case, 4), case.images, moments)


def test_architectures_for_other_images_are_refused(case):
    with pytest.raises(ValueError, match="architectures for 4 images, and 3 images"):
        forward(case.network, case.params, drawn(case, 4), case.images[:3], case.moments)
