"""The few statistics that the report needs."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from scipy import special


class Interval(NamedTuple):
    """A mean and its 95% confidence interval; `low` and `high` are NaN for fewer than 2 values."""

    mean: float
    low: float
    high: float
    n: int


def mean_interval(values: Any) -> Interval:
    """The mean of `values` with Student's 95% interval; values that are not finite do not count.

    Example:
      >>> mean_interval([1.0, 3.0]).mean
      2.0
    """
    array = np.asarray(values, float)
    array = array[np.isfinite(array)]
    n = len(array)
    mean = float(array.mean()) if n else math.nan
    if n < 2:
        return Interval(mean, math.nan, math.nan, n)
    half = float(special.stdtrit(n - 1, 0.975) * array.std(ddof=1) / math.sqrt(n))
    return Interval(mean, mean - half, mean + half, n)


def smoothed(values: Any, span: int) -> np.ndarray:
    """An exponential moving average without the pull towards 0 at the start, `float [n]`.

    Args:
      values: `float [n]`; a value that is not finite leaves the average as it is.
      span: the number of values over which about 86% of the weight is spread.
    """
    decay = 1 - 2 / (span + 1)
    total = weight = 0.0
    out = []
    for value in np.asarray(values, float):
        if math.isfinite(value):
            total, weight = decay * total + value, decay * weight + 1.0
        out.append(total / weight if weight else math.nan)
    return np.array(out, float)
