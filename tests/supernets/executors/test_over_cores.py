"""A batch over cores: the same numbers as one call, one part for each core, once compiled."""

import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.supernets.executors import over_cores as module
from jaxnas.supernets.executors import side_by_side
from jaxnas.supernets.executors.over_cores import over_cores


def product(weights, images, offsets):
    return {"sum": jnp.tanh(images @ weights) + offsets[:, None], "first": images[:, 0]}


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr(side_by_side, "cores", lambda: 2)


def inputs(size):
    images = np.random.default_rng(0).normal(size=(size, 3)).astype(np.float32)
    return jnp.eye(3, 2), jnp.asarray(images), np.arange(size, dtype=np.float32)


@pytest.mark.parametrize("size", [0, 1, 3, 4])
def test_results_are_those_of_one_call(two_cores, size):
    given = inputs(size)
    found, expected = over_cores(product)(*given), product(*given)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-6)


def test_each_core_gets_a_part_and_the_program_is_compiled_once(two_cores, monkeypatch):
    shapes, threads = [], set()

    def counted(weights, images, offsets):
        shapes.append(images.shape)
        return product(weights, images, offsets)

    run = side_by_side.run

    def watched(reads, work, count):
        threads.add(count)
        run(reads, work, count)

    monkeypatch.setattr(module.side_by_side, "run", watched)
    call = over_cores(counted)
    call(*inputs(4))
    call(*inputs(4))
    assert shapes == [(2, 3)]
    assert threads == {2}


def test_parts_run_at_once_when_their_program_is_there(two_cores):
    barrier = threading.Barrier(2)

    def meet(weights, images):
        meeting = jax.ShapeDtypeStruct((), jnp.float32)
        waited = jax.pure_callback(lambda: np.float32(barrier.wait(60) * 0), meeting)
        return images * weights + waited

    call = over_cores(meet)
    with WithoutWaiting(barrier):
        call(2.0, jnp.ones(4))
    np.testing.assert_array_equal(call(2.0, jnp.ones(4)), 2 * np.ones(4))


class WithoutWaiting:
    """The first call compiles, part after part: nobody would come to the barrier."""

    def __init__(self, barrier):
        self.barrier, self.wait = barrier, barrier.wait

    def __enter__(self):
        self.barrier.wait = lambda timeout=None: 0

    def __exit__(self, *error):
        self.barrier.wait = self.wait


def test_it_stands_inside_a_transformation(two_cores):
    call = over_cores(lambda weights, images: weights * images)
    gradient = jax.grad(lambda weights: call(weights, jnp.arange(4.0)).sum())(2.0)
    assert float(gradient) == 6.0
