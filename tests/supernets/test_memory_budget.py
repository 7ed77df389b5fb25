"""Live bytes of plans, and children split to fit a budget."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.supernets import Supernet, chain, make_plan, ops
from jaxnas.supernets.memory import live_bytes, split

pytestmark = pytest.mark.usefixtures("exact")


@pytest.fixture(scope="module")
def network():
    operations = {
        "conv": lambda inputs, channels, stride: ops.relu_conv_bn(channels, 1),
        "relu": lambda inputs, channels, stride: ops.Relu(),
    }
    image = {"image_shape": (2, 2, 1), "num_classes": 2}
    return chain(**image, layers=3, channels=2, operations=operations, reductions=())


IMAGES = jax.ShapeDtypeStruct((8, 2, 2, 1), jnp.dtype("float32"))


def test_live_bytes_of_a_chain_by_hand(network):
    # Images of 4 elements, layers of 8, logits of 2; two layers are alive at once.
    plan = make_plan(network, [[0, 1, 0]])
    assert live_bytes(plan, IMAGES) == (8 + 8) * 8 * 4
    # For the gradient images, stem and three layers stay, beside the logits.
    assert live_bytes(plan, IMAGES, gradient=True) == (16 + 4 + 4 * 8 + 2) * 8 * 4


def test_evaluation_needs_no_more_for_more_children_than_their_logits(network):
    few, many = ([[0, 1, 0]], network.space.sample(jax.random.key(0), 64))
    grown = live_bytes(make_plan(network, many), IMAGES) - live_bytes(
        make_plan(network, few), IMAGES
    )
    # A prefix that siblings wait for, and eight different logits.
    assert grown <= (2 * 8 + 8 * 2) * 8 * 4


def test_children_are_split_until_they_fit(network):
    architectures = np.asarray(network.space.sample(jax.random.key(1), 16))
    cost = lambda plan: live_bytes(plan, IMAGES, gradient=True)  # noqa: E731
    budget = cost(make_plan(network, architectures)) // 2
    parts = split(network, architectures, budget, cost)
    assert len(parts) > 1
    assert all(cost(plan) <= budget for _, plan in parts)
    assert sorted(np.concatenate([positions for positions, _ in parts])) == list(range(16))
    for positions, plan in parts:
        np.testing.assert_array_equal(architectures[positions], plan.architectures)
    with pytest.raises(ValueError, match="memory_budget is 10 bytes, but one child of 'chain'"):
        split(network, architectures, 10, cost)


def test_a_budget_changes_no_value_and_no_gradient(network):
    random = np.random.default_rng(0)
    params = jax.tree.map(jnp.asarray, network.init(jax.random.key(0)))
    images = jnp.asarray(random.normal(size=(8, 2, 2, 1)))
    architectures = network.space.sample(jax.random.key(1), 7)
    weights = jnp.asarray(random.normal(size=(7, 8, 2)))
    # The children's logits meet in the loss.
    loss = lambda logits: ((logits * weights).sum() ** 2, logits)  # noqa: E731
    results = []
    for budget in (None, 2 * 54 * 8 * 8):
        supernet = Supernet(network, memory_budget=budget)
        results.append(supernet.value_and_grad(loss)(params, architectures, images))
        results[-1] = (results[-1], supernet.apply(params, architectures, images))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9), *results)


def test_a_budget_of_nothing_is_refused(network):
    with pytest.raises(ValueError, match="memory_budget is 0"):
        Supernet(network, memory_budget=0)
