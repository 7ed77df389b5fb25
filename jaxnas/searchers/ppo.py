"""Off-policy clipped PPO for one task or several, with a replay bank for each.

Two copies of the policy: the actor samples architectures; the learner is trained on trials drawn
from the banks, and becomes the actor every so often.

Source: Wong et al. 2018, "Transfer learning with neural AutoML" (arXiv:1803.02780), for the actor,
the replay of several tasks and the normalisation of advantages task by task; Schulman et al. 2017,
"Proximal policy optimization algorithms" (arXiv:1707.06347), equation 7, for the objective. The
paper leaves sizes open; our reading: one ratio for each decision, clipped at 0.2.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxnas.policies import Policy, lstm
from jaxnas.policies.tasks import check_tasks, with_tasks
from jaxnas.searchers.base import Metrics, Searcher
from jaxnas.searchers.checks import checked
from jaxnas.searchers.ppo_config import PPOConfig, Ratio, check_policy
from jaxnas.searchers.ppo_state import PPOSettings, PPOState
from jaxnas.searchers.ppo_updates import actions_of, train
from jaxnas.searchers.proposals import propose
from jaxnas.searchers.replay import default_entropy
from jaxnas.searchers.replay_bank import Scale, follow, new_bank, new_rewards, store
from jaxnas.searchers.rewards import keep_if, new_record, observe
from jaxnas.spaces import SearchSpace


def ppo(
    space_or_policy: SearchSpace | Policy,
    tasks: int = 1,
    optimizer: optax.GradientTransformation | None = None,
    *,
    clip: float = 0.2,
    advantage: Scale = "rank",
    per_task: bool = True,
    baseline_decay: float = 0.9,
    entropy_weight: float = 0.2,
    entropy_target: float | None = None,
    ratio: Ratio = "actor",
    candidates: int = 8,
    greedy: int = 0,
    bank: int = 500,
    replay: int = 32,
    updates: int = 4,
    sync_every: int = 1,
) -> Searcher:
    """Makes a searcher that trains a policy by off-policy PPO, for several tasks at once.

    `ask` and `tell` take as `context` the task of each architecture, `int32 [N]` in `[0, tasks)`;
    with one task it may be left out. Every `tell` stores the trials and trains the learner
    `updates` times on `replay` trials, of tasks drawn uniformly among those with trials. It
    descends

        -mean(sum over decisions of min(r A, clip(r, 1 - clip, 1 + clip) A)) - entropy_weight * H

    with `r` the learner's probability of an action over the actor's (or over that of the policy
    that sampled it), and `A` the advantage of the reward for its own task. With an
    `entropy_target` there is no bonus; instead `A` is

        score - temperature * log p - mean over the drawn trials of the task

    with `score` what `advantage` says, `p` the learner's probability of the architecture, and a
    temperature for each task that starts at `entropy_weight` and keeps the task's entropy near the
    target.

    An evaluation is taken to hold for good: `ask` proposes nothing that the bank of its task holds,
    nor twice at once, while the space has anything else (see `jaxnas/searchers/proposals.py`).

    `clip=0.2, advantage="baseline", entropy_target=math.inf, candidates=1` is the paper's.

    Args:
      space_or_policy: a policy made by `jaxnas.policies.with_tasks(..., tasks)`, or a space, whose
        policy is then `with_tasks(lstm(space, hidden=32, context_size=16, init_scale=0.3,
        head_scale=0.0, skip_connection=True), tasks)`.
      tasks: `K`.
      optimizer: any Optax optimiser of the policy's parameters; `optax.adam(0.01)` by default.
      clip: how far a ratio may move before its gradient ends.
      advantage: the normal score of the reward's `rank` among those of its task in the bank; or
        `R - b` divided by the moving standard deviation `std`, by the `baseline` itself (the
        paper's; rewards must be positive), or by nothing, `none`.
      per_task: whether each task has averages, ranks and a temperature of its own; without, all
        share theirs.
      baseline_decay: the weight of the old averages, in [0, 1).
      entropy_weight: of the policy's entropy; with a target, the temperature at the start.
      entropy_target: in nats. By default 5 (some 150 architectures), or 0.6 times the logarithm of
        the size of a smaller space. `math.inf` for a bonus of fixed weight.
      ratio: `actor`, or `behavior` for the policy that sampled the trial.
      candidates: draws from the policy for each row that `ask` is to fill; 1 for draws that may
        repeat what was evaluated.
      greedy: so many first trials of each task are the most probable of all candidates: a start
        with what was good elsewhere, for a policy that has learned other tasks.
      bank: how many of its last trials are kept of each task.
      replay: trials of each update.
      updates: of the learner, after each batch of rewards.
      sync_every: the learner becomes the actor after so many batches.

    Raises:
      ValueError: a number out of range, or a policy of another number of tasks; when called, tasks
        that there are none of.

    Example:
      >>> searcher = ppo(space, tasks=2)
      >>> state = searcher.init(jax.random.key(0))
      >>> which = jnp.array([0, 0, 1, 1])
      >>> state, architectures = searcher.ask(state, 4, which)
      >>> state, metrics = searcher.tell(state, architectures, rewards, which)
    """
    policy = _default_policy(space_or_policy, tasks)
    optimizer = _default_optimizer() if optimizer is None else optimizer
    target = default_entropy(policy.space) if entropy_target is None else entropy_target
    return _make(
        PPOConfig(
            policy=policy,
            tasks=tasks,
            optimizer=optimizer,
            numbers=tuple(map(float, (clip, baseline_decay, entropy_weight, target, greedy))),
            advantage=advantage,
            per_task=per_task,
            ratio=ratio,
            candidates=candidates,
            bank=bank,
            replay=replay,
            updates=updates,
            sync_every=sync_every,
            follows_entropy=math.isfinite(target),
        )
    )


def _default_policy(given: SearchSpace | Policy, tasks: int) -> Policy:
    if isinstance(given, Policy):
        check_policy(given, tasks)
        return given
    options: dict[str, Any] = {"init_scale": 0.3, "head_scale": 0.0, "skip_connection": True}
    return with_tasks(lstm(given, hidden=32, context_size=16, **options), tasks)


@functools.cache
def _default_optimizer() -> optax.GradientTransformation:
    return optax.adam(0.01)


@functools.lru_cache(maxsize=64)
def _make(config: PPOConfig) -> Searcher:
    return Searcher(
        config.policy.space,
        functools.partial(_init, config),
        functools.partial(_ask, config),
        checked(config.policy.space, functools.partial(_tell, config)),
    )


@functools.partial(jax.jit, static_argnums=0)
def _init(config: PPOConfig, key: jax.Array) -> PPOState:
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
        temperature=jnp.full((config.tasks,), config.numbers[2], dtype),
        record=new_record(config.policy.space),
    )


def _tasks(config: PPOConfig, context: Any, num: int) -> jax.Array:
    """The task of each of `num` rows; all 0 where there is one only."""
    if context is None and config.tasks == 1:
        return jnp.zeros((num,), jnp.int32)
    check_tasks(config.tasks, context, num)
    return jnp.asarray(context, jnp.int32)


def _ask(
    config: PPOConfig, state: PPOState, num: int, context: Any = None
) -> tuple[PPOState, jax.Array]:
    return _ask_tasks(config, num, state, _tasks(config, context, num))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _ask_tasks(config: PPOConfig, num: int, state: PPOState, tasks: jax.Array):
    key, sample_key = jax.random.split(state.key)
    if config.candidates == 1:
        drawn = config.policy.sample(state.actor, sample_key, num, tasks).architectures
    else:
        before = jnp.tril(tasks[:, None] == tasks, -1).sum(-1)  # rows of the task in this batch
        greedy = state.bank.stored[tasks] + before < state.settings.greedy
        sizes = (tasks, config.candidates, greedy)
        drawn = propose(config.policy, state.actor, state.bank, sample_key, *sizes)
    return state._replace(key=key), drawn


def _tell(
    config: PPOConfig, state: PPOState, architectures: Any, rewards: Any, context: Any = None
) -> tuple[PPOState, Metrics]:
    tasks = _tasks(config, context, len(architectures))
    return _tell_tasks(config, state, architectures, rewards, tasks)


@functools.partial(jax.jit, static_argnums=0)
def _tell_tasks(config: PPOConfig, state: PPOState, architectures, rewards, tasks):
    record, seen, metrics = observe(state.record, architectures, rewards)
    architectures = jnp.asarray(architectures, jnp.int32)
    rows = tasks if config.per_task else jnp.zeros_like(tasks)
    log_probs = actions_of(config, state.actor, architectures, tasks).log_probs
    new = state._replace(
        bank=store(state.bank, tasks, architectures, seen.rewards, log_probs),
        averages=follow(state.averages, rows, seen.rewards, state.settings.baseline_decay),
        tells=state.tells + 1,
    )
    new = _keep_best(new, tasks, architectures, rewards)
    new, update_metrics = train(config, new)
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
