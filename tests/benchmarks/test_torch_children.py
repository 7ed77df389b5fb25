"""Children in PyTorch equal those of the host executor: one at a time, by the plan, per image."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.objectives import cross_entropy
from jaxnas.supernets import Supernet, chain, nasbench201

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.extra, pytest.mark.usefixtures("exact")]

IMAGE = {"image_shape": (4, 4, 1), "num_classes": 3}
NETWORKS = {
    "chain": lambda: chain(**IMAGE, layers=2, channels=2, reductions=(1,)),
    "nasbench201": lambda: nasbench201(**IMAGE, cells=1, channels=2),
}


class Case:
    """A tiny network with generic parameters, images and children; the last two are equal."""

    def __init__(self, name):
        self.network, random = NETWORKS[name](), np.random.default_rng(0)
        shapes = jax.eval_shape(self.network.init, jax.random.key(0))
        self.params = jax.tree.map(lambda s: jnp.asarray(random.normal(size=s.shape)), shapes)
        self.images = random.normal(size=(4, 4, 4, 1))
        self.labels = np.array([0, 1, 2, 1])
        sample = np.asarray(self.network.space.sample(jax.random.key(1), 3))
        self.children = np.concatenate([sample, sample[-1:], np.zeros_like(sample[:1])])
        self.supernet = Supernet(self.network)

    @property
    def choices(self):
        return [self.network.space.choices(child) for child in self.children]

    def ours(self):
        gradient_of = self.supernet.value_and_grad(_loss)
        given = jnp.asarray(self.images), jnp.asarray(self.labels)
        return gradient_of(self.params, self.children, *given)


def _loss(logits, labels):
    return cross_entropy(logits, labels), logits


@pytest.mark.parametrize("name", NETWORKS)
def test_children_equal_those_of_the_host_executor(name):
    from torch_reference import SharedWeights, child, same_plan, to_images

    case = Case(name)
    (value, logits), gradient = case.ours()
    weights, images = SharedWeights(case.network, case.params), to_images(case.images)
    labels, plan = torch.from_numpy(case.labels), case.supernet.plan(case.children)
    _assert_equal(child.forward(weights, case.choices, images), logits)
    _assert_equal(same_plan.forward(weights, plan, images), logits)
    for module, children in ((child, case.choices), (same_plan, plan)):
        _assert_equal(module.loss_and_gradient(weights, children, images, labels), value)
        theirs = weights.gradient()
        for a, b in zip(jax.tree.leaves(theirs), jax.tree.leaves(gradient), strict=True):
            _assert_equal(a, b)


@pytest.mark.parametrize("normalization", ["GroupNorm", "InstanceNorm"])
def test_images_of_their_own_architectures_equal_them_one_by_one(normalization):
    from torch_reference import per_image, to_images

    case = Case("chain")
    labels, images = case.network.space.decisions[0].actions, to_images(case.images)
    architectures = case.network.space.validate(case.children[[0, 1, 2, 4]])
    choices = [case.network.space.choices(a) for a in architectures]
    weights = per_image.weights(case.network, case.params, getattr(per_image, normalization))
    gathered = per_image.gather_per_operation(weights, labels, architectures, images)
    alone = per_image.one_by_one(weights, choices, images)
    _assert_equal(gathered, alone)
    # A batch of one image has that image's moments: the same as the host executor's.
    for i, architecture in enumerate(architectures):
        given = jnp.asarray(case.images[i : i + 1])
        _assert_equal(alone[i], case.supernet.apply(case.params, architecture, given)[0, 0])


def _assert_equal(ours, expected):
    np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-11)
