"""Supernets under a user's optimiser: bad input, and how often programs are compiled."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnas.supernets import Noise, Supernet, chain, nasbench201, ops
from jaxnas.supernets.executors import programs
from jaxnas.supernets.executors.instructions import encode


@pytest.fixture(scope="module")
def supernet():
    operations = {
        "conv": lambda inputs, channels, stride: ops.relu_conv_bn(channels, 1, stride),
        "wide": lambda inputs, channels, stride: ops.relu_conv_bn(channels, 3, stride),
        "skip": lambda inputs, channels, stride: ops.Identity(),
    }
    network = chain(
        image_shape=(4, 4, 1),
        num_classes=2,
        layers=4,
        channels=2,
        operations=operations,
        reductions=(),
    )
    return Supernet(network)


def cross_entropy(logits, labels):
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, labels[None]).mean()
    return loss, (logits.argmax(-1) == labels).mean(1)


def times_compiled(program):
    return program.on_all_cores._cache_size() + program.on_one_core._cache_size()


@pytest.mark.slow
def test_programs_are_compiled_once_per_signature_whatever_the_children(supernet):
    params = supernet.init(jax.random.key(0))
    # A batch size of its own: programs that other tests have compiled would not count.
    images, labels = jnp.ones((7, 4, 4, 1)), jnp.array([0, 1, 0, 1, 0, 1, 0])
    gradient = supernet.value_and_grad(cross_entropy)
    compiled = (programs.apply, programs.apply_vjp, programs.pull, programs.add)
    before = [times_compiled(p) for p in compiled]
    counts = []
    for seed in range(4):
        architectures = supernet.network.space.sample(jax.random.key(seed), 9)
        supernet.apply(params, architectures, images)
        gradient(params, architectures, images, labels)
        counts.append([times_compiled(p) - b for p, b in zip(compiled, before, strict=True)])
    # Four signatures are applied: stem, two convolutions, classifier.
    assert counts[-1][:3] == [4, 4, 4]
    # Cotangents of layer outputs are summed two to eight at a time.
    assert counts[-1][3] <= 7
    before = [times_compiled(p) for p in compiled[:3]]
    for step in range(3):
        noise = Noise(jax.random.key(step), jnp.float32(0.1 * step))
        architectures = supernet.network.space.sample(jax.random.key(step), 9)
        gradient(params, architectures, images, labels, noise=noise)
    # Drop path on the two convolutions is one more program each.
    assert times_compiled(programs.apply_vjp) - before[1] == 2


def test_training_with_optax_lowers_the_loss(supernet):
    params = supernet.init(jax.random.key(0))
    images = jnp.asarray(np.random.default_rng(0).normal(size=(16, 4, 4, 1)), jnp.float32)
    labels = (images[:, 0, 0, 0] > 0).astype(jnp.int32)
    architectures = supernet.network.space.sample(jax.random.key(1), 3)
    optimiser = optax.adam(0.03)
    gradient, state = supernet.value_and_grad(cross_entropy), optimiser.init(params)
    losses = []
    for _ in range(20):
        (loss, accuracy), grads = gradient(params, architectures, images, labels)
        updates, state = optimiser.update(grads, state)
        params = optax.apply_updates(params, updates)
        losses.append(float(loss))
    assert accuracy.shape == (3,)
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.slow
def test_init_is_the_same_under_a_transformation_up_to_rounding(supernet):
    eager = supernet.init(jax.random.key(3))
    jitted = jax.jit(supernet.init)(jax.random.key(3))
    for a, b in zip(jax.tree.leaves(eager), jax.tree.leaves(jitted), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    several = jax.vmap(supernet.init)(jax.random.split(jax.random.key(0), 2))
    assert all(leaf.shape[0] == 2 for leaf in jax.tree.leaves(several))


def test_rows_of_a_stack_are_drawn_independently(supernet):
    params = supernet.init(jax.random.key(0))
    first = supernet.network.parameters(params, "layer_0/wide")["1"]["weights"]
    second = supernet.network.parameters(params, "layer_1/wide")["1"]["weights"]
    assert first.shape == (3, 3, 2, 2)
    assert not np.allclose(first, second)


def test_an_unknown_executor_is_named(supernet):
    with pytest.raises(ValueError, match="executor 'gpu' is not one of"):
        Supernet(supernet.network, executor="gpu")


def test_images_of_another_shape_are_refused(supernet):
    params = supernet.init(jax.random.key(0))
    with pytest.raises(ValueError, match=r"images have shape \[2, 5, 4, 1\].*\[B, 4, 4, 1\]"):
        supernet.apply(params, [[0] * 4], jnp.zeros((2, 5, 4, 1)))
    with pytest.raises(ValueError, match="images have shape"):
        supernet.value_and_grad(cross_entropy)(params, [[0] * 4], jnp.zeros((4, 4, 1)), None)


@pytest.mark.parametrize("executor", ["host", "compiled", "reference"])
def test_images_that_are_no_floats_are_refused(supernet, executor):
    one = Supernet(supernet.network, executor=executor)
    images = np.zeros((2, 4, 4, 1), np.uint8)
    with pytest.raises(ValueError, match=r"images are uint8; .*with `jaxnas\.data\.normalize`"):
        one.apply((), [[0] * 4], images)
    with pytest.raises(ValueError, match="images are uint8"):
        one.value_and_grad(cross_entropy)((), [[0] * 4], images, None)
    with pytest.raises(ValueError, match="images are uint8"):
        one.apply_each((), [[0] * 4] * 2, images)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"executor": "grouped"}, "the executor 'grouped' takes no instructions"),
        ({"executor": "reference"}, "the executor 'reference' takes no instructions"),
        ({"memory_budget": 1000}, "or leave out memory_budget"),
        ({"mesh": jax.sharding.Mesh(np.array(jax.devices()[:1]), ("child",))}, "leave out mesh"),
    ],
)
def test_instructions_are_not_given_what_they_cannot_follow(supernet, options, message):
    instructions = encode(supernet.plan([[0, 1, 2, 2]]))
    one, images = Supernet(supernet.network, **options), jnp.ones((2, 4, 4, 1))
    with pytest.raises(ValueError, match=message):
        one.apply((), instructions, images)
    with pytest.raises(ValueError, match=message):
        one.value_and_grad(cross_entropy)((), instructions, images, None)


def test_the_plan_of_another_network_is_refused(supernet):
    other = nasbench201(image_shape=(4, 4, 1), num_classes=2, cells=1, channels=2)
    plan = Supernet(other).plan([[0] * 6])
    with pytest.raises(ValueError, match="made for a network 'nasbench201'"):
        supernet.apply((), plan, jnp.zeros((2, 4, 4, 1)))


def test_auto_is_compiled_inside_a_transformation_and_host_on_cpu(supernet, monkeypatch):
    params, images = supernet.init(jax.random.key(0)), jnp.ones((2, 4, 4, 1))
    plan = supernet.plan([[0, 1, 2, 2], [1, 1, 2, 2]])
    used = []
    for name in ("host", "compiled", "grouped"):
        run = lambda *_, name=name, **__: used.append(name) or jnp.zeros(())  # noqa: E731
        monkeypatch.setattr(f"jaxnas.supernets.executors.{name}.forward", run)
    supernet.apply(params, plan, images)
    jax.jit(lambda p: supernet.apply(p, plan, images))(params)
    monkeypatch.setattr("jaxnas.supernets.supernet._platform", lambda images: "gpu")
    supernet.apply(params, plan, images)
    supernet.apply(params, [[0, 1, 2, 2]], images)
    assert used == ["host", "compiled", "grouped", "host"]


def test_a_mesh_inside_a_transformation_is_refused(supernet):
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:1]), ("child",))
    sharded = Supernet(supernet.network, mesh=mesh)
    params, images = supernet.init(jax.random.key(0)), jnp.ones((2, 4, 4, 1))
    with pytest.raises(ValueError, match="a supernet with a mesh cannot stand inside"):
        jax.jit(lambda p: sharded.apply(p, [[0, 1, 2, 2]], images))(params)
