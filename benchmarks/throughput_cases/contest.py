"""One case: the contenders' results are compared, then they are timed in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
import numpy as np
from measuring import Times, interleave, mean_ratio, peak_memory_mb

OURS = "jaxnas"
TOLERANCE = 2e-3
"""Relative, of float32 results of networks with many normalisations."""
GRADIENT_TOLERANCE = 2e-2
"""An input of a ReLU that is zero to float32 precision passes its gradient in one implementation
and not in the next, so gradients agree less. In float64 the tests' agree to 1e-9; three children of
the full chain were once compared so too: 1e-14, and in float32 0.9%, of which PyTorch's own
distance from its float64 result is 1.0% and ours 0.2%."""


class Options(NamedTuple):
    """What all cases of a process share.

    Attributes:
      threads: of both libraries.
      quick: small networks and few repeats.
      seed: of weights, images and children.
      peak: FLOP/s of a float32 matrix product with these threads.
    """

    threads: int
    quick: bool
    seed: int
    peak: float


class Contender(NamedTuple):
    """One way to do the work of a case.

    Attributes:
      run: does it, and returns when it is done.
      read: `what run returned -> pytree of arrays` to be compared; not timed.
    """

    run: Callable[[], Any]
    read: Callable[[Any], Any] = np.asarray


class ResultsDifferError(Exception):
    """Two contenders do not compute the same."""


def compete(
    name: str,
    samples: Iterable[dict[str, Contender]],
    seconds: float,
    options: Options,
    tolerance: float = TOLERANCE,
) -> dict[str, Any]:
    """The columns that every case has: seconds, and ratios to each peer with intervals.

    Args:
      name: of the case, for messages.
      samples: for each sample of children the contenders by name, `jaxnas` first.
      seconds: the time for the repeats of one sample.
      options: of the process.
      tolerance: how far results may be apart.

    Returns:
      Seconds are means over the samples, ratios geometric means.

    Raises:
      ResultsDifferError: results are not equal to float tolerance.
    """
    limits = {"least": 2, "most": 2} if options.quick else {}
    taken: list[dict[str, Times]] = []
    difference, compiled = 0.0, []
    for contenders in samples:
        apart, first = _check(name, contenders, tolerance)
        runs = {contender: c.run for contender, c in contenders.items()}
        taken.append(interleave(runs, seconds=seconds, **limits))
        difference = max(difference, apart)
        compiled.append(first - float(np.median(taken[-1][OURS].wall)))
    return _columns(name, taken, options) | {
        "compile_seconds": max(0.0, compiled[0]),
        "largest_difference": difference,
        "process_peak_mb": peak_memory_mb(),
    }


def _columns(name: str, taken: list[dict[str, Times]], options: Options) -> dict[str, Any]:
    chosen = [{c: _clock(t, options) for c, t in times.items()} for times in taken]
    ours = [times[OURS] for times in chosen]
    columns: dict[str, Any] = {
        "case": name,
        "threads": options.threads,
        "clock": "cpu" if options.threads == 1 else "wall",
        "samples": len(taken),
        "repeats": min(map(len, ours)),
        "seconds": _mean_of_medians(ours),
        "cpu_seconds": _mean_of_medians([times[OURS].cpu for times in taken]),
        "cpu_seconds_tuned": _mean_of_medians([times["tuned"].cpu for times in taken]),
    }
    columns |= _cores_busy(taken, options.threads)
    for peer in taken[0]:
        if peer != OURS:
            columns[f"ratio_{peer}"] = mean_ratio([(t[peer], t[OURS]) for t in chosen])
    wall = mean_ratio([(t["tuned"].wall, t[OURS].wall) for t in taken])
    return columns | {"wall_ratio_tuned": wall["value"]}


def _cores_busy(taken: list[dict[str, Times]], threads: int) -> dict[str, float]:
    """What share of the cores' time each of the two uses: the rest is waiting."""
    return {
        column: float(np.mean([np.sum(t[name].cpu) / np.sum(t[name].wall) for t in taken]))
        / threads
        for column, name in (("cores_busy", OURS), ("cores_busy_tuned", "tuned"))
    }


def _mean_of_medians(seconds: list[np.ndarray]) -> float:
    return float(np.mean([np.median(each) for each in seconds]))


def _check(name: str, contenders: dict[str, Contender], tolerance: float) -> tuple[float, float]:
    """How far results are apart, and the seconds of the first call of jaxnas, which compiles."""
    first, compiled = _first_results(contenders)
    difference = 0.0
    for peer, result in first.items():
        apart = _difference(result, first[OURS])
        if not apart <= tolerance:
            raise ResultsDifferError(f"{name}: {peer} differs from jaxnas by {apart:.2g}.")
        difference = max(difference, apart)
    return difference, compiled


def _first_results(contenders: dict[str, Contender]) -> tuple[dict[str, Any], float]:
    """What each computes, and the seconds of the first call of jaxnas, which compiles."""
    results, compiled = {}, 0.0
    for name, contender in contenders.items():
        start = time.perf_counter()
        returned = contender.run()
        compiled = time.perf_counter() - start if name == OURS else compiled
        results[name] = contender.read(returned)
    return results, compiled


def _clock(times: Times, options: Options) -> np.ndarray:
    """Process time on one core, which other processes do not disturb; elapsed time on more."""
    return times.cpu if options.threads == 1 else times.wall


def _difference(theirs: Any, ours: Any) -> float:
    """The largest relative difference of any result, in the Euclidean norm."""
    pairs = zip(jax.tree.leaves(theirs), jax.tree.leaves(ours), strict=True)
    return max(
        float(np.linalg.norm(other - own) / (np.linalg.norm(own) or 1.0)) for other, own in pairs
    )


def median_seconds(function: Callable[[], Any], repeats: int = 5) -> float:
    """The median process time of a function on the host."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        seconds.append(time.process_time() - start)
    return statistics.median(seconds)
