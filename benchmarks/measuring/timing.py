"""Times of contenders that take turns, and ratios of their medians with intervals."""

from __future__ import annotations

import gc
import math
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

_BOOTSTRAPS = 2000


class Times(NamedTuple):
    """The seconds of a call in each repeat of one contender.

    Attributes:
      cpu: process time `[R]`, all threads together.
      wall: elapsed time `[R]`.
    """

    cpu: np.ndarray
    wall: np.ndarray


def cpu_seconds() -> float:
    """The CPU time of this process and of those that it has waited for: compilers."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in usage)


def interleave(
    contenders: Mapping[str, Callable[[], Any]],
    *,
    seconds: float,
    least: int = 5,
    most: int = 15,
    shortest: float = 0.02,
) -> dict[str, Times]:
    """Times contenders in turns A B A B: what disturbs one disturbs its neighbours too.

    Args:
      contenders: by name, functions that return when their work is done; all have run before.
      seconds: stops after this time, but not before `least` repeats.
      least: repeats at least.
      most: repeats at most.
      shortest: seconds of a repeat at least. What is shorter is called several times in a repeat,
        as `timeit` does: what one call measures then is how cold the caches are.
    """
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    calls: dict[str, int] = {}
    start = time.perf_counter()
    for repeat in range(most):
        if repeat >= least and time.perf_counter() - start > seconds:
            break
        for name, run in contenders.items():
            gc.collect()
            found = _seconds(run, calls.get(name, 1))
            if name not in calls:
                calls[name] = max(1, math.ceil(shortest / max(found[1], 1e-9)))
                found = found if calls[name] == 1 else _seconds(run, calls[name])
            taken[name].append(found)
    return {name: Times(*np.array(pairs).T) for name, pairs in taken.items()}


def _seconds(run: Callable[[], Any], calls: int) -> tuple[float, float]:
    """Process time and elapsed time of one of several calls."""
    before = time.process_time(), time.perf_counter()
    for _ in range(calls):
        run()
    return (
        (time.process_time() - before[0]) / calls,
        (time.perf_counter() - before[1]) / calls,
    )


def ratio(slow: np.ndarray, fast: np.ndarray) -> dict[str, float]:
    """How often as fast: the ratio of the medians of paired seconds `[R]`.

    Returns:
      `{value, low, high}`, the 95% interval from resampled repeats (bootstrap, pairs together).
    """
    return mean_ratio([(slow, fast)])


def mean_ratio(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> dict[str, float]:
    """The geometric mean of the ratios of several samples, each as `ratio` has it.

    The interval is that of the times: the samples stay what they are.
    """
    random, logs, resampled = np.random.default_rng(0), [], []
    for slow, fast in pairs:
        picks = random.integers(len(slow), size=(_BOOTSTRAPS, len(slow)))
        logs.append(np.log(np.median(slow) / np.median(fast)))
        resampled.append(np.log(np.median(slow[picks], 1) / np.median(fast[picks], 1)))
    low, high = np.percentile(np.mean(resampled, 0), [2.5, 97.5])
    value, low, high = np.exp([np.mean(logs), low, high]).tolist()
    return {"value": value, "low": low, "high": high}


def ratio_of_processes(ratios: Sequence[float]) -> dict[str, float]:
    """The geometric mean of the ratios `[P]` that `P` processes measured, `P` at least 2.

    Returns:
      `{value, low, high}`, the 95% interval (Student's t of the logarithms) over processes, which
      differ by more than the repeats within one.
    """
    logs = np.log(ratios)
    half = stats.t.ppf(0.975, len(logs) - 1) * stats.sem(logs)
    value, low, high = np.exp(logs.mean() + np.array([0.0, -half, half])).tolist()
    return {"value": value, "low": low, "high": high}
