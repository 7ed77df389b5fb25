"""The record of rewards, and rewards that are not finite."""

import jax.numpy as jnp
import numpy as np

from jaxnas.searchers.rewards import new_record, observe
from jaxnas.spaces import chain

SPACE = chain(1, ("a", "b", "c"))
ARCHITECTURES = jnp.array([[0], [1], [2]])


def test_best_and_worst_by_hand():
    record, seen, metrics = observe(new_record(SPACE), ARCHITECTURES, [0.5, 2.0, 1.0])
    np.testing.assert_array_equal(seen.rewards, [0.5, 2.0, 1.0])
    assert (float(record.best_reward), float(record.worst_reward)) == (2.0, 0.5)
    assert record.best_architecture.tolist() == [1]
    assert int(record.evaluations) == 3
    expected = {"reward_max": 2.0, "reward_best": 2.0, "finite_fraction": 1.0}
    assert {k: float(metrics[k]) for k in expected} == expected


def test_what_is_not_finite_counts_as_the_worst_so_far():
    record, _, _ = observe(new_record(SPACE), ARCHITECTURES, [0.5, 2.0, 1.0])
    bad = [jnp.nan, jnp.inf, 3.0]
    record, seen, metrics = observe(record, ARCHITECTURES, bad)
    np.testing.assert_array_equal(seen.rewards, [0.5, 0.5, 3.0])
    np.testing.assert_allclose(metrics["finite_fraction"], 1 / 3)
    assert record.best_architecture.tolist() == [2]

    record, seen, _ = observe(record, ARCHITECTURES, [-1.0, -jnp.inf, jnp.nan])
    np.testing.assert_array_equal(seen.rewards, [-1.0, -1.0, -1.0])
    assert float(record.worst_reward) == -1.0


def test_a_batch_without_any_finite_reward_is_told_apart():
    record, seen, metrics = observe(new_record(SPACE), ARCHITECTURES, [jnp.nan] * 3)
    assert not bool(seen.any_finite)
    assert np.isfinite(seen.rewards).all()
    assert np.isnan(metrics["reward_mean"])
    assert record.best_architecture.tolist() == [-1]
    assert float(record.best_reward) == -jnp.inf


def test_the_first_of_equally_good_architectures_is_kept():
    record, _, _ = observe(new_record(SPACE), ARCHITECTURES, [1.0, 1.0, 0.0])
    record, _, _ = observe(record, ARCHITECTURES[::-1], [1.0, 1.0, 0.0])
    assert record.best_architecture.tolist() == [0]


def test_whole_numbers_are_rewards_too():
    _, seen, _ = observe(new_record(SPACE), ARCHITECTURES, [1, 2, 3])
    assert seen.rewards.dtype == jnp.float32
