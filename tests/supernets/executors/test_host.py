"""The host executor equals stand-alone children one after the other, in double precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.supernets import Noise, Supernet, chain, enas_macro, enas_micro, nasbench201, shufflenas

pytestmark = pytest.mark.usefixtures("exact")

IMAGE = {"image_shape": (4, 4, 1), "num_classes": 3}
NETWORKS = {
    "chain": lambda: chain(**IMAGE, layers=3, channels=2, reductions=(1,), dropout=0.3),
    "nasbench201": lambda: nasbench201(**IMAGE, cells=1, channels=2),
    "nasbench201_not_affine": lambda: nasbench201(**IMAGE, cells=1, channels=2, affine=False),
    "enas_macro": lambda: enas_macro(**IMAGE, layers=3, channels=2, dropout=0.3),
    "enas_micro": lambda: enas_micro(**IMAGE, cells=2, nodes=2, channels=2, dropout=0.3),
    "shufflenas": lambda: shufflenas(**IMAGE, nodes=2, channels=4, depths=(1, 2), dropout=0.3),
}
# Children that stress the plan: nothing, the input alone, everything equal.
ADVERSARIAL = {
    "chain": [[4, 4, 4], [4, 0, 4], [0, 4, 4]],
    "nasbench201": [[0] * 6, [1] * 6, [0, 1, 3, 0, 0, 0], [3, 0, 2, 0, 4, 0], [4] * 6],
    "enas_macro": [[4, 4, 1, 4, 1, 1], [4, 4, 0, 4, 0, 0], [5, 5, 1, 5, 0, 1]],
    "enas_micro": [
        [0, 0, 4, 4, 0, 0, 4, 4] * 2,
        [1, 1, 2, 3, 1, 1, 3, 2] * 2,
        [0, 0, 2, 2, 2, 2, 2, 2] * 2,
    ],
    "shufflenas": [[4, 4, 4, 4], [2, 2, 3, 4], [4, 1, 4, 1]],
}


def samples(name, space):
    """Samples of children by kind: uniform, peaked, all equal, adversarial, one repeated."""
    uniform = np.asarray(space.sample(jax.random.key(1), 3))
    odd = np.asarray(ADVERSARIAL[name.removesuffix("_not_affine")])
    return {
        "uniform": uniform,
        "peaked": uniform[[0, 0, 1, 0, 2, 0, 1, 0]],
        "equal": uniform[[2, 2, 2]],
        "adversarial": odd,
        "repeated": np.concatenate([odd[:1], uniform[:1], odd[:1], uniform[1:2], odd[:1]]),
    }


class Case:
    """A tiny network with generic parameters and images, and both executors of it."""

    def __init__(self, name):
        self.network = NETWORKS[name]()
        self.samples = samples(name, self.network.space)
        random = np.random.default_rng(0)
        shapes = jax.eval_shape(self.network.init, jax.random.key(0))
        self.params = jax.tree.map(lambda s: jnp.asarray(random.normal(size=s.shape)), shapes)
        self.images = jnp.asarray(random.normal(size=(4, 4, 4, 1)))
        self.weights = jnp.asarray(random.normal(size=(8, 4, 3)))
        self.host = Supernet(self.network)
        self.reference = Supernet(self.network, executor="reference")
        self.gradients = [s.value_and_grad(self.loss) for s in (self.host, self.reference)]

    def loss(self, logits):
        weighted = jax.nn.log_softmax(logits) * self.weights[: len(logits)]
        return weighted.sum(), logits

    def value_and_grad(self, architectures, noise=None):
        return [g(self.params, architectures, self.images, noise=noise) for g in self.gradients]


@pytest.fixture(scope="module", params=NETWORKS)
def case(request, exact):
    return Case(request.param)


def assert_equal(ours, expected):
    assert jax.tree.structure(ours) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(expected), strict=True):
        assert a.dtype == np.float64
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("kind", ["uniform", "peaked", "equal", "adversarial", "repeated"])
def test_values_and_gradients_equal_stand_alone_children(case, kind):
    (value, gradient), (expected, expected_gradient) = case.value_and_grad(case.samples[kind])
    assert_equal(value, expected)
    assert_equal(gradient, expected_gradient)
    assert_equal(case.host.apply(case.params, case.samples[kind], case.images), value[1])


@pytest.mark.parametrize("case", ["chain", "enas_micro"], indirect=True)
def test_noise_is_the_same_for_both_executors(case):
    noise = Noise(jax.random.key(7), 0.3)
    architectures = case.samples["uniform"][[0, 1, 0]]
    (value, gradient), (expected, expected_gradient) = case.value_and_grad(architectures, noise)
    assert_equal(value, expected)
    assert_equal(gradient, expected_gradient)
    quiet = case.host.apply(case.params, architectures, case.images)
    assert not np.allclose(value[1], quiet)


def test_a_child_among_others_gives_to_the_last_bit_what_it_gives_alone(case):
    architectures = np.concatenate([case.samples["uniform"], case.samples["adversarial"]])
    together = case.host.apply(case.params, architectures, case.images)
    for architecture, logits in zip(architectures, together, strict=True):
        alone = case.host.apply(case.params, [architecture], case.images)
        np.testing.assert_array_equal(alone[0], logits)


def test_operations_that_no_child_uses_get_no_gradient(case):
    network, architectures = case.network, case.samples["equal"]
    (_, gradient), _ = case.value_and_grad(architectures)
    used = set(case.host.plan(architectures).unique)
    unused = [key for key in network.operations if key not in used]
    for key in unused:
        for leaf in jax.tree.leaves(network.parameters(gradient, key)):
            np.testing.assert_array_equal(leaf, 0)
    trained = [leaf for key in used for leaf in jax.tree.leaves(network.parameters(gradient, key))]
    assert any(np.any(leaf) for leaf in trained)
    assert unused
