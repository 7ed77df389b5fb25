"""Checks of the options of `jaxnas.searchers.reinforce`, and of what searchers are told."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from jaxnas.spaces import SearchSpace
from jaxnas.spaces.walks import check_actions


def check_numbers(
    baseline_decay: float,
    entropy_weight: float,
    reward_scale: float,
    skip_weight: float,
    skip_target: float,
) -> None:
    """Raises `ValueError` for a number out of range."""
    if not 0 <= baseline_decay < 1:
        raise ValueError(f"'baseline_decay' is {baseline_decay}; it must be in [0, 1).")
    for name, value in (("entropy_weight", entropy_weight), ("skip_weight", skip_weight)):
        if not value >= 0:
            raise ValueError(f"{name!r} is {value}; it must be >= 0.")
    if not reward_scale > 0:
        raise ValueError(f"'reward_scale' is {reward_scale}; it must be > 0.")
    if not 0 < skip_target < 1:
        raise ValueError(f"'skip_target' is {skip_target}; it must be in (0, 1).")


def check_memory(memory: int, replay: int, replay_updates: int) -> None:
    """Raises `ValueError` for sizes out of range."""
    for name, value in (("memory", memory), ("replay", replay)):
        if not value >= 0:
            raise ValueError(f"{name!r} is {value}; it must be >= 0.")
    if not replay_updates >= 1:
        raise ValueError(f"'replay_updates' is {replay_updates}; it must be >= 1.")


def check_targets(entropy_target: float | None, baseline_start: float | None) -> None:
    """Raises `ValueError` for numbers out of range; `None` is the default of either."""
    if entropy_target is not None and not entropy_target >= 0:
        raise ValueError(f"'entropy_target' is {entropy_target}; it must be >= 0.")
    if baseline_start is not None and not math.isfinite(baseline_start):
        raise ValueError(f"'baseline_start' is {baseline_start}; it must be finite.")


def checked(space: SearchSpace, tell: Callable[..., Any]) -> Callable[..., Any]:
    """The `tell` of a searcher, which outside of `jit` refuses actions that no walk has.

    Raises, when called:
      SpaceError: see `jaxnas.spaces.walks.check_actions`.
    """
    return functools.partial(_check_and_tell, space, tell)


def _check_and_tell(
    space: SearchSpace,
    tell: Callable[..., Any],
    state: Any,
    architectures: Any,
    rewards: Any,
    context: Any = None,
) -> Any:
    # An action that no walk has would be clamped, or make the policy's parameters NaN.
    check_actions(space, architectures)
    return tell(state, architectures, rewards, context)
