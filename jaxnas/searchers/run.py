"""A whole search as one program on the device, for rewards that are written in JAX."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from jaxnas.searchers.base import Metrics, Searcher


class History(NamedTuple):
    """What happened in a search of `S` steps with `N` architectures each.

    Attributes:
      architectures: `int32 [S, N, T]`, in the order in which they were evaluated.
      rewards: `[S, N]`, as `evaluate` returned them.
      metrics: the metrics of `tell`, each `[S]`.
    """

    architectures: jax.Array
    rewards: jax.Array
    metrics: Metrics


def run(
    searcher: Searcher,
    evaluate: Callable[[jax.Array], jax.Array],
    state: Any,
    steps: int,
    batch: int,
) -> tuple[Any, History]:
    """Asks, evaluates and tells `steps` times without leaving the device.

    It takes the same steps as a Python loop over `ask` and `tell`, in one compiled program, and
    goes on from any state: two runs of 50 steps are one of 100. Under `vmap` over states many
    seeds are searched at once.

    Args:
      searcher: the search algorithm; it takes no context.
      evaluate: `architectures int32 [N, T] -> rewards [N]`, written in JAX. It is a static
        argument: hand in the same function again to use the compiled program again.
      state: where to start; `searcher.init(key)` for a new search.
      steps: `S`, how often to ask; at least 1.
      batch: `N`, how many architectures to ask for; at least 1.

    Raises:
      ValueError: `steps` or `batch` below 1.

    Example:
      >>> evaluate = jaxnas.evaluators.tabular(space, accuracies)  # or any JAX function
      >>> state, history = run(searcher, evaluate, searcher.init(jax.random.key(0)), 100, 5)
      >>> space.encode(state.record.best_architecture)
    """
    for name, value in (("steps", steps), ("batch", batch)):
        if value < 1:
            raise ValueError(f"{name!r} is {value}; it must be >= 1.")
    return _run(searcher, evaluate, steps, batch, state)


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _run(searcher: Searcher, evaluate, steps: int, batch: int, state: Any):
    barrier = jax.lax.optimization_barrier

    def step(state, _):
        # Fused with each other, the parts would round otherwise than in a Python loop.
        state, architectures = barrier(searcher.ask(state, batch))
        rewards = barrier(evaluate(architectures))
        state, metrics = barrier(searcher.tell(state, architectures, rewards))
        return state, History(architectures, rewards, metrics)

    return jax.lax.scan(step, state, length=steps)
