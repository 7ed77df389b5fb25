"""Checks of the options of `jaxnas.searchers.reinforce`; each error names the option."""

from __future__ import annotations

import math


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
