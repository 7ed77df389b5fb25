"""Runs a searcher over many seeds in one program: what had it found after each evaluation?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from jaxnas.searchers import Searcher


def rewards_seen(
    searcher: Searcher,
    evaluate: Callable[[jax.Array, Any], jax.Array],
    keys: jax.Array,
    data: Any,
    *,
    batch: int,
    evaluations: int,
    settings: Any = None,
    change: Callable[[Any, Any], Any] | None = None,
) -> np.ndarray:
    """The reward of each evaluation, for every seed: `[seeds, evaluations]`.

    Args:
      searcher: the search algorithm.
      evaluate: `(architectures [N, T], data of one seed) -> rewards [N]`, written in JAX.
      keys: `[seeds]` PRNG keys.
      data: a pytree with leading axis `[seeds]`; what `evaluate` gets.
      batch: architectures per ask.
      evaluations: how many rewards each search sees.
      settings: a pytree with leading axis `[settings]`, to run many settings in one program; the
        result is then `[settings, seeds, evaluations]`.
      change: `(first state, one of the settings) -> state`.
    """
    steps = -(-evaluations // batch)

    def search(setting, key, data):
        def step(state, _):
            state, architectures = searcher.ask(state, batch)
            rewards = evaluate(architectures, data)
            state, _ = searcher.tell(state, architectures, rewards)
            return state, rewards

        state = searcher.init(key)
        state = state if change is None else change(state, setting)
        _, rewards = jax.lax.scan(step, state, length=steps)
        return rewards.reshape(-1)[:evaluations]

    over_seeds = jax.vmap(search, (None, 0, 0))
    over_all = over_seeds if settings is None else jax.vmap(over_seeds, (0, None, None))
    return np.asarray(jax.jit(over_all)(settings, keys, data))


def best_so_far(*arguments: Any, **options: Any) -> np.ndarray:
    """The best reward after each evaluation; takes what `rewards_seen` takes."""
    return np.maximum.accumulate(rewards_seen(*arguments, **options), axis=-1)


def mean_interval(values: np.ndarray) -> dict[str, float]:
    """The mean of `[seeds]` numbers with its 95% confidence interval (Student's t)."""
    mean = float(np.mean(values))
    half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))
    return {"value": mean, "low": mean - half, "high": mean + half}


def seed_keys(seeds: int, first: int = 0) -> jax.Array:
    """One PRNG key per seed."""
    return jax.vmap(jax.random.key)(jnp.arange(first, first + seeds))
