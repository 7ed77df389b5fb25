"""The controller in PyTorch is the policy of jaxnas."""

import jax
import numpy as np
import pytest

from jaxnas.policies import lstm
from jaxnas.spaces import chain

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.extra, pytest.mark.usefixtures("quick_compilation")]

OPTIONS = {"learning_rate": 0.1, "entropy_weight": 0.1, "entropy_target": 10.0}


def make(space, scale=1.0):
    from torch_reference import Controller

    policy = lstm(space, hidden=4, init_scale=scale)
    params = policy.init(jax.random.key(0))
    return policy, params, Controller(space, params, **OPTIONS)


def test_log_probabilities_and_entropies_are_equal():
    policy, params, controller = make(chain(3))
    children = policy.sample(params, jax.random.key(1), 5).architectures
    expected = policy.evaluate(params, children)
    _, log_probs, entropies = controller.samples(5, np.asarray(children))
    np.testing.assert_allclose(log_probs.detach(), expected.log_prob, rtol=1e-5)
    np.testing.assert_allclose(entropies.detach(), expected.entropy, rtol=1e-5)


def test_gradients_are_equal():
    policy, params, controller = make(chain(3))
    children = policy.sample(params, jax.random.key(1), 4).architectures
    advantages = np.array([1.0, -2.0, 0.5, 0.0], np.float32)

    def loss(params):
        found = policy.evaluate(params, children)
        return -(advantages * found.log_prob).mean() - 0.1 * found.entropy.mean()

    gradient = jax.jit(jax.grad(loss))(params)
    _, log_probs, entropies = controller.samples(4, np.asarray(children))
    controller.loss(log_probs, entropies, torch.from_numpy(advantages)).backward()
    leaves = jax.tree.leaves(gradient)
    norm = np.sqrt(sum(float((leaf**2).sum()) for leaf in leaves))
    np.testing.assert_allclose(controller.gradient_norm(), norm, rtol=1e-5)
    start = controller.start.grad.numpy()
    np.testing.assert_allclose(start, gradient["start"], rtol=1e-4, atol=1e-6)


def test_it_learns_to_prefer_what_is_rewarded():
    torch.manual_seed(0)
    _, _, controller = make(chain(2), 0.1)
    for _ in range(60):
        children, log_probs, entropies = controller.samples(8)
        rewards = torch.tensor([float(child[0] == 1) for child in children])
        controller.update(log_probs, entropies, rewards - rewards.mean())
    children, *_ = controller.samples(20)
    assert sum(child[0] == 1 for child in children) >= 16
