"""REINFORCE: the policy gradient, once for a batch of rewards, or often over remembered ones.

Source: Williams 1992, "Simple statistical gradient-following algorithms for connectionist
reinforcement learning"; Zoph & Le 2017 (arXiv:1611.01578), section 3.2, for its use in
architecture search; Pham et al. 2018, ENAS (arXiv:1802.03268), for the entropy bonus. The sources
of the replay stand in `jaxnas/searchers/replay.py`.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxnas.policies import Policy, lstm
from jaxnas.searchers.base import Metrics, Searcher
from jaxnas.searchers.checks import check_memory, check_numbers, check_targets, checked
from jaxnas.searchers.memory import new_memory, new_ones_first, remember
from jaxnas.searchers.reinforce_state import ReinforceSettings, ReinforceState
from jaxnas.searchers.reinforce_updates import (
    ReinforceConfig,
    advantages_of,
    update,
    with_entropy,
)
from jaxnas.searchers.replay import default_entropy, replay_updates
from jaxnas.searchers.rewards import keep_if, new_record, observe
from jaxnas.searchers.skip_penalty import skip_steps
from jaxnas.spaces import SearchSpace

_CANDIDATES = 4
"""How many architectures `ask` draws for each that it returns, to find new ones."""


def reinforce(
    space_or_policy: SearchSpace | Policy,
    optimizer: optax.GradientTransformation | None = None,
    *,
    baseline_decay: float = 0.7,
    entropy_weight: float | None = None,
    entropy_target: float | None = None,
    reward_scale: float = 1.0,
    normalize_advantage: bool = True,
    memory: int = 256,
    replay: int = 32,
    replay_updates: int = 8,
    baseline_start: float | None = None,
    entropy_in_reward: bool = False,
    skip_weight: float = 0.0,
    skip_target: float = 0.4,
) -> Searcher:
    """Makes a searcher that trains a policy by REINFORCE.

    With `memory=0` it is the algorithm of the papers. For a batch of rewards `R` with
    log-probabilities `log p` and policy entropies `H` it descends once

        -mean(A log p) - entropy_weight * min(mean(H), entropy_target),
            A = reward_scale * (R - b) / s

    where `b` is the baseline before this batch, `b <- decay * b + (1 - decay) * mean(R)`
    afterwards, started at the mean of the first batch; and `s` is the root of the moving average
    of `(R - b)^2`, this batch included (1 without `normalize_advantage`). It is right for rewards
    that change over time, as with shared weights. The bonus stops at `entropy_target`: the policy
    may settle fast, but not collapse.

    With a `memory`, an evaluation is taken to hold for good, and some hundreds of them suffice:
    every `tell` makes `replay_updates` updates, each from the new batch and `replay` architectures
    drawn from the memory. Their advantage is the normal score of the reward's rank in the memory,
    minus the policy's own log-probability times a temperature that starts at `entropy_weight` and
    keeps the entropy near `entropy_target` (see `jaxnas/searchers/replay.py`). And `ask` draws
    four times as many architectures as it needs and prefers those that were not evaluated before.
    With a context the memory is not used.

    To derive architectures without changing the search, sample the policy:
    `policy.sample(state.policy, key, num)`.

    Args:
      space_or_policy: a policy, or a space, whose policy is then
        `jaxnas.policies.lstm(space, hidden=16, init_scale=0.3, head_scale=0.0)`.
      optimizer: any Optax optimiser; `optax.adam(0.05)` by default.
      baseline_decay: the weight of the old baseline, in [0, 1); without a memory.
      entropy_weight: the weight of the entropy of the policy, by default 1; with a memory the
        temperature at the start, by default 0.2.
      entropy_target: in nats; a higher entropy earns nothing more. By default 5 (some 150
        architectures), or 0.6 times the logarithm of the size of a smaller space. `math.inf` gives
        the bonus of the papers, and with a memory a temperature that stays as it is.
      reward_scale: multiplies the advantage; with a memory the normal score.
      normalize_advantage: whether to divide by the moving standard deviation; without a memory.
      memory: how many evaluated architectures to remember; 0 for none, which is REINFORCE alone.
      replay: how many remembered architectures join the new ones in each update.
      replay_updates: how many updates follow each batch, with a memory.
      baseline_start: the baseline before the first batch, without a memory; the mean of that batch
        by default (ENAS's code: 0).
      entropy_in_reward: whether `entropy_weight` times the entropy of each walk is added to its
        reward, without a gradient of its own, in place of the bonus; without a memory (ENAS's
        code).
      skip_weight: of the penalty on the density of skip connections, without a memory (ENAS: 0.8);
        see `jaxnas/searchers/skip_penalty.py`.
      skip_target: that density (ENAS: 0.4).

    Raises:
      ValueError: a number out of range.

    Example:
      >>> policy = jaxnas.policies.lstm(space, hidden=100)
      >>> searcher = reinforce(policy, optax.adam(3.5e-4), entropy_weight=1e-4, memory=0)
    """
    if entropy_weight is None:
        entropy_weight = 0.2 if memory else 1.0
    check_memory(memory, replay, replay_updates)
    check_numbers(baseline_decay, entropy_weight, reward_scale, skip_weight, skip_target)
    check_targets(entropy_target, baseline_start)
    if memory and (baseline_start is not None or entropy_in_reward or skip_weight):
        raise ValueError("'baseline_start', 'entropy_in_reward' and 'skip_weight' need 'memory=0'.")
    policy = _default_policy(space_or_policy)
    if skip_weight:
        skip_steps(policy.space)
    optimizer = _default_optimizer() if optimizer is None else optimizer
    if entropy_target is None:
        entropy_target = default_entropy(policy.space)
    penalty = (skip_weight, skip_target)
    settings = (baseline_decay, entropy_weight, entropy_target, reward_scale, *penalty)
    numbers = tuple(float(x) for x in settings)
    sizes = (memory, replay, replay_updates)
    start = None if baseline_start is None else float(baseline_start)
    options = (start, entropy_in_reward, skip_weight > 0)
    return _make(ReinforceConfig(policy, optimizer, numbers, normalize_advantage, *sizes, *options))


def _default_policy(given: SearchSpace | Policy) -> Policy:
    if isinstance(given, SearchSpace):
        return lstm(given, hidden=16, init_scale=0.3, head_scale=0.0)
    return given


@functools.cache
def _default_optimizer() -> optax.GradientTransformation:
    return optax.adam(0.05)


@functools.lru_cache(maxsize=64)
def _make(config: ReinforceConfig) -> Searcher:
    return Searcher(
        config.policy.space,
        functools.partial(_init, config),
        functools.partial(_ask, config),
        checked(config.policy.space, functools.partial(_tell, config)),
    )


@functools.partial(jax.jit, static_argnums=0)
def _init(config: ReinforceConfig, key: jax.Array) -> ReinforceState:
    key, policy_key = jax.random.split(key)
    params = config.policy.init(policy_key)
    record = new_record(config.policy.space)
    zero = jnp.zeros_like(record.best_reward)
    settings = ReinforceSettings(*(jnp.asarray(x, zero.dtype) for x in config.settings))
    return ReinforceState(
        key=key,
        policy=params,
        optimizer=config.optimizer.init(params),
        baseline=zero,
        variance=zero,
        temperature=settings.entropy_weight,
        updates=jnp.int32(0),
        settings=settings,
        memory=new_memory(config.policy.space, config.memory),
        record=record,
    )


@functools.partial(jax.jit, static_argnums=(0, 2))
def _ask(
    config: ReinforceConfig, state: ReinforceState, num: int, context: Any = None
) -> tuple[ReinforceState, jax.Array]:
    key, sample_key = jax.random.split(state.key)
    # With a context each architecture belongs to its row, so that none can stand in for another.
    choosy = config.memory > 0 and context is None
    many = num * _CANDIDATES if choosy else num
    architectures = config.policy.sample(state.policy, sample_key, many, context).architectures
    if choosy:
        architectures = new_ones_first(state.memory, architectures, num)
    return state._replace(key=key), architectures


@functools.partial(jax.jit, static_argnums=0)
def _tell(
    config: ReinforceConfig,
    state: ReinforceState,
    architectures: Any,
    rewards: Any,
    context: Any = None,
) -> tuple[ReinforceState, Metrics]:
    record, seen, metrics = observe(state.record, architectures, rewards)
    architectures = jnp.asarray(architectures, jnp.int32)
    shaped = with_entropy(config, state, architectures, seen.rewards, context)
    advantages, baseline, variance = advantages_of(config, state, shaped)
    new = state._replace(baseline=baseline, variance=variance, updates=state.updates + 1)
    if config.memory and context is None:
        new = new._replace(memory=remember(state.memory, architectures, seen.rewards))
        sizes = (config.replay, config.replay_updates)
        new, update_metrics = replay_updates(
            config.policy, config.optimizer, new, architectures, seen.rewards, *sizes
        )
    else:
        new, update_metrics = update(config, new, architectures, advantages, context)
    state = keep_if(seen.any_finite, new, state)._replace(record=record)
    return state, metrics | {"baseline": state.baseline} | update_metrics
