"""The compiled executor inside a user's transformations, and how often it is compiled."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, PartitionSpec

from jaxnas.supernets import chain, make_plan, ops
from jaxnas.supernets.executors import compiled, host
from jaxnas.supernets.executors.instructions import encode, encode_together

pytestmark = pytest.mark.usefixtures("exact")


@pytest.fixture(scope="module")
def network():
    operations = {
        "conv": lambda inputs, channels, stride: ops.relu_conv_bn(channels, 1),
        "relu": lambda inputs, channels, stride: ops.Relu(),
        "skip": lambda inputs, channels, stride: ops.Identity(),
    }
    image = {"image_shape": (2, 2, 1), "num_classes": 2}
    return chain(**image, layers=4, channels=2, operations=operations, reductions=())


@pytest.fixture(scope="module")
def params(network):
    return jax.tree.map(lambda leaf: leaf.astype(jnp.float64), network.init(jax.random.key(0)))


@pytest.fixture(scope="module")
def images():
    return jnp.asarray(np.random.default_rng(0).normal(size=(8, 2, 2, 1)))


def plans(network, count, children=6):
    sample = network.space.sample
    return [make_plan(network, sample(jax.random.key(i), children)) for i in range(count)]


def mean_square(logits):
    return (logits**2).mean()


def expected(plan, params, images):
    logits, pullback = host.vjp(plan, params, images)
    return mean_square(logits), pullback(jax.grad(mean_square)(logits))


def assert_close(ours, theirs):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12), ours, theirs)


def test_other_children_compile_nothing(network, params, images):
    first, *others = plans(network, 4)
    compiled.forward(first, params, images)
    compiled.vjp(first, params, images)[1](jnp.ones((6, 8, 2)))
    programs = (compiled._forward, compiled._run_keeping, compiled._pull_back)
    before = [program._cache_size() for program in programs]
    for plan in others:
        compiled.forward(plan, params, images)
        compiled.vjp(plan, params, images)[1](jnp.ones((6, 8, 2)))
    assert [program._cache_size() for program in programs] == before


def test_steps_of_training_in_one_scan_of_one_program(network, params, images):
    steps = plans(network, 3)

    @jax.jit
    def train(params, instructions):
        def step(params, instructions):
            loss = lambda p: mean_square(compiled.forward(instructions, p, images))  # noqa: E731
            value, gradient = jax.value_and_grad(loss)(params)
            return jax.tree.map(lambda p, g: p - 0.1 * g, params, gradient), value

        return jax.lax.scan(step, params, instructions)

    trained, values = train(params, encode_together(steps))
    losses = []
    for plan in steps:
        value, gradient = expected(plan, params, images)
        params = jax.tree.map(lambda p, g: p - 0.1 * g, params, gradient)
        losses.append(value)
    assert_close((trained, values), (params, jnp.stack(losses)))


def test_each_device_runs_its_own_children_under_shard_map(network, params, images):
    shards = plans(network, 2)
    mesh = Mesh(np.array(jax.devices()[:2]), ("child",))

    def shard(instructions, params):
        own = jax.tree.map(lambda leaf: leaf[0], instructions)
        loss = lambda p: mean_square(compiled.forward(own, p, images))  # noqa: E731
        value, gradient = jax.value_and_grad(loss)(params)
        return jax.lax.pmean((value, gradient), "child")

    child, everywhere = PartitionSpec("child"), PartitionSpec()
    specs = {"in_specs": (child, everywhere), "out_specs": everywhere, "check_vma": False}
    ours = jax.jit(jax.shard_map(shard, mesh=mesh, **specs))(encode_together(shards), params)
    theirs = [expected(plan, params, images) for plan in shards]
    assert_close(ours, jax.tree.map(lambda a, b: (a + b) / 2, *theirs))


def test_images_have_a_gradient_too(network, params, images):
    instructions = encode(plans(network, 1)[0])
    run = jax.jit(lambda x: mean_square(compiled.forward(instructions, params, x)))
    gradient, step = jax.grad(run)(images), 1e-6
    for pixel in [(0, 0, 0, 0), (3, 1, 0, 0)]:
        nudge = jnp.zeros_like(images).at[pixel].set(step)
        slope = (run(images + nudge) - run(images - nudge)) / (2 * step)
        np.testing.assert_allclose(gradient[pixel], slope, rtol=1e-5)
