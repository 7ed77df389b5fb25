"""The state of off-policy PPO."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax

from jaxnas.searchers.replay_bank import ReplayBank, TaskRewards
from jaxnas.searchers.rewards import RewardRecord


class PPOSettings(NamedTuple):
    """The numbers of `ppo`, each `[]`; in the state, so that they can be changed on the way."""

    clip: jax.Array
    baseline_decay: jax.Array
    entropy_weight: jax.Array
    entropy_target: jax.Array
    greedy: jax.Array


class PPOState(NamedTuple):
    """The state of PPO.

    Attributes:
      key: the PRNG key.
      actor: the parameters that sample.
      learner: the parameters that are trained.
      optimizer: the state of the Optax optimiser.
      bank: the trials of each task.
      averages: of the rewards of each task; of all of them in row 0 without `per_task`.
      best_reward: `[K]`, of each task; minus infinity for a task without rewards.
      best_architecture: `int32 [K, T]`; -1 for a task without rewards.
      tells: `int32 []`, after how many batches the learner was trained.
      temperature: `[K]`, of each task, where the entropy is kept near a target.
      settings: the numbers that `ppo` was made with.
      record: the rewards seen, of all tasks together.
    """

    key: jax.Array
    actor: Any
    learner: Any
    optimizer: Any
    bank: ReplayBank
    averages: TaskRewards
    best_reward: jax.Array
    best_architecture: jax.Array
    tells: jax.Array
    temperature: jax.Array
    settings: PPOSettings
    record: RewardRecord
