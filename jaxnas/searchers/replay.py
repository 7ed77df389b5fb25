"""Replay: several policy gradients for each batch of rewards, over remembered architectures.

The objective is E[score] + temperature * entropy. Its REINFORCE gradient has the advantage

    score - temperature * log p - mean,

and the best policy, p ~ exp(score / temperature), makes that advantage 0 for every architecture,
whoever sampled it. So the same gradient may be taken over old samples, without importance weights.

Source: Nachum et al. 2017, "Bridging the gap between value and policy based reinforcement learning"
(arXiv:1702.08892), for consistency along off-policy paths; Richter et al. 2020, "VarGrad"
(arXiv:2010.10436), for the mean of the batch as the baseline; Haarnoja et al. 2018, "Soft
actor-critic algorithms and applications" (arXiv:1812.05905), section 5, for a temperature that
keeps an entropy. Ranks in place of rewards are from evolution strategies (Wierstra et al. 2014,
"Natural evolution strategies", section 3.1).
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import optax

from jaxnas.policies import Policy
from jaxnas.searchers.base import Metrics
from jaxnas.searchers.memory import recall, scores_among
from jaxnas.searchers.reinforce_state import ReinforceState
from jaxnas.spaces import SearchSpace

_TEMPERATURE_RATE = 0.02
"""How fast the logarithm of the temperature follows a missing or surplus nat of entropy."""
_TEMPERATURES = (0.03, 1.0)
"""The lowest and the highest temperature, in standard deviations of the rewards."""


def default_entropy(space: SearchSpace) -> float:
    """The entropy that is kept, in nats: 5 (some 150 architectures), or less in a small space."""
    return min(5.0, 0.6 * math.log(space.count()))


def replay_updates(
    policy: Policy,
    optimizer: optax.GradientTransformation,
    state: ReinforceState,
    architectures: jax.Array,
    rewards: jax.Array,
    num: int,
    updates: int,
) -> tuple[ReinforceState, Metrics]:
    """Updates the policy `updates` times, by the new batch and `num` remembered architectures.

    Args:
      policy: the policy to train.
      optimizer: what its updates come from.
      state: the state, its memory holding the new batch already.
      architectures: `int32 [N, T]`, the new batch.
      rewards: `[N]`, finite.
      num: how many others to draw from the memory for each update.
      updates: how many updates to make.
    """
    scores = scores_among(state.memory, rewards)

    def update(state: ReinforceState, key: jax.Array) -> tuple[ReinforceState, Metrics]:
        others, their_rewards = recall(state.memory, key, num)
        their_scores = scores_among(state.memory, their_rewards)
        everyone = jnp.concatenate([architectures, others])
        together = state.settings.reward_scale * jnp.concatenate([scores, their_scores])
        return _update(policy, optimizer, state, everyone, together, len(architectures))

    key, replay_key = jax.random.split(state.key)
    keys = jax.random.split(replay_key, updates)
    state, metrics = jax.lax.scan(update, state._replace(key=key), keys)
    return state, jax.tree.map(lambda x: x[-1], metrics)


def _update(policy: Policy, optimizer, state: ReinforceState, architectures, scores, num_new):
    """One update; the entropy is that of the `num_new` first architectures."""

    def loss(params):
        evaluation = policy.evaluate(params, architectures)
        advantages = scores - state.temperature * evaluation.log_prob
        advantages = jax.lax.stop_gradient(advantages - advantages.mean())
        entropy = evaluation.entropy[:num_new].mean()
        return -jnp.mean(advantages * evaluation.log_prob), (entropy, jnp.std(advantages))

    gradient, (entropy, spread) = jax.grad(loss, has_aux=True)(state.policy)
    updates, optimizer_state = optimizer.update(gradient, state.optimizer, state.policy)
    state = state._replace(
        policy=optax.apply_updates(state.policy, updates),
        optimizer=optimizer_state,
        temperature=follow_temperature(state.temperature, state.settings.entropy_target, entropy),
    )
    return state, {
        "entropy": entropy,
        "temperature": state.temperature,
        "advantage_std": spread,
        "gradient_norm": optax.tree.norm(gradient),
    }


def follow_temperature(temperature: jax.Array, target: jax.Array, entropy: jax.Array) -> jax.Array:
    """The temperature after an update, of any shape: higher where entropy is missing."""
    factor = jnp.exp(_TEMPERATURE_RATE * (target - entropy))
    followed = jnp.clip(temperature * factor, *_TEMPERATURES)
    return jnp.where(jnp.isfinite(target), followed, temperature)
