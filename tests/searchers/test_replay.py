"""Updates from remembered evaluations: their gradient, their fixed point, their temperature."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.special import log_softmax
from scipy.stats import norm
from small_spaces import everything

from jaxnas.policies import lstm
from jaxnas.searchers import reinforce
from jaxnas.spaces import chain

pytestmark = pytest.mark.usefixtures("quick_compilation")

SPACE = chain(2, ("a", "b"))
ALL = everything(SPACE)


def make(optimizer=None, **options):
    policy = lstm(SPACE, hidden=3, init_scale=1.0)
    options = {"entropy_target": math.inf, "entropy_weight": 0.5, "memory": 8} | options
    return policy, reinforce(policy, optimizer or optax.sgd(1.0), **options)


@pytest.mark.usefixtures("float64")
def test_gradient_equals_that_of_the_objective_by_finite_differences():
    # Half the temperature times the variance of score / temperature - log p has this gradient.
    policy, searcher = make(replay=0, replay_updates=1)
    state = searcher.init(jax.random.key(0))
    rewards = np.array([0.1, 0.9, 0.3])
    after, _ = searcher.tell(state, ALL[:3], rewards)
    scores = norm.ppf([1 / 6, 5 / 6, 3 / 6])

    def objective(params):
        gaps = scores / 0.5 - np.asarray(policy.log_prob(params, ALL[:3]))
        return -0.5 * 0.5 * np.var(gaps)

    for name, index in (("kernel", (1, 2)), ("head_kernel", (1, 0, 1)), ("head_bias", (0, 1))):
        bump = np.zeros(state.policy[name].shape)
        bump[index] = 1e-5
        up = objective(state.policy | {name: state.policy[name] + bump})
        down = objective(state.policy | {name: state.policy[name] - bump})
        moved = after.policy[name][index] - state.policy[name][index]
        np.testing.assert_allclose(moved, (up - down) / 2e-5, rtol=1e-5)


def test_old_samples_lead_to_the_best_policy_whoever_drew_them():
    # All four architectures, told once each; then updates from the memory alone settle at
    # p ~ exp(score / temperature).
    policy, searcher = make(optax.adam(0.02), replay=16, replay_updates=600)
    state = searcher.init(jax.random.key(0))
    state, metrics = searcher.tell(state, ALL, [0.0, 0.0, 1.0, 2.0])
    scores = norm.ppf([2 / 8, 2 / 8, 5 / 8, 7 / 8])
    log_probs = policy.log_prob(state.policy, ALL)
    np.testing.assert_allclose(log_probs, log_softmax(scores / 0.5), atol=0.02)
    assert float(metrics["advantage_std"]) < 0.02
    assert float(metrics["temperature"]) == 0.5


@pytest.mark.slow
def test_only_the_order_of_rewards_matters():
    _, searcher = make(replay=4, replay_updates=2)
    state = searcher.init(jax.random.key(0))
    one, _ = searcher.tell(state, ALL[:3], [0.1, 0.4, 0.2])
    other, _ = searcher.tell(state, ALL[:3], [-1e6, 1e9, 0.0])
    for a, b in zip(jax.tree.leaves(one.policy), jax.tree.leaves(other.policy), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_temperature_follows_the_entropy():
    policy, searcher = make(optax.sgd(0.0), entropy_target=1.0, replay=4, replay_updates=3)
    state = searcher.init(jax.random.key(0))
    state, _ = searcher.tell(state, ALL, [0.0, 1.0, 2.0, 3.0])
    entropy = float(policy.entropy(state.policy, ALL).mean())
    expected = 0.5 * math.exp(3 * 0.02 * (1.0 - entropy))
    np.testing.assert_allclose(state.temperature, expected, rtol=1e-5)


def test_with_a_context_the_memory_stays_empty():
    policy = lstm(SPACE, hidden=3, context_size=2)
    searcher = reinforce(policy, memory=8)
    state = searcher.init(jax.random.key(0))
    context = jnp.eye(2)
    state, architectures = searcher.ask(state, 2, context)
    state, metrics = searcher.tell(state, architectures, [0.0, 1.0], context)
    assert int(state.memory.stored) == 0
    assert "temperature" not in metrics


@pytest.mark.slow
def test_learns_sooner_than_without_a_memory():
    space = chain(4)
    target = jnp.array([0, 1, 2, 3])

    def late_reward(memory, key):
        searcher = reinforce(space, memory=memory)

        def step(state, _):
            state, architectures = searcher.ask(state, 5)
            rewards = jnp.mean(architectures == target, axis=-1)
            state, _ = searcher.tell(state, architectures, rewards)
            return state, rewards.mean()

        return jax.lax.scan(step, searcher.init(key), length=8)[1][-3:].mean()

    keys = jax.random.split(jax.random.key(0), 16)
    with_memory, without = (
        jax.jit(jax.vmap(lambda key, size=size: late_reward(size, key)))(keys) for size in (256, 0)
    )
    assert with_memory.mean() > without.mean() + 0.1
