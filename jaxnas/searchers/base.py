"""What a searcher is: `ask` for architectures and `tell` rewards, pure functions of a state."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax

from jaxnas.spaces import SearchSpace

Metrics = dict[str, jax.Array]
"""Scalars by name."""


@dataclasses.dataclass(frozen=True)
class Searcher:
    """A search algorithm; static, so that closures and `jit` may hold it.

    The functions are pure and already jitted; they may be put into `lax.scan` and, over seeds,
    under `vmap`. A state is a `NamedTuple` of arrays that holds the PRNG key too: a search that is
    saved and restored goes on exactly as one that was not.

    Attributes:
      space: the search space.
      init: `key -> state`.
      ask: `(state, num, context=None) -> (state, architectures)`, with `num` static and
        architectures `int32 [num, T]`.
      tell: `(state, architectures, rewards, context=None) -> (state, metrics)`, with rewards `[N]`,
        higher is better. Rewards that are not finite count as the worst finite one so far; a batch
        without any finite reward changes nothing. The architectures need not come from `ask`;
        outside of `jit`, actions that no walk of the space has raise `SpaceError`.

    Example:
      >>> searcher = jaxnas.searchers.reinforce(space)
      >>> state = searcher.init(jax.random.key(0))
      >>> for _ in range(100):
      ...     state, architectures = searcher.ask(state, 10)
      ...     state, metrics = searcher.tell(state, architectures, evaluate(architectures))
      >>> space.encode(state.record.best_architecture)
    """

    space: SearchSpace
    init: Callable[[jax.Array], Any]
    ask: Callable[..., tuple[Any, jax.Array]]
    tell: Callable[..., tuple[Any, Metrics]]
