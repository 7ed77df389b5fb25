"""Numbers and names as people write them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from jaxnas.runtime.report.reading import number

MISSING = "–"  # noqa: RUF001


def accuracy(value: Any) -> str:
    """An accuracy with four decimals: `0.9772`."""
    value = number(value)
    return f"{value:.4f}" if math.isfinite(value) else MISSING


def score(value: Any, measure: str) -> str:
    """An accuracy with four decimals, a perplexity with three: `4.283`."""
    if measure == "accuracy":
        return accuracy(value)
    value = number(value)
    return f"{value:.3f}" if math.isfinite(value) else MISSING


def quantity(value: Any, *, short: bool = False) -> str:
    """A count with three significant digits, `1.23 million` or `1.23 M`; small ones in full."""
    value = number(value)
    if not math.isfinite(value):
        return MISSING
    for scale, unit in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if abs(value) >= scale:
            return f"{value / scale:.3g} {unit[0].upper() if short else unit}"
    return f"{value:,.0f}"


def duration(seconds: Any) -> str:
    """A time: `42.1 s`, `3 min 7 s`, `2 h 5 min`."""
    seconds = number(seconds)
    if not math.isfinite(seconds):
        return MISSING
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def latency(value: Any, batch: int) -> str:
    """The milliseconds of a batch, median +- half of the interquartile range: `1.23 +- 0.04`."""
    found = value.get(f"batch_{batch}") if isinstance(value, Mapping) else None
    if not isinstance(found, Mapping):
        return MISSING
    median, spread = (1e3 * number(found.get(key)) for key in ("median", "spread"))
    if not math.isfinite(median):
        return MISSING
    return f"{median:.3g} +- {spread / 2:.2g}" if math.isfinite(spread) else f"{median:.3g}"


def flattened(config: Any, prefix: str = "") -> list[tuple[str, str]]:
    """A nested dict as pairs of dotted key and value."""
    if not isinstance(config, dict) or not config:
        return [(prefix, str(config))] if prefix else []
    pairs = []
    for key, value in config.items():
        pairs += flattened(value, f"{prefix}.{key}" if prefix else str(key))
    return pairs
