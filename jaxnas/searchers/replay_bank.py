"""The trials of several tasks that are trained on again, and how good each was for its task.

Source: Wong et al. 2018, "Transfer learning with neural AutoML" (arXiv:1803.02780), for multitask
replay and for advantages that are normalised task by task.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

from jaxnas.searchers.ranks import normal_scores
from jaxnas.spaces import SearchSpace

Scale = Literal["rank", "std", "baseline", "none"]
"""What advantages are divided by, or the rank of the reward in place of its value."""

_LEAST_BASELINE = 0.05


class ReplayBank(NamedTuple):
    """The last `M` trials of each of `K` tasks, in rings.

    Attributes:
      architectures: `int32 [K, M, T]`, -1 in empty places.
      rewards: `[K, M]`, finite.
      log_probs: `[K, M, T]`, of each action by the policy that acted, 0 where there was none.
      stored: `int32 [K]`, how many trials of the task were stored in all.
    """

    architectures: jax.Array
    rewards: jax.Array
    log_probs: jax.Array
    stored: jax.Array


class TaskRewards(NamedTuple):
    """Moving averages of the rewards of each of `K` tasks.

    Attributes:
      baseline: `[K]`, of the rewards.
      variance: `[K]`, of squared distances from the baseline.
      seen: `bool [K]`, whether the task has had a reward.
    """

    baseline: jax.Array
    variance: jax.Array
    seen: jax.Array


def new_bank(space: SearchSpace, tasks: int, size: int) -> ReplayBank:
    """An empty bank of `size` trials for each task."""
    length, dtype = space.max_length, jnp.result_type(float)
    return ReplayBank(
        jnp.full((tasks, size, length), -1, jnp.int32),
        jnp.zeros((tasks, size), dtype),
        jnp.zeros((tasks, size, length), dtype),
        jnp.zeros((tasks,), jnp.int32),
    )


def store(
    bank: ReplayBank, tasks: jax.Array, architectures: jax.Array, rewards, log_probs
) -> ReplayBank:
    """Adds trials `[N]` of any tasks `[N]`; the oldest of each task make room."""
    size = bank.rewards.shape[1]
    same = jnp.tril(tasks[:, None] == tasks, -1)
    later = (jnp.triu(tasks[:, None] == tasks, 1)).sum(-1)
    places = (bank.stored[tasks] + same.sum(-1)) % size
    # Of more than `size` new trials of a task the last ones stay; the others go nowhere.
    rows = jnp.where(later < size, tasks, len(bank.stored))

    def put(array: jax.Array, values: Any) -> jax.Array:
        return array.at[rows, places].set(jnp.asarray(values, array.dtype), mode="drop")

    return ReplayBank(
        put(bank.architectures, architectures),
        put(bank.rewards, rewards),
        put(bank.log_probs, log_probs),
        bank.stored.at[tasks].add(1),
    )


def draw(bank: ReplayBank, key: jax.Array, num: int) -> tuple[jax.Array, ...]:
    """Draws trials with replacement: first the task, uniformly, then one of its trials.

    Returns:
      Tasks `int32 [num]`, architectures `[num, T]`, rewards `[num]` and log-probabilities
      `[num, T]`. A task without trials is never drawn; the bank must have one trial.
    """
    task_key, place_key = jax.random.split(key)
    open_tasks = jnp.where(bank.stored > 0, 0.0, -jnp.inf)
    tasks = jax.random.categorical(task_key, open_tasks, shape=(num,)).astype(jnp.int32)
    filled = jnp.minimum(bank.stored, bank.rewards.shape[1])[tasks]
    places = jax.random.randint(place_key, (num,), 0, jnp.maximum(filled, 1))
    return (
        tasks,
        bank.architectures[tasks, places],
        bank.rewards[tasks, places],
        bank.log_probs[tasks, places],
    )


def new_rewards(tasks: int) -> TaskRewards:
    """No reward of any task."""
    zeros = jnp.zeros((tasks,), jnp.result_type(float))
    return TaskRewards(zeros, zeros, jnp.zeros((tasks,), bool))


def follow(
    averages: TaskRewards, tasks: jax.Array, rewards: jax.Array, decay: jax.Array
) -> TaskRewards:
    """The averages after a batch of rewards `[N]` of tasks `[N]`.

    The baseline of a task starts at its first mean; a batch moves it by `1 - decay` towards the
    mean of the batch. Distances are taken from the baseline before the batch.
    """
    number = len(averages.baseline)
    dtype = averages.baseline.dtype
    member = jax.nn.one_hot(tasks, number, dtype=dtype)
    count = member.sum(0)
    mean = (rewards @ member) / jnp.maximum(count, 1)
    baseline = jnp.where(averages.seen, averages.baseline, mean)
    squares = ((rewards[:, None] - baseline) ** 2 * member).sum(0) / jnp.maximum(count, 1)
    variance = jnp.where(averages.seen, averages.variance, squares)
    here = count > 0

    def move(old: jax.Array, new: jax.Array) -> jax.Array:
        return jnp.where(here, decay * old + (1 - decay) * new, old)

    return TaskRewards(move(baseline, mean), move(variance, squares), averages.seen | here)


def advantages(
    averages: TaskRewards, tasks: jax.Array, rewards: jax.Array, scale: Scale
) -> jax.Array:
    """`(R - b) / s` `[N]` with the baseline of each reward's task.

    `s` is the root of the moving average of `(R - b)^2` for `std`, `max(b, 0.05)` for `baseline`
    (the paper's), and 1 for `none`.
    """
    baseline = averages.baseline[tasks]
    if scale == "none":
        return rewards - baseline
    if scale == "baseline":
        return (rewards - baseline) / jnp.maximum(baseline, _LEAST_BASELINE)
    # The second term: rewards that are equal but for rounding have no advantage.
    spread = jnp.sqrt(averages.variance[tasks]) + 1e-6 * jnp.abs(baseline) + 1e-30
    return (rewards - baseline) / spread


def rank_scores(
    bank: ReplayBank, tasks: jax.Array, rewards: jax.Array, per_task: bool = True
) -> jax.Array:
    """The normal scores `[N]` of trials of the bank, among those of their own task or of all."""
    filled = jnp.arange(bank.rewards.shape[1]) < bank.stored[:, None]
    if per_task:
        return normal_scores(rewards, bank.rewards[tasks], filled[tasks])
    return normal_scores(rewards, bank.rewards.reshape(-1), filled.reshape(-1))
