"""PPO: its banks, its averages, its gradient, and that it tells tasks apart."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.stats import norm
from small_spaces import loop_space

from jaxnas.policies import lstm, masked, new_task, with_tasks
from jaxnas.searchers import ppo, transfer, transfer_optimizer
from jaxnas.searchers.replay_bank import (
    advantages,
    draw,
    follow,
    new_bank,
    new_rewards,
    rank_scores,
    store,
)
from jaxnas.spaces import chain, unroll

pytestmark = pytest.mark.usefixtures("quick_compilation")

SPACE = chain(2, ("a", "b"))


def policy(space=SPACE, tasks=2):
    return with_tasks(lstm(space, hidden=3, context_size=2, init_scale=1.0), tasks, scale=1.0)


SEARCHER = ppo(policy(), 2, sync_every=2)


def test_banks_are_rings_of_their_tasks():
    bank = new_bank(SPACE, 2, 3)
    told = {0: [], 1: []}
    for batch in ([0, 1, 0], [0, 0, 0, 0, 1], [1]):
        rewards = np.arange(len(batch)) + 10.0 * sum(map(len, told.values()))
        architectures = np.stack([rewards, rewards + 1], -1).astype(np.int32)
        for task, reward in zip(batch, rewards, strict=True):
            told[task].append(reward)
        bank = store(bank, jnp.array(batch), architectures, rewards, architectures / 100)
    assert bank.stored.tolist() == [6, 3]
    for task, rewards in told.items():
        assert sorted(bank.rewards[task].tolist()) == rewards[-3:]
    np.testing.assert_array_equal(bank.architectures[..., 0], bank.rewards)
    np.testing.assert_allclose(bank.log_probs[..., 1] * 100, bank.rewards + 1, rtol=1e-6)


def test_drawn_trials_are_of_tasks_that_have_some():
    bank = new_bank(SPACE, 3, 4)
    architectures = np.array([[0, 1], [1, 1], [1, 0]], np.int32)
    bank = store(bank, jnp.array([2, 2, 0]), architectures, [1.0, 2.0, 3.0], np.zeros((3, 2)))
    tasks, drawn, rewards, _ = draw(bank, jax.random.key(0), 400)
    assert set(np.unique(tasks)) == {0, 2}
    # Half of the trials are of each task, within six standard deviations.
    assert abs(int((tasks == 0).sum()) - 200) < 60
    assert set(np.unique(rewards)) == {1.0, 2.0, 3.0}
    np.testing.assert_array_equal(drawn, architectures[rewards.astype(int) - 1])


def test_averages_follow_each_task():
    random, decay = np.random.default_rng(0), 0.8
    averages, expected = new_rewards(2), {}
    for _ in range(6):
        tasks, rewards = random.integers(0, 2, 3), random.normal(size=3) + 2
        averages = follow(averages, jnp.asarray(tasks), jnp.asarray(rewards), decay)
        for task in np.unique(tasks):
            mine = rewards[tasks == task]
            baseline, variance = expected.get(task, (mine.mean(), None))
            square = ((mine - baseline) ** 2).mean()
            variance = square if variance is None else variance
            expected[task] = (
                decay * baseline + (1 - decay) * mine.mean(),
                decay * variance + (1 - decay) * square,
            )
    for task, (baseline, variance) in expected.items():
        assert float(averages.baseline[task]) == pytest.approx(baseline, rel=1e-5)
        assert float(averages.variance[task]) == pytest.approx(variance, rel=1e-4)
        of = {
            scale: float(advantages(averages, jnp.array([task]), jnp.array([3.0]), scale)[0])
            for scale in ("none", "baseline", "std")
        }
        assert of["none"] == pytest.approx(3 - baseline, rel=1e-4)
        assert of["baseline"] == pytest.approx((3 - baseline) / baseline, rel=1e-4)
        assert of["std"] == pytest.approx((3 - baseline) / variance**0.5, rel=1e-3)


def ranked(rewards, others):
    """The normal scores of rewards among others, one by one."""
    quantiles = [(others < r).mean() / 2 + (others <= r).mean() / 2 for r in rewards]
    return norm.ppf(np.clip(quantiles, 0.5 / len(others), 1 - 0.5 / len(others)))


def test_ranks_are_among_the_trials_of_the_task():
    bank = new_bank(SPACE, 2, 4)
    rewards = {0: np.array([0.3, 0.1, 0.3]), 1: np.array([5.0, 9.0, 7.0, 8.0])}
    for task, mine in rewards.items():
        rows, nothing = jnp.full(len(mine), task), np.zeros((len(mine), 2))
        bank = store(bank, rows, nothing, mine, nothing)
    for task, mine in rewards.items():
        found = rank_scores(bank, jnp.full(len(mine), task), jnp.asarray(mine))
        np.testing.assert_allclose(found, ranked(mine, mine), rtol=1e-5, atol=1e-6)
    both = np.concatenate([rewards[0], rewards[1]])
    found = rank_scores(bank, jnp.zeros(3, int), jnp.asarray(rewards[0]), per_task=False)
    np.testing.assert_allclose(found, ranked(rewards[0], both), rtol=1e-5, atol=1e-6)


def log_probs_by_hand(trained, params, drawn, rows):
    """The log-probability of each action, 0 after the end; and the entropy of each walk."""
    evaluation = trained.evaluate(params, drawn, rows)
    taken = np.array(evaluation.probabilities)
    steps = [
        [taken[i, t, a] if a >= 0 else 1.0 for t, a in enumerate(row)]
        for i, row in enumerate(drawn)
    ]
    return np.log(steps), np.asarray(evaluation.entropy)


def clipped_gain(new, old, drawn, advantage):
    """The mean over trials of the clipped objective."""
    total = 0.0
    for i, row in enumerate(drawn):
        for t, action in enumerate(row):
            if action >= 0:
                r = np.exp(new[i, t] - old[i, t])
                total += min(r * advantage[i], np.clip(r, 0.8, 1.2) * advantage[i])
    return total / len(drawn)


@pytest.mark.slow
@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("target", [math.inf, 0.5])
def test_the_gradient_is_that_of_the_clipped_objective(target):
    space, follows = loop_space(2), math.isfinite(target)
    trained = policy(space)
    options = {"replay": 6, "updates": 1, "entropy_weight": 0.3, "sync_every": 9, "candidates": 1}
    options |= {"advantage": "rank" if follows else "std", "entropy_target": target}
    searcher = ppo(trained, 2, optax.sgd(1.0), **options)
    state = searcher.init(jax.random.key(0))
    tasks = jnp.array([0, 1, 1, 0])
    state, architectures = searcher.ask(state, 4, tasks)
    # A learner that has moved away: some ratios are past the clip.
    random, step = np.random.default_rng(1), 1e-6
    moved = jax.tree.map(lambda x: x + random.normal(size=x.shape), state.actor)
    state = state._replace(learner=moved)
    rewards = jnp.array([0.2, 0.9, 0.4, 0.7])
    after, metrics = searcher.tell(state, architectures, rewards, tasks)
    assert 0 < float(metrics["clipped_fraction"]) < 1
    key = jax.random.split(jax.random.split(state.key)[1], 1)[0]
    rows, drawn, gained, behavior = (np.asarray(x) for x in draw(after.bank, key, 6))
    old = log_probs_by_hand(trained, state.actor, drawn, rows)[0]
    # What the bank holds is of the policy that sampled, which has not changed yet.
    np.testing.assert_allclose(behavior, old, rtol=1e-10, atol=1e-12)
    now, entropies = log_probs_by_hand(trained, moved, drawn, rows)
    if follows:
        of = np.asarray(rewards)
        scores = np.array(
            [ranked([g], of[tasks == r])[0] for g, r in zip(gained, rows, strict=True)]
        )
        soft = scores - 0.3 * now.sum(-1)
        advantage = soft - np.array([soft[rows == r].mean() for r in rows])
        # The missing entropy of each task makes its temperature rise.
        expected = [0.3 * np.exp(0.02 * (target - entropies[rows == k].mean())) for k in (0, 1)]
        np.testing.assert_allclose(after.temperature, expected, rtol=1e-10)
    else:
        baseline, variance = after.averages.baseline[rows], after.averages.variance[rows]
        advantage = np.asarray((gained - baseline) / np.sqrt(variance))

    def objective(params):
        new, entropy = log_probs_by_hand(trained, params, drawn, rows)
        bonus = 0.0 if follows else 0.3 * float(entropy.mean())
        return clipped_gain(new, old, drawn, advantage) + bonus

    direction = jax.tree.map(lambda x: random.normal(size=x.shape), moved)
    ahead, behind = (
        objective(jax.tree.map(lambda p, d, s=s: p + s * d, moved, direction))
        for s in (step, -step)
    )
    slope = sum(
        float(((a - b) * d).sum())
        for a, b, d in zip(*map(jax.tree.leaves, (after.learner, moved, direction)), strict=True)
    )
    assert slope == pytest.approx((ahead - behind) / (2 * step), rel=1e-5)


def test_dead_decisions_have_no_part_in_log_probabilities():
    unrolled = unroll(loop_space(2))
    live = masked(lstm(unrolled.space, hidden=3, context_size=2, init_scale=1.0), unrolled.live)
    trained = with_tasks(live, 1)
    searcher, every = ppo(trained, 1), unrolled.space.all_architectures()
    state = searcher.init(jax.random.key(0))
    after, _ = searcher.tell(state, every, jnp.arange(len(every)) / len(every))
    dead = ~np.asarray(unrolled.live(every))
    tasks = jnp.zeros(len(every), jnp.int32)
    kept = np.asarray(after.bank.log_probs[0, : len(every)])
    assert dead.any()
    assert not kept[dead].any()
    expected = trained.log_prob(state.actor, every, tasks)
    np.testing.assert_allclose(kept.sum(-1), expected, rtol=1e-5)


@pytest.mark.slow
def test_conflicting_tasks_are_told_apart():
    searcher = ppo(SPACE, 2, optax.adam(0.02), entropy_target=0.3, candidates=1)
    tasks = jnp.array([0, 0, 1, 1])

    def step(state, _):
        state, architectures = searcher.ask(state, 4, tasks)
        good = (architectures == tasks[:, None]).mean(-1)
        # One task's rewards are a hundred times the other's.
        rewards = good * jnp.where(tasks == 0, 1.0, 0.01)
        state, _ = searcher.tell(state, architectures, rewards, tasks)
        return state, good

    state, good = jax.lax.scan(step, searcher.init(jax.random.key(0)), length=80)
    assert float(good[-20:, :2].mean()) > 0.9
    assert float(good[-20:, 2:].mean()) > 0.9
    assert state.best_architecture.tolist() == [[0, 0], [1, 1]]
    np.testing.assert_allclose(state.best_reward, [1, 0.01])


@pytest.mark.slow
def test_the_actor_waits_and_a_task_without_rewards_has_no_best():
    searcher = SEARCHER
    first = searcher.init(jax.random.key(0))
    architectures, tasks = np.array([[0, 1], [1, 1]]), jnp.array([1, 1])
    state, metrics = searcher.tell(first, architectures, [0.5, jnp.nan], tasks)
    jax.tree.map(np.testing.assert_array_equal, state.actor, first.actor)
    assert state.best_reward.tolist() == [-jnp.inf, 0.5]
    assert state.best_architecture.tolist() == [[-1, -1], [0, 1]]
    assert float(metrics["finite_fraction"]) == 0.5
    state, _ = searcher.tell(state, architectures, [0.1, 0.2], tasks)
    jax.tree.map(np.testing.assert_array_equal, state.actor, state.learner)
    # A batch without any finite reward changes nothing but the record.
    same, _ = searcher.tell(state, architectures, [jnp.nan, jnp.inf], tasks)
    jax.tree.map(np.testing.assert_array_equal, same.learner, state.learner)
    assert int(same.record.evaluations) == 6


def test_a_controller_goes_over_to_a_new_task():
    learned = SEARCHER.init(jax.random.key(0)).learner
    searcher = ppo(policy(tasks=1), 1, transfer_optimizer(0.01), sync_every=1)
    state = transfer(searcher, new_task(learned, jax.random.key(1)), jax.random.key(2))
    after, _ = searcher.tell(state, np.array([[0, 1], [1, 1]]), [0.1, 0.9])
    jax.tree.map(np.testing.assert_array_equal, after.actor["policy"], learned["policy"])
    assert (after.actor["tasks"] != state.actor["tasks"]).all()
    with pytest.raises(ValueError, match=r"do not fit the policy of space 'chain'.*new_task"):
        transfer(searcher, learned, jax.random.key(2))


def test_old_weights_have_a_rate_of_their_own():
    params = {"policy": {"w": jnp.ones(2)}, "tasks": jnp.ones((1, 2))}
    optimizer = transfer_optimizer(0.5, 0.25, optax.sgd)
    updates, _ = optimizer.update(params, optimizer.init(params), params)
    assert updates["tasks"].tolist() == [[-0.5, -0.5]]
    assert updates["policy"]["w"].tolist() == [-0.25, -0.25]


def test_bad_options_and_tasks_are_named():
    bad = ({"clip": 0}, {"baseline_decay": 1}, {"replay": 0}, {"tasks": 0}, {"candidates": 0})
    for options in (*bad, {"greedy": -1}, {"entropy_target": math.nan}):
        with pytest.raises(ValueError, match=f"'{next(iter(options))}' is"):
            ppo(SPACE, **options)
    with pytest.raises(ValueError, match="'advantage' is 'mean'"):
        ppo(SPACE, advantage="mean")
    with pytest.raises(ValueError, match="'tasks' is 3, but the policy is of 2"):
        ppo(policy(tasks=2), 3)
    state = SEARCHER.init(jax.random.key(0))
    with pytest.raises(ValueError, match="say which"):
        SEARCHER.ask(state, 2)
    with pytest.raises(ValueError, match=r"the tasks are \[2\]: give 0 to 1"):
        SEARCHER.ask(state, 1, jnp.array([2]))
