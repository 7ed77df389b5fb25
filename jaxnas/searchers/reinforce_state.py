"""The state of REINFORCE."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax

from jaxnas.searchers.memory import Memory
from jaxnas.searchers.rewards import RewardRecord


class ReinforceSettings(NamedTuple):
    """The numbers of `reinforce`, each `[]`; in the state, so that they can be changed on the way.

    `state._replace(settings=...)` anneals them, and `vmap` over states runs many settings at once.
    """

    baseline_decay: jax.Array
    entropy_weight: jax.Array
    entropy_target: jax.Array
    reward_scale: jax.Array
    skip_weight: jax.Array
    skip_target: jax.Array


class ReinforceState(NamedTuple):
    """The state of REINFORCE.

    Attributes:
      key: the PRNG key.
      policy: the parameters of the policy.
      optimizer: the state of the Optax optimiser.
      baseline: `[]`, the moving average of rewards.
      variance: `[]`, the moving average of squared distances from the baseline.
      temperature: `[]`, the weight of the entropy in updates from the memory.
      updates: `int32 []`, after how many batches the policy was updated.
      settings: the numbers that `reinforce` was made with.
      memory: the architectures evaluated lately, and their rewards.
      record: the rewards seen.
    """

    key: jax.Array
    policy: Any
    optimizer: Any
    baseline: jax.Array
    variance: jax.Array
    temperature: jax.Array
    updates: jax.Array
    settings: ReinforceSettings
    memory: Memory
    record: RewardRecord
