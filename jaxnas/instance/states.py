"""What an instance-aware search knows, and the Pareto points that it takes."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax

from jaxnas.instance.engine import InstanceState


class Point(NamedTuple):
    """A Pareto point: what inference needs.

    Attributes:
      params: the shared weights.
      moments: the moments of every operation.
      policy: the parameters of the policy.
    """

    params: Any
    moments: Any
    policy: Any


class InstanceSearchState(NamedTuple):
    """Everything that a search knows; a pytree that is saved, restored and handed on.

    Attributes:
      step: `int32 []`, steps done.
      key: the PRNG key of the batches.
      current: what is trained.
      points: the Pareto points, fastest to come last; each as it was when it was taken, and
        fine-tuned at the end.
    """

    step: jax.Array
    key: jax.Array
    current: InstanceState
    points: tuple[Point, ...]


def point_of(state: InstanceState) -> Point:
    """What a state is, without what only training needs."""
    return Point(state.params, state.moments, state.policy)


def state_of(point: Point) -> InstanceState:
    """The state from which `InstanceEngine.predict` reads, of a point alone."""
    return InstanceState(point.params, None, point.moments, point.policy, None, jax.random.key(0))
