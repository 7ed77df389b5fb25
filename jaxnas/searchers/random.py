"""Random search: architectures drawn uniformly, with replacement.

Source: Li & Talwalkar 2019, "Random search and reproducibility for neural architecture search"
(arXiv:1902.07638), which shows how strong a baseline it is.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax

from jaxnas.searchers.base import Metrics, Searcher
from jaxnas.searchers.checks import checked
from jaxnas.searchers.rewards import RewardRecord, new_record, observe
from jaxnas.spaces import SearchSpace


class RandomState(NamedTuple):
    """The state of random search: a PRNG key and the rewards seen."""

    key: jax.Array
    record: RewardRecord


@functools.lru_cache(maxsize=64)
def random(space: SearchSpace) -> Searcher:
    """Makes a searcher that draws uniformly over the architectures of `space`.

    Example:
      >>> searcher = random(jaxnas.spaces.nasbench201())
    """
    init, ask = functools.partial(_init, space), functools.partial(_ask, space)
    return Searcher(space, init, ask, checked(space, _tell))


@functools.partial(jax.jit, static_argnums=0)
def _init(space: SearchSpace, key: jax.Array) -> RandomState:
    return RandomState(key, new_record(space))


@functools.partial(jax.jit, static_argnums=(0, 2))
def _ask(
    space: SearchSpace, state: RandomState, num: int, context: Any = None
) -> tuple[RandomState, jax.Array]:
    key, sample_key = jax.random.split(state.key)
    return state._replace(key=key), space.sample(sample_key, num)


@jax.jit
def _tell(
    state: RandomState, architectures: Any, rewards: Any, context: Any = None
) -> tuple[RandomState, Metrics]:
    record, _, metrics = observe(state.record, architectures, rewards)
    return state._replace(record=record), metrics
