"""A policy some of whose decisions do not count: the dead ones of a static search space."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.policies.base import Evaluation, Params, Policy, Sample

Live = Callable[[Any], jax.Array]
"""`architectures int32 [N, T] -> bool [N, T]`, the decisions that count."""


@functools.lru_cache(maxsize=64)
def masked(policy: Policy, live: Live) -> Policy:
    """The policy whose log-probabilities and entropies leave dead decisions out.

    It samples as `policy` does. A policy gradient then gets no noise from decisions that cannot
    matter; what they were is still read by later steps.

    Args:
      policy: over a static space.
      live: which decisions count, written in JAX; hashable.

    Example:
      >>> unrolled = jaxnas.spaces.unroll(space)
      >>> policy = masked(jaxnas.policies.lstm(unrolled.space), unrolled.live)
    """

    def bind(function: Callable[..., Any]) -> Callable[..., Any]:
        return functools.partial(function, policy, live)

    return Policy(
        space=policy.space,
        context_size=policy.context_size,
        init=policy.init,
        sample=bind(_sample),
        log_prob=bind(_log_prob),
        entropy=bind(_entropy),
        evaluate=bind(_evaluate),
    )


@functools.partial(jax.jit, static_argnums=(0, 1))
def _evaluate(
    policy: Policy, live: Live, params: Params, architectures: Any, context: Any = None
) -> Evaluation:
    architectures = jnp.asarray(architectures, jnp.int32)
    probabilities = policy.evaluate(params, architectures, context).probabilities
    counts = live(architectures) & (architectures >= 0)
    positive = probabilities > 0
    log_probs = jnp.where(positive, jnp.log(jnp.where(positive, probabilities, 1.0)), -jnp.inf)
    index = jnp.maximum(architectures, 0)[..., None]
    taken = jnp.take_along_axis(log_probs, index, axis=-1)[..., 0]
    entropies = -jnp.sum(jnp.where(positive, probabilities * log_probs, 0.0), axis=-1)
    return Evaluation(
        jnp.where(counts, taken, 0.0).sum(-1),
        jnp.where(counts, entropies, 0.0).sum(-1),
        jnp.where(counts[..., None], probabilities, 0.0),
    )


@functools.partial(jax.jit, static_argnums=(0, 1, 4))
def _sample(
    policy: Policy, live: Live, params: Params, key: jax.Array, num: int, context: Any = None
) -> Sample:
    architectures = policy.sample(params, key, num, context).architectures
    evaluation = _evaluate(policy, live, params, architectures, context)
    return Sample(architectures, evaluation.log_prob, evaluation.entropy)


def _log_prob(
    policy: Policy, live: Live, params: Params, architectures: Any, context: Any = None
) -> jax.Array:
    return _evaluate(policy, live, params, architectures, context).log_prob


def _entropy(
    policy: Policy, live: Live, params: Params, architectures: Any, context: Any = None
) -> jax.Array:
    return _evaluate(policy, live, params, architectures, context).entropy
