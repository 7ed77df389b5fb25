"""REINFORCE: its gradient, its baseline, what it remembers, and that it learns."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from small_spaces import branching_space, everything, loop_space

from jaxnas.policies import lstm
from jaxnas.searchers import reinforce
from jaxnas.spaces import chain

SPACE = chain(2, ("a", "b"))


def make(**options):
    policy = lstm(SPACE, hidden=3, init_scale=1.0)
    options = {"memory": 0, "entropy_weight": 0.0} | options
    return policy, reinforce(policy, optax.sgd(1.0), **options)


@pytest.mark.usefixtures("float64")
def test_gradient_equals_the_formula_by_finite_differences():
    policy, searcher = make(
        entropy_weight=0.3,
        entropy_target=math.inf,
        normalize_advantage=False,
        reward_scale=2.0,
        baseline_decay=0.9,
    )
    state = searcher.init(jax.random.key(0))
    first, second = jnp.array([[0, 0], [1, 1]]), jnp.array([[0, 1], [1, 0], [1, 1]])
    state, _ = searcher.tell(state, first, [1.0, 3.0])
    assert float(state.baseline) == 2.0
    rewards = np.array([4.0, 1.0, 1.0])
    after, metrics = searcher.tell(state, second, rewards)

    def objective(params):
        # mean((2 (R - b)) log p) + 0.3 mean(H), with the old baseline b = 2.
        gain = np.mean(2 * (rewards - 2.0) * np.asarray(policy.log_prob(params, second)))
        return gain + 0.3 * np.mean(policy.entropy(params, second))

    moved = jax.tree.map(lambda new, old: new - old, after.policy, state.policy)
    for name, index in (("kernel", (1, 2)), ("head_kernel", (1, 0, 1)), ("head_bias", (0, 1))):
        bump = np.zeros(state.policy[name].shape)
        bump[index] = 1e-5
        up = objective(state.policy | {name: state.policy[name] + bump})
        down = objective(state.policy | {name: state.policy[name] - bump})
        # Plain gradient ascent with rate 1: the step is the gradient.
        np.testing.assert_allclose(moved[name][index], (up - down) / 2e-5, rtol=1e-6)
    np.testing.assert_allclose(after.baseline, 0.9 * 2.0 + 0.1 * 2.0)
    np.testing.assert_allclose(metrics["advantage_std"], np.std(2 * (rewards - 2)))
    norm = np.sqrt(sum((np.asarray(x) ** 2).sum() for x in jax.tree.leaves(moved)))
    np.testing.assert_allclose(metrics["gradient_norm"], norm)


def test_gradient_of_the_biases_by_hand():
    # With all weights 0 the policy is uniform and p does not depend on the LSTM: for one
    # architecture with advantage 1, d log p / d bias = one-hot - 1/2 at each of its decisions.
    _, searcher = make(normalize_advantage=False)
    state = searcher.init(jax.random.key(0))
    zeros = jax.tree.map(jnp.zeros_like, state.policy)
    state = state._replace(policy=zeros, baseline=jnp.float32(4.0), updates=jnp.int32(1))
    state, _ = searcher.tell(state, [[0, 1]], [5.0])
    np.testing.assert_allclose(state.policy["head_bias"], [[0.5, -0.5], [-0.5, 0.5]])


def test_normalised_advantages_do_not_depend_on_the_unit():
    _, searcher = make(normalize_advantage=True)
    state = searcher.init(jax.random.key(0))
    rewards = jnp.array([0.2, 0.4, 0.9])
    architectures = jnp.array([[0, 0], [0, 1], [1, 1]])
    one, _ = searcher.tell(state, architectures, rewards)
    other, _ = searcher.tell(state, architectures, 1000 * rewards - 300)
    for a, b in zip(jax.tree.leaves(one.policy), jax.tree.leaves(other.policy), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def test_equal_rewards_change_nothing():
    _, searcher = make(normalize_advantage=True)
    state = searcher.init(jax.random.key(0))
    after, _ = searcher.tell(state, [[0, 1], [1, 1]], [0.7, 0.7])
    for a, b in zip(jax.tree.leaves(after.policy), jax.tree.leaves(state.policy), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-7)


def test_nothing_finite_changes_nothing():
    searcher = reinforce(lstm(SPACE, hidden=3))
    state = searcher.init(jax.random.key(0))
    state, architectures = searcher.ask(state, 4)
    after, _ = searcher.tell(state, architectures, [jnp.nan, jnp.inf, -jnp.inf, jnp.nan])
    for name in ("policy", "optimizer", "baseline", "variance", "temperature", "updates", "memory"):
        before, now = (jax.tree.leaves(getattr(s, name)) for s in (state, after))
        for a, b in zip(before, now, strict=True):
            np.testing.assert_array_equal(a, b)
    # And the first finite batch after it is still the first.
    after, _ = searcher.tell(after, architectures, [1.0, 2.0, 3.0, jnp.nan])
    assert float(after.baseline) == 1.75


def test_one_bad_reward_among_good_ones_does_not_poison():
    searcher = reinforce(lstm(SPACE, hidden=3))
    state = searcher.init(jax.random.key(0))
    for _ in range(5):
        state, architectures = searcher.ask(state, 4)
        state, metrics = searcher.tell(state, architectures, [1.0, jnp.nan, 2.0, jnp.inf])
        assert np.isfinite(float(metrics["gradient_norm"]))
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(state.policy))


def test_entropy_target_stops_the_bonus():
    policy, searcher = make(entropy_weight=5.0, entropy_target=1.0)
    state = searcher.init(jax.random.key(0))
    uniform = jax.tree.map(jnp.zeros_like, state.policy)
    # ln 4 nats are above the target of 1, so that the bonus has no gradient; equal rewards.
    state = state._replace(policy=uniform)
    after, _ = searcher.tell(state, [[0, 1], [1, 0]], [1.0, 1.0])
    np.testing.assert_array_equal(after.policy["head_bias"], 0)

    peaked = uniform | {"head_bias": jnp.array([[2.0, 0.0], [2.0, 0.0]])}
    state = state._replace(policy=peaked)
    after, _ = searcher.tell(state, [[0, 0], [0, 0]], [1.0, 1.0])
    architecture = [[0, 0]]
    assert policy.entropy(after.policy, architecture) > policy.entropy(peaked, architecture)


def test_default_entropy_target_fits_the_space():
    def target(space):
        return float(reinforce(space).init(jax.random.key(0)).settings.entropy_target)

    assert target(chain(12)) == 5.0
    np.testing.assert_allclose(target(SPACE), 0.6 * math.log(4), rtol=1e-6)


@pytest.mark.slow
def test_a_memory_finds_all_architectures_of_a_small_space_sooner():
    space = branching_space()

    def distinct(memory):
        searcher = reinforce(lstm(space, hidden=4), memory=memory)
        state = searcher.init(jax.random.key(0))
        seen = set()
        for _ in range(4):
            state, architectures = searcher.ask(state, 4)
            seen |= {tuple(a) for a in np.asarray(architectures).tolist()}
            state, _ = searcher.tell(state, architectures, jnp.zeros(4))
        return len(seen)

    assert distinct(64) > distinct(0)


def test_learns_the_best_architecture_of_a_loop():
    space = loop_space()
    target = jnp.array([1, 1, 0, 0, -1, -1])  # pool, again, conv, stop
    searcher = reinforce(lstm(space, hidden=8), optax.adam(0.05), memory=0)

    def step(state, _):
        state, architectures = searcher.ask(state, 10)
        rewards = jnp.mean(architectures == target, axis=-1)
        state, metrics = searcher.tell(state, architectures, rewards)
        return state, metrics["reward_mean"]

    state, means = jax.lax.scan(step, searcher.init(jax.random.key(0)), length=100)
    np.testing.assert_array_equal(state.record.best_architecture, target)
    assert means[-10:].mean() > means[:5].mean() + 0.2
    policy = lstm(space, hidden=8)
    best = jnp.argmax(policy.log_prob(state.policy, everything(space)))
    np.testing.assert_array_equal(everything(space)[best], target)


def test_context_reaches_the_policy_and_keeps_its_rows():
    policy = lstm(SPACE, hidden=4, context_size=2, init_scale=1.0)
    searcher = reinforce(policy, optax.adam(0.05), entropy_target=0.0)
    context = jnp.repeat(jnp.eye(2), 8, axis=0)

    def step(state, _):
        state, architectures = searcher.ask(state, 16, context)
        rewards = (architectures[:, 0] == context[:, 1]) * 1.0
        state, metrics = searcher.tell(state, architectures, rewards, context)
        return state, metrics["reward_mean"]

    _, means = jax.lax.scan(step, searcher.init(jax.random.key(0)), length=80)
    assert means[-5:].mean() > 0.9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"baseline_decay": 1.0}, "'baseline_decay' is 1.0"),
        ({"entropy_weight": -1.0}, "'entropy_weight' is -1.0"),
        ({"reward_scale": 0.0}, "'reward_scale' is 0.0"),
        ({"memory": -1}, "'memory' is -1"),
        ({"replay": -1}, "'replay' is -1"),
        ({"replay_updates": 0}, "'replay_updates' is 0"),
        ({"entropy_target": math.nan}, "'entropy_target' is nan"),
        ({"entropy_target": -0.1}, "'entropy_target' is -0.1; it must be >= 0"),
        ({"baseline_start": math.nan, "memory": 0}, "'baseline_start' is nan; it must be finite"),
    ],
)
def test_bad_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        reinforce(SPACE, **options)
