"""Off-policy clipped PPO for one task or several, with a replay bank for each.

Two copies of the policy: the actor samples architectures; the learner is trained on trials drawn
from the banks, and becomes the actor every so often.

Source: Wong et al. 2018, "Transfer learning with neural AutoML" (arXiv:1803.02780), for the actor,
the replay of several tasks and the normalisation of advantages task by task; Schulman et al. 2017,
"Proximal policy optimization algorithms" (arXiv:1707.06347), equation 7, for the objective. The
paper leaves sizes open; our reading: one ratio for each decision, clipped at 0.2.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax

from jaxnas.policies import Policy, lstm
from jaxnas.policies.tasks import check_tasks, with_tasks
from jaxnas.searchers.base import Metrics, Searcher
from jaxnas.searchers.ppo_state import PPOSettings, PPOState
from jaxnas.searchers.replay_bank import (
    Scale,
    advantages,
    draw,
    follow,
    new_bank,
    new_rewards,
    store,
)
from jaxnas.searchers.rewards import keep_if, new_record, observe
from jaxnas.spaces import SearchSpace

Ratio = Literal["actor", "behavior"]
"""What the learner's probabilities are divided by."""


@dataclasses.dataclass(frozen=True)
class _Config:
    policy: Policy
    tasks: int
    optimizer: optax.GradientTransformation
    numbers: tuple[float, float, float]
    advantage: Scale
    per_task: bool
    ratio: Ratio
    bank: int
    replay: int
    updates: int
    sync_every: int


def ppo(
    space_or_policy: SearchSpace | Policy,
    tasks: int = 1,
    optimizer: optax.GradientTransformation | None = None,
    *,
    clip: float = 0.2,
    advantage: Scale = "std",
    per_task: bool = True,
    baseline_decay: float = 0.9,
    entropy_weight: float = 0.05,
    ratio: Ratio = "actor",
    bank: int = 500,
    replay: int = 32,
    updates: int = 4,
    sync_every: int = 4,
) -> Searcher:
    """Makes a searcher that trains a policy by off-policy PPO, for several tasks at once.

    `ask` and `tell` take as `context` the task of each architecture, `int32 [N]` in `[0, tasks)`;
    with one task it may be left out. Every `tell` stores the trials and trains the learner
    `updates` times on `replay` trials, of tasks drawn uniformly among those with trials. It
    descends

        -mean(sum over decisions of min(r A, clip(r, 1 - clip, 1 + clip) A)) - entropy_weight * H

    with `r` the learner's probability of an action over the actor's (or over that of the policy
    that sampled it), and `A` the advantage of the reward for its own task.

    Args:
      space_or_policy: a policy made by `jaxnas.policies.with_tasks(..., tasks)`, or a space, whose
        policy is then `with_tasks(lstm(space, hidden=32, context_size=16, init_scale=0.3,
        head_scale=0.0, skip_connection=True), tasks)`.
      tasks: `K`.
      optimizer: any Optax optimiser of the policy's parameters; `optax.adam(0.005)` by default.
      clip: how far a ratio may move before its gradient ends.
      advantage: what `R - b` is divided by: the moving standard deviation `std`, the `baseline`
        itself (the paper's; rewards must be positive), or `none`.
      per_task: whether each task has averages of its own; without, all share theirs.
      baseline_decay: the weight of the old averages, in [0, 1).
      entropy_weight: of the policy's entropy.
      ratio: `actor`, or `behavior` for the policy that sampled the trial.
      bank: how many of its last trials are kept of each task.
      replay: trials of each update.
      updates: of the learner, after each batch of rewards.
      sync_every: the learner becomes the actor after so many batches.

    Raises:
      ValueError: a number out of range; when called, tasks that there are none of.

    Example:
      >>> searcher = ppo(space, tasks=2)
      >>> state = searcher.init(jax.random.key(0))
      >>> which = jnp.array([0, 0, 1, 1])
      >>> state, architectures = searcher.ask(state, 4, which)
      >>> state, metrics = searcher.tell(state, architectures, rewards, which)
    """
    _check(clip, baseline_decay, entropy_weight, advantage, ratio)
    for name, value in (
        ("tasks", tasks),
        ("bank", bank),
        ("replay", replay),
        ("updates", updates),
        ("sync_every", sync_every),
    ):
        if value < 1:
            raise ValueError(f"{name!r} is {value}; it must be >= 1.")
    policy = _default_policy(space_or_policy, tasks)
    optimizer = _default_optimizer() if optimizer is None else optimizer
    numbers = (float(clip), float(baseline_decay), float(entropy_weight))
    sizes = (bank, replay, updates, sync_every)
    return _make(_Config(policy, tasks, optimizer, numbers, advantage, per_task, ratio, *sizes))


def _check(clip, baseline_decay, entropy_weight, advantage, ratio) -> None:
    if not clip > 0:
        raise ValueError(f"'clip' is {clip}; it must be > 0.")
    if not 0 <= baseline_decay < 1:
        raise ValueError(f"'baseline_decay' is {baseline_decay}; it must be in [0, 1).")
    if not entropy_weight >= 0:
        raise ValueError(f"'entropy_weight' is {entropy_weight}; it must be >= 0.")
    if advantage not in ("std", "baseline", "none"):
        raise ValueError(f"'advantage' is {advantage!r}: give 'std', 'baseline' or 'none'.")
    if ratio not in ("actor", "behavior"):
        raise ValueError(f"'ratio' is {ratio!r}: give 'actor' or 'behavior'.")


def _default_policy(given: SearchSpace | Policy, tasks: int) -> Policy:
    if isinstance(given, Policy):
        return given
    options: dict[str, Any] = {"init_scale": 0.3, "head_scale": 0.0, "skip_connection": True}
    return with_tasks(lstm(given, hidden=32, context_size=16, **options), tasks)


@functools.cache
def _default_optimizer() -> optax.GradientTransformation:
    return optax.adam(0.005)


@functools.lru_cache(maxsize=64)
def _make(config: _Config) -> Searcher:
    return Searcher(
        config.policy.space,
        functools.partial(_init, config),
        functools.partial(_ask, config),
        functools.partial(_tell, config),
    )


@functools.partial(jax.jit, static_argnums=0)
def _init(config: _Config, key: jax.Array) -> PPOState:
    key, policy_key = jax.random.split(key)
    params = config.policy.init(policy_key)
    dtype = jnp.result_type(float)
    return PPOState(
        key=key,
        actor=params,
        learner=params,
        optimizer=config.optimizer.init(params),
        bank=new_bank(config.policy.space, config.tasks, config.bank),
        averages=new_rewards(config.tasks),
        best_reward=jnp.full((config.tasks,), -jnp.inf, dtype),
        best_architecture=jnp.full((config.tasks, config.policy.space.max_length), -1, jnp.int32),
        tells=jnp.int32(0),
        settings=PPOSettings(*(jnp.asarray(x, dtype) for x in config.numbers)),
        record=new_record(config.policy.space),
    )


def _tasks(config: _Config, context: Any, num: int) -> jax.Array:
    """The task of each of `num` rows; all 0 where there is one only."""
    if context is None and config.tasks == 1:
        return jnp.zeros((num,), jnp.int32)
    check_tasks(config.tasks, context, num)
    return jnp.asarray(context, jnp.int32)


def _ask(
    config: _Config, state: PPOState, num: int, context: Any = None
) -> tuple[PPOState, jax.Array]:
    return _ask_tasks(config, num, state, _tasks(config, context, num))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _ask_tasks(config: _Config, num: int, state: PPOState, tasks: jax.Array):
    key, sample_key = jax.random.split(state.key)
    sample = config.policy.sample(state.actor, sample_key, num, tasks)
    return state._replace(key=key), sample.architectures


def _tell(
    config: _Config, state: PPOState, architectures: Any, rewards: Any, context: Any = None
) -> tuple[PPOState, Metrics]:
    tasks = _tasks(config, context, len(architectures))
    return _tell_tasks(config, state, architectures, rewards, tasks)


@functools.partial(jax.jit, static_argnums=0)
def _tell_tasks(config: _Config, state: PPOState, architectures, rewards, tasks):
    record, seen, metrics = observe(state.record, architectures, rewards)
    architectures = jnp.asarray(architectures, jnp.int32)
    rows = tasks if config.per_task else jnp.zeros_like(tasks)
    log_probs = _log_probs(config, state.actor, architectures, tasks)[0]
    new = state._replace(
        bank=store(state.bank, tasks, architectures, seen.rewards, log_probs),
        averages=follow(state.averages, rows, seen.rewards, state.settings.baseline_decay),
        tells=state.tells + 1,
    )
    new = _keep_best(new, tasks, architectures, rewards)
    new, update_metrics = _train(config, new)
    synced = new.tells % config.sync_every == 0
    new = new._replace(actor=keep_if(synced, new.learner, new.actor))
    state = keep_if(seen.any_finite, new, state)._replace(record=record)
    return state, metrics | update_metrics


def _keep_best(state: PPOState, tasks, architectures, rewards) -> PPOState:
    """The best finite reward of each task, and the first architecture that had it."""
    rewards = jnp.asarray(rewards, state.best_reward.dtype)
    rewards = jnp.where(jnp.isfinite(rewards), rewards, -jnp.inf)
    of_task = tasks == jnp.arange(len(state.best_reward))[:, None]
    mine = jnp.where(of_task, rewards, -jnp.inf)
    position, highest = mine.argmax(-1), mine.max(-1)
    better = highest > state.best_reward
    best = jnp.where(better[:, None], architectures[position], state.best_architecture)
    return state._replace(
        best_reward=jnp.maximum(highest, state.best_reward), best_architecture=best
    )


def _log_probs(config: _Config, params, architectures, tasks) -> tuple[jax.Array, jax.Array]:
    """The log-probability of each action `[N, T]`, 0 after the end, and the entropies `[N]`."""
    evaluation = config.policy.evaluate(params, architectures, tasks)
    actions = jnp.maximum(architectures, 0)[..., None]
    taken = jnp.take_along_axis(evaluation.probabilities, actions, -1)[..., 0]
    there = architectures >= 0
    tiny = jnp.finfo(taken.dtype).tiny
    log_probs = jnp.log(jnp.maximum(jnp.where(there, taken, 1.0), tiny))
    return log_probs, evaluation.entropy


def _train(config: _Config, state: PPOState) -> tuple[PPOState, Metrics]:
    key, update_key = jax.random.split(state.key)

    def update(state: PPOState, key: jax.Array) -> tuple[PPOState, Metrics]:
        return _update(config, state, key)

    keys = jax.random.split(update_key, config.updates)
    state, metrics = jax.lax.scan(update, state._replace(key=key), keys)
    return state, jax.tree.map(lambda x: x[-1], metrics)


def _update(config: _Config, state: PPOState, key: jax.Array) -> tuple[PPOState, Metrics]:
    """One update of the learner."""
    tasks, architectures, rewards, behavior = draw(state.bank, key, config.replay)
    rows = tasks if config.per_task else jnp.zeros_like(tasks)
    advantage = advantages(state.averages, rows, rewards, config.advantage)[:, None]
    old = behavior
    if config.ratio == "actor":
        old = _log_probs(config, state.actor, architectures, tasks)[0]
    clip = state.settings.clip

    def loss(params: Any) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        log_probs, entropy = _log_probs(config, params, architectures, tasks)
        ratio = jnp.exp(log_probs - old)
        clipped = jnp.clip(ratio, 1 - clip, 1 + clip)
        gain = jnp.minimum(ratio * advantage, clipped * advantage)
        gain = jnp.where(architectures >= 0, gain, 0.0).sum(-1).mean()
        bonus = state.settings.entropy_weight * entropy.mean()
        return -gain - bonus, (entropy.mean(), (clipped != ratio).mean(dtype=ratio.dtype))

    gradient, (entropy, clipped) = jax.grad(loss, has_aux=True)(state.learner)
    changes, optimizer = config.optimizer.update(gradient, state.optimizer, state.learner)
    learner = optax.apply_updates(state.learner, changes)
    metrics = {
        "entropy": entropy,
        "clipped_fraction": clipped,
        "advantage_std": jnp.std(advantage),
        "gradient_norm": optax.tree.norm(gradient),
    }
    return state._replace(learner=learner, optimizer=optimizer), metrics
