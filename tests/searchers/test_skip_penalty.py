"""ENAS's terms of the loss: the density of skips, the entropy in the reward, the first baseline."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnas.policies import lstm
from jaxnas.searchers import reinforce
from jaxnas.searchers.skip_penalty import skip_penalty, skip_steps
from jaxnas.spaces import Decision, SearchSpace, chain, enas_macro, enas_micro

pytestmark = pytest.mark.usefixtures("quick_compilation")

SPACE = enas_macro(3, ("a", "b"))
CHAIN = chain(2, ("a", "b"))


def test_skips_of_macro_are_found():
    steps, layers = skip_steps(SPACE)
    # op; op, stem; op, stem, layer_0.
    assert steps.tolist() == [False, False, True, False, True, True]
    assert layers == 2


def test_penalty_equals_the_divergence_by_hand():
    probabilities = np.random.default_rng(0).dirichlet((1, 1), (4, 6))
    expected = []
    for table in probabilities:
        total = 0.0
        for step in (2, 4, 5):
            for p, t in zip(table[step], (0.6, 0.4), strict=True):
                total += p * np.log(p / t)
        expected.append(total / 2)
    np.testing.assert_allclose(skip_penalty(SPACE, probabilities, 0.4), expected, rtol=1e-5)


@pytest.mark.slow
def test_the_penalty_moves_skips_to_their_target():
    policy = lstm(SPACE, hidden=8, init_scale=1.0)
    options = {"memory": 0, "entropy_weight": 0.0, "skip_weight": 1.0, "skip_target": 0.2}
    searcher = reinforce(policy, optax.adam(0.05), **options)
    state = searcher.init(jax.random.key(0))
    steps, _ = skip_steps(SPACE)
    for _ in range(40):
        state, architectures = searcher.ask(state, 8)
        state, _ = searcher.tell(state, architectures, jnp.ones(8))
    sample = policy.sample(state.policy, jax.random.key(1), 64).architectures
    probabilities = policy.evaluate(state.policy, sample).probabilities[:, steps, 1]
    np.testing.assert_allclose(probabilities, 0.2, atol=0.05)


def test_entropy_in_the_reward_is_a_reward():
    policy = lstm(CHAIN, hidden=3, init_scale=1.0)
    architectures, rewards = jnp.array([[0, 1], [1, 0], [1, 1]]), jnp.array([0.1, 0.9, 0.4])
    options = {"memory": 0, "normalize_advantage": False, "baseline_start": 0.0}
    inside = reinforce(
        policy, optax.sgd(1.0), entropy_weight=0.3, entropy_in_reward=True, **options
    )
    plain = reinforce(policy, optax.sgd(1.0), entropy_weight=0.0, **options)
    state = inside.init(jax.random.key(0))
    entropy = policy.entropy(state.policy, architectures)
    ours, metrics = inside.tell(state, architectures, rewards)
    theirs, _ = plain.tell(plain.init(jax.random.key(0)), architectures, rewards + 0.3 * entropy)
    for a, b in zip(jax.tree.leaves(ours.policy), jax.tree.leaves(theirs.policy), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    # The baseline starts at 0 and keeps its share of 0.7; the reported reward has no entropy.
    np.testing.assert_allclose(ours.baseline, 0.3 * (rewards + 0.3 * entropy).mean(), rtol=1e-5)
    np.testing.assert_allclose(metrics["reward_mean"], rewards.mean(), rtol=1e-6)


def test_spaces_without_skips_are_refused():
    for space in (CHAIN, enas_micro(1)):
        with pytest.raises(ValueError, match="has no skip connections: leave 'skip_weight' 0"):
            reinforce(space, skip_weight=0.8, memory=0)
    skip = Decision("b", ("no", "yes"), points_at=(None, "n"))
    first = Decision("a", ("x", "y"), next=("b", "end"), node="n")
    with pytest.raises(ValueError, match="differ in their decisions"):
        reinforce(SearchSpace("tree", (first, skip)), skip_weight=0.8, memory=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"memory": 0, "skip_weight": -1.0}, "'skip_weight' is -1.0"),
        ({"memory": 0, "skip_target": 1.0}, "'skip_target' is 1.0"),
        ({"entropy_in_reward": True}, "need 'memory=0'"),
        ({"baseline_start": 0.0}, "need 'memory=0'"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        reinforce(SPACE, **options)
