"""REINFORCE: the policy gradient with a moving-average baseline and an entropy bonus.

Source: Williams 1992, "Simple statistical gradient-following algorithms for connectionist
reinforcement learning"; Zoph & Le 2017 (arXiv:1611.01578), section 3.2, for its use in
architecture search; Pham et al. 2018, ENAS (arXiv:1802.03268), for the entropy bonus; Abolafia et
al. 2018, "Neural program synthesis with priority queue training" (arXiv:1801.03526), for the
imitation of the best.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxnas.policies import Policy, lstm
from jaxnas.searchers.base import Metrics, Searcher
from jaxnas.searchers.elite import Elite, admit, new_elite
from jaxnas.searchers.memory import Memory, new_memory, new_ones_first, remember
from jaxnas.searchers.rewards import RewardRecord, keep_if, new_record, observe
from jaxnas.spaces import SearchSpace


class ReinforceSettings(NamedTuple):
    """The numbers of `reinforce`, each `[]`; in the state, so that they can be changed on the way.

    `state._replace(settings=...)` anneals them, and `vmap` over states runs many settings at once.
    """

    baseline_decay: jax.Array
    entropy_weight: jax.Array
    entropy_target: jax.Array
    elite_weight: jax.Array
    reward_scale: jax.Array


class ReinforceState(NamedTuple):
    """The state of REINFORCE.

    Attributes:
      key: the PRNG key.
      policy: the parameters of the policy.
      optimizer: the state of the Optax optimiser.
      baseline: `[]`, the moving average of rewards.
      variance: `[]`, the moving average of squared distances from the baseline.
      updates: `int32 []`, how often the policy was updated.
      settings: the numbers that `reinforce` was made with.
      memory: the architectures evaluated lately.
      elite: the best architectures so far.
      record: the rewards seen.
    """

    key: jax.Array
    policy: Any
    optimizer: Any
    baseline: jax.Array
    variance: jax.Array
    updates: jax.Array
    settings: ReinforceSettings
    memory: Memory
    elite: Elite
    record: RewardRecord


_CANDIDATES = 4
"""How many architectures `ask` draws for each that it returns, to find new ones."""


@dataclasses.dataclass(frozen=True)
class _Config:
    policy: Policy
    optimizer: optax.GradientTransformation
    settings: tuple[float, ...]
    normalize_advantage: bool
    memory: int
    elite: int


def reinforce(
    space_or_policy: SearchSpace | Policy,
    optimizer: optax.GradientTransformation | None = None,
    *,
    baseline_decay: float = 0.7,
    entropy_weight: float = 1.0,
    entropy_target: float | None = None,
    reward_scale: float = 1.0,
    normalize_advantage: bool = True,
    memory: int = 1024,
    elite: int = 2,
    elite_weight: float = 0.3,
) -> Searcher:
    """Makes a searcher that trains a policy by REINFORCE.

    For a batch of rewards `R` with log-probabilities `log p` and policy entropies `H` it descends

        -mean(A log p) - entropy_weight * min(mean(H), entropy_target)
            - elite_weight * mean(log p of the elite),    A = reward_scale * (R - b) / s

    where `b` is the baseline before this batch, `b <- decay * b + (1 - decay) * mean(R)`
    afterwards, started at the mean of the first batch; and `s` is the root of the moving average
    of `(R - b)^2`, this batch included (1 without `normalize_advantage`). So the defaults do not
    depend on the unit of the rewards. They are made for some hundreds of evaluations; those of the
    papers are for many thousands. The bonus stops at `entropy_target`: the policy may settle fast,
    but not collapse. With a `memory`, `ask` draws four times as many architectures as it needs and
    prefers those that were not evaluated before; and the policy imitates the `elite`, the few best
    so far. Both are right where an evaluation holds for good, and wrong where rewards change over
    time, as with shared weights: `memory=0, elite=0` is REINFORCE alone. With a context both are
    off.

    To derive architectures without changing the search, sample the policy:
    `policy.sample(state.policy, key, num)`.

    Args:
      space_or_policy: a policy, or a space, whose policy is then
        `jaxnas.policies.lstm(space, hidden=16, init_scale=0.3)`.
      optimizer: any Optax optimiser; `optax.adam(0.06)` by default.
      baseline_decay: the weight of the old baseline, in [0, 1).
      entropy_weight: the weight of the entropy of the policy.
      entropy_target: in nats; a higher entropy earns nothing more. By default 5 (some 150
        architectures), or 0.6 times the logarithm of the size of a smaller space. `math.inf` gives
        the bonus of the papers.
      reward_scale: multiplies the advantage.
      normalize_advantage: whether to divide by the moving standard deviation.
      memory: how many evaluated architectures to remember; 0 for none.
      elite: how many of the best architectures to imitate; 0 for none.
      elite_weight: the weight of their mean log-probability.

    Raises:
      ValueError: a number out of range.

    Example:
      >>> policy = jaxnas.policies.lstm(space, hidden=100)
      >>> searcher = reinforce(policy, optax.adam(3.5e-4), entropy_weight=1e-4)
    """
    if not 0 <= baseline_decay < 1:
        raise ValueError(f"'baseline_decay' is {baseline_decay}; it must be in [0, 1).")
    if not entropy_weight >= 0:
        raise ValueError(f"'entropy_weight' is {entropy_weight}; it must be >= 0.")
    for name, size in (("memory", memory), ("elite", elite), ("elite_weight", elite_weight)):
        if not size >= 0:
            raise ValueError(f"{name!r} is {size}; it must be >= 0.")
    if not reward_scale > 0:
        raise ValueError(f"'reward_scale' is {reward_scale}; it must be > 0.")
    given = space_or_policy
    policy = lstm(given, hidden=16, init_scale=0.3) if isinstance(given, SearchSpace) else given
    optimizer = _default_optimizer() if optimizer is None else optimizer
    if entropy_target is None:
        entropy_target = min(5.0, 0.6 * math.log(policy.space.count()))
    numbers = (baseline_decay, entropy_weight, entropy_target, elite_weight, reward_scale)
    settings = tuple(float(x) for x in numbers)
    return _make(_Config(policy, optimizer, settings, normalize_advantage, memory, elite))


@functools.cache
def _default_optimizer() -> optax.GradientTransformation:
    return optax.adam(0.06)


@functools.lru_cache(maxsize=64)
def _make(config: _Config) -> Searcher:
    return Searcher(
        config.policy.space,
        functools.partial(_init, config),
        functools.partial(_ask, config),
        functools.partial(_tell, config),
    )


@functools.partial(jax.jit, static_argnums=0)
def _init(config: _Config, key: jax.Array) -> ReinforceState:
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
        updates=jnp.int32(0),
        settings=settings,
        memory=new_memory(config.memory),
        elite=new_elite(config.policy.space, config.elite),
        record=record,
    )


@functools.partial(jax.jit, static_argnums=(0, 2))
def _ask(
    config: _Config, state: ReinforceState, num: int, context: Any = None
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
    config: _Config, state: ReinforceState, architectures: Any, rewards: Any, context: Any = None
) -> tuple[ReinforceState, Metrics]:
    record, seen, metrics = observe(state.record, architectures, rewards)
    advantages, baseline, variance = _advantages(config, state, seen.rewards)
    architectures = jnp.asarray(architectures, jnp.int32)
    # The elite has no context of its own.
    elite = state.elite if context is not None else admit(state.elite, architectures, seen.rewards)
    gradient_fn = jax.grad(functools.partial(_loss, config.policy), has_aux=True)
    gradient, entropy = gradient_fn(
        state.policy, architectures, advantages, elite, state.settings, context
    )
    updates, optimizer = config.optimizer.update(gradient, state.optimizer, state.policy)
    new = state._replace(
        policy=optax.apply_updates(state.policy, updates),
        optimizer=optimizer,
        baseline=baseline,
        variance=variance,
        updates=state.updates + 1,
        memory=remember(state.memory, architectures),
        elite=elite,
    )
    state = keep_if(seen.any_finite, new, state)._replace(record=record)
    metrics |= {
        "baseline": state.baseline,
        "entropy": entropy,
        "advantage_std": jnp.std(advantages),
        "gradient_norm": optax.tree.norm(gradient),
    }
    return state, metrics


def _advantages(config: _Config, state: ReinforceState, rewards: jax.Array):
    """The advantages `[N]`, and the baseline and the variance after this batch."""
    first = state.updates == 0
    mean = rewards.mean()
    baseline = jnp.where(first, mean, state.baseline)
    centred = rewards - baseline
    spread = jnp.mean(centred**2)
    decay = state.settings.baseline_decay
    variance = jnp.where(first, spread, decay * state.variance + (1 - decay) * spread)
    advantages = state.settings.reward_scale * centred
    if config.normalize_advantage:
        # The second term: rewards that are equal but for rounding have no advantage.
        advantages = advantages / (jnp.sqrt(variance) + 1e-6 * jnp.abs(baseline) + 1e-30)
    return advantages, decay * baseline + (1 - decay) * mean, variance


def _loss(policy: Policy, params, architectures, advantages, elite: Elite, settings, context):
    """The loss whose gradient is REINFORCE's, and the mean entropy of the policy."""
    num = len(architectures)
    if context is None:
        architectures = jnp.concatenate([architectures, elite.architectures])
    evaluation = policy.evaluate(params, architectures, context)
    entropy = evaluation.entropy[:num].mean()
    gain = jnp.mean(advantages * evaluation.log_prob[:num])
    gain += settings.entropy_weight * jnp.minimum(entropy, settings.entropy_target)
    if len(evaluation.log_prob) > num:
        # Empty places have log-probability 0.
        gain += settings.elite_weight * jnp.mean(evaluation.log_prob[num:])
    return -gain, entropy
