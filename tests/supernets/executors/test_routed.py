"""The routed executor: an image among others equals that image alone, in double precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from masked_reference import masked_forward

from jaxnas.spaces import chain as chain_space
from jaxnas.supernets import (
    Network,
    OperationTable,
    Supernet,
    average_moments,
    ops,
    routing,
    standalone,
)
from jaxnas.supernets.executors import routed
from jaxnas.supernets.routing import make_routing
from jaxnas.supernets.segments import InSegments, Segment

pytestmark = pytest.mark.usefixtures("exact")

BATCH = 5


def subset_network():
    """Two blocks that add up any of two operations, and pass their input on where none is on."""
    table = OperationTable()
    shape = table.add("stem", ops.conv_bn_relu(2, 1), (3, 3, 1))
    for block in range(2):
        table.add(f"{block}/conv", ops.relu_conv_bn(2, 1), shape)
        table.add(f"{block}/depthwise", ops.separable_conv(2, 3), shape)
    table.add("classifier", ops.classifier(3), shape)
    names = [f"{block}/{label}" for block in range(2) for label in ("conv", "depthwise")]
    space = chain_space(4, ("off", "on"))

    def block(index):
        def describe(build, x, choices):
            on = [names[2 * index + i] for i in range(2) if choices[f"layer_{2 * index + i}"]]
            return build.add(*(build.apply(key, x) for key in on)) if on else x

        return Segment((f"layer_{2 * index}", f"layer_{2 * index + 1}"), describe)

    def fixed(key):
        return Segment((), lambda build, x, _: build.apply(key, x))

    describe = InSegments((fixed("stem"), block(0), block(1), fixed("classifier")))
    return Network("subsets", space, (3, 3, 1), 3, table, describe)


class Case:
    """A tiny network with generic parameters and images, and what its images give alone."""

    def __init__(self, network):
        self.network, self.supernet = network, Supernet(network)
        random = np.random.default_rng(0)
        shapes = jax.eval_shape(network.init, jax.random.key(0))
        self.params = jax.tree.map(lambda s: jnp.asarray(random.normal(size=s.shape)), shapes)
        self.images = jnp.asarray(random.normal(size=(BATCH, *network.image_shape)))
        self.weights = jnp.asarray(random.normal(size=(BATCH, 3)))
        self.moments = self.some_moments(random)
        self.alone = {}

    def some_moments(self, random):
        """Moments of every operation, as if measured elsewhere."""
        supernet, moments = self.supernet, {}
        for architecture in ([1, 1, 1, 1], [0, 1, 0, 1], [1, 0, 1, 0]):
            found, _ = supernet.measure_moments_each(
                self.params, [architecture] * BATCH, self.images
            )
            moments |= found
        return jax.tree.map(lambda m: m + random.uniform(0.1, 0.5, m.shape), moments)

    def one(self, architecture, image, statistics):
        """The logits of one image alone and their gradient, by the stand-alone child."""
        key = (tuple(architecture), image, statistics)
        if key not in self.alone:
            moments = self.moments if statistics == "moments" else None

            def logits(params):
                choices = self.network.space.choices(architecture)
                row = self.images[image : image + 1]
                return standalone.forward(self.network, params, choices, row, moments=moments)[0]

            value, pullback = jax.vjp(logits, self.params)
            self.alone[key] = value, pullback(self.weights[image])[0]
        return self.alone[key]

    def values(self, architectures):
        """The logits of each image alone, on its own statistics."""
        choices = [self.network.space.choices(a) for a in architectures]
        images = [self.images[i : i + 1] for i in range(BATCH)]
        alone = zip(choices, images, strict=True)
        return jnp.concatenate(
            [standalone.forward(self.network, self.params, c, x) for c, x in alone]
        )

    def expected(self, architectures, statistics):
        alone = [self.one(a, i, statistics) for i, a in enumerate(architectures)]
        gradient = jax.tree.map(lambda *g: sum(g), *(g for _, g in alone))
        return jnp.stack([value for value, _ in alone]), gradient

    def ours(self, architectures, statistics, chunk):
        given_statistics = self.moments if statistics == "moments" else statistics
        routing = make_routing(self.network, architectures)
        logits, pullback = routed.vjp(
            routing, self.params, self.images, statistics=given_statistics, chunk=chunk
        )
        return logits, pullback(self.weights)


@pytest.fixture(scope="module")
def case(exact):
    return Case(subset_network())


def assert_equal(ours, expected):
    assert jax.tree.structure(ours) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(expected), strict=True):
        assert a.dtype == np.float64
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9)


# All alike, all different, an operation with one image, an operation with none, nothing at all.
BATCHES = {
    "alike": [[1, 1, 0, 1]] * BATCH,
    "different": [[0, 0, 1, 1], [0, 1, 1, 0], [1, 0, 0, 1], [1, 1, 0, 0], [1, 1, 1, 1]],
    "one image": [[1, 0, 1, 0]] * 2 + [[0, 1, 1, 0]] + [[1, 0, 1, 0]] * 2,
    "no image": [[1, 0, 0, 0], [0, 0, 1, 0], [1, 0, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0]],
    "nothing": [[0, 0, 0, 0]] * BATCH,
}


@pytest.mark.parametrize("kind", BATCHES)
@pytest.mark.parametrize("statistics", ["image", "moments"])
@pytest.mark.parametrize("chunk", [0, 2])
def test_an_image_among_others_equals_the_image_alone(case, kind, statistics, chunk):
    ours = case.ours(BATCHES[kind], statistics, chunk)
    assert_equal(ours, case.expected(BATCHES[kind], statistics))


@pytest.mark.parametrize("kind", BATCHES)
def test_statistics_of_a_batch_are_those_of_the_images_routed_to_an_operation(case, kind):
    ours = case.ours(BATCHES[kind], "batch", None)

    def logits(params):
        return masked_forward(case.network, params, np.array(BATCHES[kind]), case.images)

    expected, pullback = jax.vjp(logits, case.params)
    assert_equal(ours, (expected, pullback(case.weights)[0]))


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.lists(st.integers(0, 1), min_size=4, max_size=4), min_size=5, max_size=5))
def test_any_batch_of_architectures(case, architectures):
    logits = case.supernet.apply_each(case.params, architectures, case.images, statistics="image")
    np.testing.assert_allclose(logits, case.values(architectures), rtol=1e-8, atol=1e-9)
    logits = case.supernet.apply_each(case.params, architectures, case.images)
    masked = masked_forward(case.network, case.params, np.array(architectures), case.images)
    np.testing.assert_allclose(logits, masked, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("statistics", ["image", "batch"])
def test_traced_architectures_give_the_same_inside_jit(case, statistics):
    def loss(params, architectures):
        logits = case.supernet.apply_each(params, architectures, case.images, statistics=statistics)
        return (logits * case.weights).sum(), logits

    run = jax.jit(jax.value_and_grad(loss, has_aux=True))
    for kind in ("different", "no image"):
        architectures = np.array(BATCHES[kind], np.int32)
        (_, logits), gradient = run(case.params, architectures)
        chunk = 1 if statistics == "image" else None
        assert_equal((logits, gradient), case.ours(architectures, statistics, chunk))


def test_value_and_grad_each_is_the_gradient_of_apply_each(case):
    def loss(logits, weights):
        return (logits * weights).sum(), logits.argmax(-1)

    architectures = BATCHES["different"]
    gradient_of = case.supernet.value_and_grad_each(loss)
    (value, _), gradient = gradient_of(case.params, architectures, case.images, case.weights)

    def of_params(params):
        return loss(case.supernet.apply_each(params, architectures, case.images), case.weights)[0]

    expected = jax.value_and_grad(of_params)(case.params)
    assert_equal((value, gradient), expected)


def test_measured_moments_reproduce_the_batch_that_they_were_measured_on(case):
    architectures = BATCHES["different"]
    moments, counts = case.supernet.measure_moments_each(case.params, architectures, case.images)
    assert counts["0/conv"] == 3
    assert counts["stem"] == BATCH
    assert "classifier" not in counts
    given_moments = case.supernet.apply_each(
        case.params, architectures, case.images, statistics=moments
    )
    shared = case.supernet.apply_each(case.params, architectures, case.images)
    np.testing.assert_allclose(given_moments, shared, rtol=1e-8, atol=1e-9)


def test_moments_average_over_batches_to_those_of_all_images(case):
    measure, architectures = case.supernet.measure_moments_each, np.array(BATCHES["alike"])
    parts = (slice(0, 2), slice(2, 5))
    measured = [measure(case.params, architectures[p], case.images[p]) for p in parts]
    whole, _ = measure(case.params, architectures, case.images)
    # Only the stem reads the same values in both: what follows is normalised by its own batch.
    assert_equal(average_moments(measured)["stem"], whole["stem"])


def cell_network():
    """A cell that is no chain: two nodes, whose edges may be zero, identity, pooling or more."""
    table, shape = OperationTable(), (2, 2, 2)
    table.add("stem", ops.conv_bn_relu(2, 1), (2, 2, 1))
    for edge in ("0_1", "0_2", "1_2"):
        table.add(f"{edge}/none", ops.Zero(), shape)
        table.add(f"{edge}/identity", ops.Identity(), shape)
        table.add(f"{edge}/pool", ops.AvgPool(), shape)
        table.add(f"{edge}/conv", ops.relu_conv_bn(2, 1), shape)
    table.add("classifier", ops.classifier(3), shape)
    space = chain_space(3, ("none", "identity", "pool", "conv"))

    def describe(build, choices):
        def edge(name, layer, x):
            label = space.decisions[layer].actions[choices[f"layer_{layer}"]]
            return build.apply(f"{name}/{label}", x)

        stem = build.apply("stem", build.images)
        node = edge("0_1", 0, stem)
        output = build.add(edge("0_2", 1, stem), edge("1_2", 2, node), node)
        return build.apply("classifier", output)

    return Network("cell", space, (2, 2, 1), 3, table, describe)


@pytest.mark.parametrize("max_ways", [1024, 1])
def test_a_network_that_is_no_chain_is_routed_from_its_description(exact, monkeypatch, max_ways):
    monkeypatch.setattr(routing, "MAX_WAYS", max_ways)
    network = cell_network()
    random = np.random.default_rng(0)
    shapes = jax.eval_shape(network.init, jax.random.key(0))
    params = jax.tree.map(lambda s: jnp.asarray(random.normal(size=s.shape)), shapes)
    # A fifth of all cells; nothing but zeros, identities, pooling of pooling.
    fifth = list(network.space.enumerate())[::5]
    architectures = np.array([*fifth, [0] * 3, [1] * 3, [2] * 3])
    images = jnp.asarray(random.normal(size=(len(architectures), 2, 2, 1)))
    weights = jnp.asarray(random.normal(size=(len(architectures), 3)))
    planned = make_routing(network, architectures)
    logits, pullback = routed.vjp(planned, params, images, statistics="image", chunk=None)

    def alone(params):
        choices = [network.space.choices(a) for a in architectures]
        each = [
            standalone.forward(network, params, c, images[i : i + 1]) for i, c in enumerate(choices)
        ]
        return jnp.concatenate(each)

    expected, expected_pullback = jax.vjp(alone, params)
    assert_equal((logits, pullback(weights)), (expected, expected_pullback(weights)[0]))
    # Images meet at an operation whatever their inputs: one call of it for all of them.
    keys = [step.key for leg in planned.legs for step in leg.ways.steps]
    assert keys.count("1_2/conv") == 1


def test_bad_input_is_named(case):
    apply = case.supernet.apply_each
    params, images = case.params, case.images
    with pytest.raises(ValueError, match="4 architectures for 5 images"):
        apply(params, BATCHES["alike"][:4], images)
    with pytest.raises(ValueError, match="statistics is 'running': give 'batch'"):
        apply(params, BATCHES["alike"], images, statistics="running")
    without = {key: m for key, m in case.moments.items() if key != "0/conv"}
    with pytest.raises(ValueError, match="no moments of '0/conv', which an image"):
        apply(params, BATCHES["alike"], images, statistics=without)
    planned = make_routing(case.network, BATCHES["alike"])
    with pytest.raises(ValueError, match="they allow no chunks"):
        routed.forward(planned, params, images, chunk=2)
