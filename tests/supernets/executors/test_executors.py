"""Every executor equals stand-alone children one after the other, in double precision."""

import functools

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
    "enas_macro": lambda: enas_macro(**IMAGE, layers=3, channels=2, dropout=0.3),
    "enas_micro": lambda: enas_micro(**IMAGE, cells=2, nodes=2, channels=2, dropout=0.3),
    "shufflenas": lambda: shufflenas(**IMAGE, nodes=2, channels=4, depths=(2,), dropout=0.3),
}
# The dense form of two nodes takes minutes to compile.
SMALLER = {"enas_micro": lambda: enas_micro(**IMAGE, cells=2, nodes=1, channels=2)}
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
    "enas_micro_smaller": [[0, 0, 4, 4] * 2, [1, 1, 2, 3] * 2, [0, 1, 4, 4] * 2],
    # One stage has no reduction unit: the last two choices do not matter.
    "shufflenas": [[4, 4, 4, 4], [2, 2, 3, 4], [4, 0, 1, 1], [4, 0, 2, 2]],
}


# The oldest packages see the others.
LARGE = [pytest.param(name, marks=pytest.mark.slow) for name in ("enas_macro", "enas_micro")]
EXECUTORS = ("host", "compiled", "grouped", "dense")
SLOW = [pytest.param(executor, marks=pytest.mark.slow) for executor in EXECUTORS[2:]]
CHILDREN = 8


def samples(name, space):
    """Samples of as many children by kind: uniform, peaked, all equal, adversarial, mixed."""
    uniform = np.asarray(space.sample(jax.random.key(1), CHILDREN))
    odd = np.asarray(ADVERSARIAL[name])
    return {
        "uniform": uniform,
        "peaked": uniform[[0, 0, 1, 0, 2, 0, 1, 0]],
        "equal": uniform[[2] * CHILDREN],
        "adversarial": odd[np.arange(CHILDREN) % len(odd)],
        "mixed": np.concatenate([odd[:1], uniform[:3], odd[-1:], uniform[1:3], odd[:1]]),
    }


class Case:
    """A tiny network with generic parameters and images, and every executor of it."""

    def __init__(self, name, network):
        self.network = network
        self.samples = samples(name, self.network.space)
        random = np.random.default_rng(0)
        shapes = jax.eval_shape(self.network.init, jax.random.key(0))
        self.params = jax.tree.map(lambda s: jnp.asarray(random.normal(size=s.shape)), shapes)
        self.images = jnp.asarray(random.normal(size=(4, 4, 4, 1)))
        self.weights = jnp.asarray(random.normal(size=(CHILDREN, 4, 3)))
        self.supernets = {e: Supernet(self.network, e) for e in (*EXECUTORS, "reference")}
        self.gradients = {e: s.value_and_grad(self.loss) for e, s in self.supernets.items()}
        self.expected = functools.cache(functools.partial(self.value_and_grad, "reference"))

    def loss(self, logits):
        weighted = jax.nn.log_softmax(logits) * self.weights[: len(logits)]
        return weighted.sum(), logits

    def value_and_grad(self, executor, kind, noise=None):
        gradient_of = self.gradients[executor]
        return gradient_of(self.params, self.samples[kind], self.images, noise=noise)


@pytest.fixture(scope="module", params=["chain", "nasbench201", "shufflenas", *LARGE])
def case(request, exact):
    case = Case(request.param, NETWORKS[request.param]())
    case.for_dense = case
    if request.param in SMALLER:
        case.for_dense = Case(f"{request.param}_smaller", SMALLER[request.param]())
    yield case
    jax.clear_caches()  # Four executors of one network compile many programs.


def assert_equal(ours, expected):
    assert jax.tree.structure(ours) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(expected), strict=True):
        assert a.dtype == np.float64
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("kind", ["uniform", "peaked", "equal", "adversarial", "mixed"])
@pytest.mark.parametrize("executor", [*EXECUTORS[:2], *SLOW])
def test_values_and_gradients_equal_stand_alone_children(case, executor, kind):
    case = case.for_dense if executor == "dense" else case
    assert_equal(case.value_and_grad(executor, kind), case.expected(kind))


@pytest.fixture(scope="module")
def not_affine(exact):
    """A network without scale and bias, so that zeros vanish from its plans."""
    yield Case("nasbench201", nasbench201(**IMAGE, cells=1, channels=2, affine=False))
    jax.clear_caches()


@pytest.mark.slow
@pytest.mark.parametrize("executor", EXECUTORS[:-1])
def test_zeros_that_vanish_from_a_plan(not_affine, executor):
    for kind in ("uniform", "adversarial"):
        assert_equal(not_affine.value_and_grad(executor, kind), not_affine.expected(kind))


@pytest.mark.slow
@pytest.mark.parametrize("case", ["chain"], indirect=True)
def test_noise_is_the_same_for_all_executors(case):
    noise = Noise(jax.random.key(7), 0.3)
    expected = case.value_and_grad("reference", "mixed", noise)
    assert not np.allclose(expected[0][1], case.expected("mixed")[0][1])
    for executor in EXECUTORS:
        assert_equal(case.value_and_grad(executor, "mixed", noise), expected)


@pytest.mark.parametrize("case", ["enas_macro"], indirect=True)
@pytest.mark.parametrize("executor", EXECUTORS)
def test_evaluation_gives_the_logits_of_training(case, executor):
    logits = case.supernets[executor].apply(case.params, case.samples["mixed"], case.images)
    assert_equal(logits, case.expected("mixed")[0][1])


@pytest.mark.parametrize("executor", ["host"])
def test_a_child_among_others_gives_to_the_last_bit_what_it_gives_alone(case, executor):
    supernet, architectures = case.supernets[executor], case.samples["mixed"]
    together = supernet.apply(case.params, architectures, case.images)
    for architecture, logits in zip(architectures, together, strict=True):
        alone = supernet.apply(case.params, [architecture], case.images)
        np.testing.assert_array_equal(alone[0], logits)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_operations_that_no_child_uses_get_no_gradient(case, executor):
    case = case.for_dense if executor == "dense" else case
    network, architectures = case.network, case.samples["equal"]
    used = set(case.supernets["host"].plan(architectures).unique)
    unused = [key for key in network.operations if key not in used]
    assert unused
    _, gradient = case.value_and_grad(executor, "equal")
    for key in unused:
        for leaf in jax.tree.leaves(network.parameters(gradient, key)):
            np.testing.assert_array_equal(leaf, 0)
    trained = [x for key in used for x in jax.tree.leaves(network.parameters(gradient, key))]
    assert any(np.any(leaf) for leaf in trained)
