"""Times of contenders that take turns, and ratios of their medians with intervals."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

_BOOTSTRAPS = 2000


class Times(NamedTuple):
    """The seconds of each repeat of one contender.

    Attributes:
      cpu: process time `[R]`, all threads together.
      wall: elapsed time `[R]`.
    """

    cpu: np.ndarray
    wall: np.ndarray


def interleave(
    contenders: Mapping[str, Callable[[], Any]],
    *,
    seconds: float,
    least: int = 5,
    most: int = 15,
) -> dict[str, Times]:
    """Times contenders in turns A B A B: what disturbs one disturbs its neighbours too.

    Args:
      contenders: by name, functions that return when their work is done; all have run before.
      seconds: stops after this time, but not before `least` repeats.
      least: repeats at least.
      most: repeats at most.
    """
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    start = time.perf_counter()
    for repeat in range(most):
        if repeat >= least and time.perf_counter() - start > seconds:
            break
        for name, run in contenders.items():
            gc.collect()
            before = time.process_time(), time.perf_counter()
            run()
            taken[name].append((time.process_time() - before[0], time.perf_counter() - before[1]))
    return {name: Times(*np.array(pairs).T) for name, pairs in taken.items()}


def ratio(slow: np.ndarray, fast: np.ndarray) -> dict[str, float]:
    """How often as fast: the ratio of the medians of paired seconds `[R]`.

    Returns:
      `{value, low, high}`, the 95% interval from resampled repeats (bootstrap, pairs together).
    """
    picks = np.random.default_rng(0).integers(len(slow), size=(_BOOTSTRAPS, len(slow)))
    resampled = np.median(slow[picks], 1) / np.median(fast[picks], 1)
    low, high = np.percentile(resampled, [2.5, 97.5])
    return {
        "value": float(np.median(slow) / np.median(fast)),
        "low": float(low),
        "high": float(high),
    }
