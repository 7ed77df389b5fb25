"""What a policy is: a distribution over the architectures of a space, as pure functions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from jaxnas.spaces import SearchSpace

Params = Any
"""A pytree of arrays."""


class Sample(NamedTuple):
    """Sampled architectures.

    Attributes:
      architectures: `int32 [N, T]`, padded with -1.
      log_prob: `[N]`, the log-probability of each architecture.
      entropy: `[N]`, the entropies of the decisions that it passes, summed.
    """

    architectures: jax.Array
    log_prob: jax.Array
    entropy: jax.Array


class Evaluation(NamedTuple):
    """What a policy says about given architectures.

    Attributes:
      log_prob: `[N]`, the log-probability of each architecture.
      entropy: `[N]`, the entropies of the decisions that it passes, summed.
      probabilities: `[N, T, A]`, the probability of every action at each step, given the actions
        before it; zero for actions that are not open and after the end.
    """

    log_prob: jax.Array
    entropy: jax.Array
    probabilities: jax.Array


@dataclasses.dataclass(frozen=True)
class Policy:
    """A distribution over architectures; static, so that closures and `jit` may hold it.

    Every function is pure and already jitted. `context` is an optional array `[N, C]` that the
    distribution is conditioned on (a task, an instance), with `C = context_size`.

    Attributes:
      space: the search space.
      context_size: `C`; 0 for a policy without context.
      init: `key -> params`.
      sample: `(params, key, num, context=None) -> Sample`; `num`, the number of architectures, is
        static.
      log_prob: `(params, architectures, context=None) -> [N]`.
      entropy: `(params, architectures, context=None) -> [N]`, the entropy of the conditional
        distribution of each visited decision, summed.
      evaluate: `(params, architectures, context=None) -> Evaluation`.
    """

    space: SearchSpace
    context_size: int
    init: Callable[[jax.Array], Params]
    sample: Callable[..., Sample]
    log_prob: Callable[..., jax.Array]
    entropy: Callable[..., jax.Array]
    evaluate: Callable[..., Evaluation]


def check_context(context_size: int, context: Any, num: int) -> None:
    """Raises `ValueError` unless `context` is what a policy of this context size needs.

    Args:
      context_size: `C`, the size that the policy was made with.
      context: the array `[N, C]` handed to it, or `None`.
      num: `N`, the number of architectures.
    """
    if context_size == 0 and context is not None:
        raise ValueError("this policy takes no context: make it with context_size=C.")
    if context_size and context is None:
        raise ValueError(f"this policy needs a context of shape [{num}, {context_size}].")
    if context_size and jax.numpy.shape(context) != (num, context_size):
        raise ValueError(
            f"the context has shape {list(jax.numpy.shape(context))}, not [{num}, {context_size}]."
        )
