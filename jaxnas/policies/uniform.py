"""The uniform policy: every architecture of the space is equally likely; nothing is learned."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.policies import categorical
from jaxnas.policies.base import Evaluation, Params, Policy, Sample
from jaxnas.spaces import SearchSpace
from jaxnas.spaces.walks import uniform_log_probs


@functools.lru_cache(maxsize=64)
def uniform(space: SearchSpace) -> Policy:
    """Makes the policy that is uniform over the architectures of `space`.

    Its parameters are empty, and it ignores any context.

    Example:
      >>> policy = uniform(jaxnas.spaces.nasbench201())
      >>> sample = policy.sample(policy.init(jax.random.key(0)), jax.random.key(1), 4)
      >>> float(jnp.exp(-sample.log_prob[0]))  # 15,625 to rounding
    """

    def bind(function):
        return functools.partial(function, space)

    return Policy(space, 0, _init, bind(_sample), bind(_log_prob), bind(_entropy), bind(_evaluate))


def _init(key: jax.Array) -> Params:
    return {}


@functools.partial(jax.jit, static_argnums=(0, 3))
def _sample(
    space: SearchSpace, params: Params, key: jax.Array, num: int, context: Any = None
) -> Sample:
    architectures = space.sample(key, num)
    evaluation = _evaluate(space, params, architectures)
    return Sample(architectures, evaluation.log_prob, evaluation.entropy)


@functools.partial(jax.jit, static_argnums=0)
def _evaluate(
    space: SearchSpace, params: Params, architectures: Any, context: Any = None
) -> Evaluation:
    walk = space.walk(architectures)
    mask = walk.mask & (jnp.asarray(architectures) >= 0)
    # Where a count is beyond float range an action may be open and yet have probability 0.
    table = jnp.asarray(uniform_log_probs(space))
    is_open = jnp.isfinite(table)[walk.states]
    log_probs = jnp.where(is_open, table[walk.states], 0.0)
    num, length, actions = log_probs.shape
    flat = (log_probs.reshape(-1, actions), is_open.reshape(-1, actions))
    taken = categorical.log_prob(*flat, walk.actions.reshape(-1)).reshape(num, length)
    entropies = categorical.entropy(*flat).reshape(num, length)
    return Evaluation(
        jnp.where(mask, taken, 0.0).sum(-1),
        jnp.where(mask, entropies, 0.0).sum(-1),
        jnp.where(mask[..., None] & is_open, jnp.exp(log_probs), 0.0),
    )


def _log_prob(space: SearchSpace, params: Params, architectures: Any, context: Any = None):
    return _evaluate(space, params, architectures).log_prob


def _entropy(space: SearchSpace, params: Params, architectures: Any, context: Any = None):
    return _evaluate(space, params, architectures).entropy
