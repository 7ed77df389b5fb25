"""How the learner of off-policy PPO is trained on the trials of its banks.

Source: Schulman et al. 2017, "Proximal policy optimization algorithms" (arXiv:1707.06347),
equation 7, for the objective. The entropy of an off-policy learner is kept as in `replay.py`, with
the sources there: the best policy for E[score] + temperature * entropy makes the advantage
`score - temperature * log p - mean` 0 for every trial, whoever sampled it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxnas.searchers.base import Metrics
from jaxnas.searchers.ppo_config import PPOConfig
from jaxnas.searchers.ppo_state import PPOState
from jaxnas.searchers.replay import follow_temperature
from jaxnas.searchers.replay_bank import advantages, draw, rank_scores


class Actions(NamedTuple):
    """What a policy says of the actions of architectures.

    Attributes:
      log_probs: `[N, T]`, 0 where no action counts.
      counts: `bool [N, T]`, whether the action counts: not after the end, nor where it is dead.
      entropy: `[N]`, of the policy.
    """

    log_probs: jax.Array
    counts: jax.Array
    entropy: jax.Array


def actions_of(config: PPOConfig, params, architectures, tasks) -> Actions:
    """What the policy with these parameters says of architectures `[N, T]` of tasks `[N]`."""
    evaluation = config.policy.evaluate(params, architectures, tasks)
    actions = jnp.maximum(architectures, 0)[..., None]
    taken = jnp.take_along_axis(evaluation.probabilities, actions, -1)[..., 0]
    # A dead decision of `masked` has no probabilities; what is not a number must stay seen.
    counts = (architectures >= 0) & (evaluation.probabilities != 0).any(-1)
    tiny = jnp.finfo(taken.dtype).tiny
    log_probs = jnp.log(jnp.maximum(jnp.where(counts, taken, 1.0), tiny))
    return Actions(log_probs, counts, evaluation.entropy)


def train(config: PPOConfig, state: PPOState) -> tuple[PPOState, Metrics]:
    """Updates the learner `config.updates` times; the metrics are those of the last update."""
    key, update_key = jax.random.split(state.key)

    def update(state: PPOState, key: jax.Array) -> tuple[PPOState, Metrics]:
        return _update(config, state, key)

    keys = jax.random.split(update_key, config.updates)
    state, metrics = jax.lax.scan(update, state._replace(key=key), keys)
    return state, jax.tree.map(lambda x: x[-1], metrics)


def _update(config: PPOConfig, state: PPOState, key: jax.Array) -> tuple[PPOState, Metrics]:
    """One update of the learner."""
    tasks, architectures, rewards, old = draw(state.bank, key, config.replay)
    rows = tasks if config.per_task else jnp.zeros_like(tasks)
    if config.advantage == "rank":
        scores = rank_scores(state.bank, tasks, rewards, config.per_task)
    else:
        scores = advantages(state.averages, rows, rewards, config.advantage)
    if config.ratio == "actor":
        old = actions_of(config, state.actor, architectures, tasks).log_probs
    clip = state.settings.clip

    def loss(params: Any) -> tuple[jax.Array, tuple[jax.Array, ...]]:
        log_probs, counts, entropy = actions_of(config, params, architectures, tasks)
        ratio = jnp.exp(log_probs - old)
        clipped = jnp.clip(ratio, 1 - clip, 1 + clip)
        advantage, bonus = _advantage(config, state, rows, scores, log_probs, entropy)
        advantage = advantage[:, None]
        gain = jnp.minimum(ratio * advantage, clipped * advantage)
        gain = jnp.where(counts, gain, 0.0).sum(-1).mean()
        share = (clipped != ratio).mean(dtype=ratio.dtype)
        return -gain - bonus, (entropy, share, jnp.std(advantage))

    gradient, (entropy, clipped, spread) = jax.grad(loss, has_aux=True)(state.learner)
    changes, optimizer = config.optimizer.update(gradient, state.optimizer, state.learner)
    learner = optax.apply_updates(state.learner, changes)
    metrics = {
        "entropy": entropy.mean(),
        "clipped_fraction": clipped,
        "advantage_std": spread,
        "gradient_norm": optax.tree.norm(gradient),
    }
    if config.follows_entropy:
        state = state._replace(temperature=_follow(state, rows, entropy))
        metrics["temperature"] = state.temperature[rows].mean()
    return state._replace(learner=learner, optimizer=optimizer), metrics


def _advantage(config: PPOConfig, state: PPOState, rows, scores, log_probs, entropy):
    """The advantages `[N]`, and the bonus on the entropy `[]`."""
    if not config.follows_entropy:
        return scores, state.settings.entropy_weight * entropy.mean()
    soft = scores - state.temperature[rows] * log_probs.sum(-1)
    same = (rows[:, None] == rows).astype(soft.dtype)
    return jax.lax.stop_gradient(soft - same @ soft / same.sum(-1)), 0.0


def _follow(state: PPOState, rows: jax.Array, entropy: jax.Array) -> jax.Array:
    """The temperatures `[K]` after an update; those of tasks that were not drawn stay."""
    member = jax.nn.one_hot(rows, len(state.temperature), dtype=entropy.dtype)
    count = member.sum(0)
    mean = entropy @ member / jnp.maximum(count, 1)
    followed = follow_temperature(state.temperature, state.settings.entropy_target, mean)
    return jnp.where(count > 0, followed, state.temperature)
