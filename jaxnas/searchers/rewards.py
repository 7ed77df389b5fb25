"""What every searcher does with rewards: the best and the worst so far, and what is not finite."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnas.searchers.base import Metrics
from jaxnas.spaces import SearchSpace


class RewardRecord(NamedTuple):
    """The rewards that a search has seen.

    Attributes:
      evaluations: `int32 []`, how many architectures have been told.
      best_reward: `[]`, minus infinity before the first finite reward.
      best_architecture: `int32 [T]`, the first one with that reward; -1 before it.
      worst_reward: `[]`, plus infinity before the first finite reward.
    """

    evaluations: jax.Array
    best_reward: jax.Array
    best_architecture: jax.Array
    worst_reward: jax.Array


class Observation(NamedTuple):
    """A batch of rewards made safe.

    Attributes:
      rewards: `[N]`; those that were not finite are replaced by the worst finite one so far.
      any_finite: `bool []`; where false, `rewards` means nothing and must not be used.
    """

    rewards: jax.Array
    any_finite: jax.Array


def new_record(space: SearchSpace) -> RewardRecord:
    """The record of a search that has seen nothing."""
    architecture = jnp.full((space.max_length,), -1, jnp.int32)
    infinity = jnp.asarray(jnp.inf, jnp.result_type(float))
    return RewardRecord(jnp.int32(0), -infinity, architecture, infinity)


def observe(
    record: RewardRecord, architectures: Any, rewards: Any
) -> tuple[RewardRecord, Observation, Metrics]:
    """Adds a batch to the record and replaces rewards that are not finite.

    Args:
      record: what was seen before.
      architectures: `int32 [N, T]`.
      rewards: `[N]`, higher is better.

    Returns:
      The new record, the safe rewards, and the metrics that all searchers share: `reward_mean`
      (not a number if no reward of the batch is finite), `reward_max`, `reward_best` and
      `finite_fraction`.

    Raises:
      ValueError: the shapes do not fit together.
    """
    architectures = jnp.asarray(architectures, jnp.int32)
    rewards = jnp.asarray(rewards, record.best_reward.dtype)
    length = record.best_architecture.shape[-1]
    if rewards.ndim != 1 or architectures.shape != (rewards.shape[0], length):
        raise ValueError(
            f"tell needs architectures [N, {length}] and rewards [N], not "
            f"{list(architectures.shape)} and {list(rewards.shape)}."
        )
    finite = jnp.isfinite(rewards)
    worst = jnp.minimum(record.worst_reward, jnp.min(jnp.where(finite, rewards, jnp.inf)))
    position = jnp.argmax(jnp.where(finite, rewards, -jnp.inf))
    highest = jnp.where(finite, rewards, -jnp.inf)[position]
    better = highest > record.best_reward
    best = jnp.where(better, architectures[position], record.best_architecture)
    record = RewardRecord(
        record.evaluations + rewards.shape[0],
        jnp.maximum(highest, record.best_reward),
        best,
        worst,
    )
    safe = jnp.where(finite, rewards, jnp.where(jnp.isfinite(worst), worst, 0.0))
    any_finite = jnp.any(finite)
    metrics = {
        "reward_mean": jnp.where(any_finite, safe.mean(), jnp.nan),
        "reward_max": highest,
        "reward_best": record.best_reward,
        "finite_fraction": finite.mean(dtype=safe.dtype),
    }
    return record, Observation(safe, any_finite), metrics


def keep_if(condition: jax.Array, new: Any, old: Any) -> Any:
    """The pytree `new` where `condition` `[]` holds, else `old`."""
    return jax.tree.map(lambda n, o: jnp.where(condition, n, o), new, old)
