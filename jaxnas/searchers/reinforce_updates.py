"""How REINFORCE updates a policy by the new batch alone: advantages, and their gradient."""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
import optax

from jaxnas.policies import Policy
from jaxnas.searchers.reinforce_state import ReinforceState
from jaxnas.searchers.skip_penalty import skip_penalty


@dataclasses.dataclass(frozen=True)
class ReinforceConfig:
    """The arguments of `jaxnas.searchers.reinforce`, hashable: equal ones share programs."""

    policy: Policy
    optimizer: optax.GradientTransformation
    settings: tuple[float, ...]
    normalize_advantage: bool
    memory: int
    replay: int
    replay_updates: int
    baseline_start: float | None
    entropy_in_reward: bool
    has_skip_penalty: bool


def with_entropy(config: ReinforceConfig, state: ReinforceState, architectures, rewards, context):
    """The rewards `[N]`, with the entropies of the walks where they count as reward."""
    if not config.entropy_in_reward:
        return rewards
    entropy = config.policy.evaluate(state.policy, architectures, context).entropy
    return rewards + state.settings.entropy_weight * entropy


def advantages_of(config: ReinforceConfig, state: ReinforceState, rewards: jax.Array):
    """The advantages `[N]`, and the baseline and the variance after this batch."""
    first = state.updates == 0
    mean = rewards.mean()
    start = mean if config.baseline_start is None else config.baseline_start
    baseline = jnp.where(first, start, state.baseline)
    centred = rewards - baseline
    spread = jnp.mean(centred**2)
    decay = state.settings.baseline_decay
    variance = jnp.where(first, spread, decay * state.variance + (1 - decay) * spread)
    advantages = state.settings.reward_scale * centred
    if config.normalize_advantage:
        # The second term: rewards that are equal but for rounding have no advantage.
        advantages = advantages / (jnp.sqrt(variance) + 1e-6 * jnp.abs(baseline) + 1e-30)
    return advantages, decay * baseline + (1 - decay) * mean, variance


def update(config: ReinforceConfig, state: ReinforceState, architectures, advantages, context):
    """One update by the new batch alone."""
    gradient_fn = jax.grad(functools.partial(_loss, config), has_aux=True)
    gradient, entropy = gradient_fn(
        state.policy, architectures, advantages, state.settings, context
    )
    updates, optimizer = config.optimizer.update(gradient, state.optimizer, state.policy)
    policy = optax.apply_updates(state.policy, updates)
    metrics = {
        "entropy": entropy,
        "advantage_std": jnp.std(advantages),
        "gradient_norm": optax.tree.norm(gradient),
    }
    return state._replace(policy=policy, optimizer=optimizer), metrics


def _loss(config: ReinforceConfig, params, architectures, advantages, settings, context):
    """The loss whose gradient is REINFORCE's, and the mean entropy of the policy."""
    evaluation = config.policy.evaluate(params, architectures, context)
    entropy = evaluation.entropy.mean()
    gain = jnp.mean(advantages * evaluation.log_prob)
    if not config.entropy_in_reward:
        gain += settings.entropy_weight * jnp.minimum(entropy, settings.entropy_target)
    if config.has_skip_penalty:
        space, probabilities = config.policy.space, evaluation.probabilities
        penalty = skip_penalty(space, probabilities, settings.skip_target)
        gain -= settings.skip_weight * penalty.mean()
    return -gain, entropy
