"""Tiny networks with every executor of them, and children that stress a plan."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.supernets import Supernet, chain, enas_macro, enas_micro, nasbench201, shufflenas

IMAGE = {"image_shape": (4, 4, 1), "num_classes": 3}
NETWORKS = {
    "chain": lambda: chain(**IMAGE, layers=3, channels=2, reductions=(1,), dropout=0.3),
    "chain_short": lambda: chain(**IMAGE, layers=2, channels=2, reductions=(1,), dropout=0.3),
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
    "chain_short": [[4, 4], [4, 0], [0, 4]],
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
EXECUTORS = ("host", "compiled", "grouped", "dense")
CHILDREN = 8


def samples(name, space):
    """Samples of `CHILDREN` children by kind, and of a few: what noise compiles for each."""
    uniform = np.asarray(space.sample(jax.random.key(1), CHILDREN))
    odd = np.asarray(ADVERSARIAL[name])
    return {
        "uniform": uniform,
        "peaked": uniform[[0, 0, 1, 0, 2, 0, 1, 0]],
        "equal": uniform[[2] * CHILDREN],
        "adversarial": odd[np.arange(CHILDREN) % len(odd)],
        "few": np.concatenate([odd[1:2], uniform[:2]]),
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


def make(name):
    """The case of a network, and in `for_dense` what its dense form is tested on."""
    case = Case(name, NETWORKS[name]())
    case.for_dense = case
    if name in SMALLER:
        case.for_dense = Case(f"{name}_smaller", SMALLER[name]())
    return case


def assert_equal(ours, expected):
    assert jax.tree.structure(ours) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(expected), strict=True):
        assert a.dtype == np.float64
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-9)
