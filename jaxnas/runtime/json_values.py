"""Python, NumPy and JAX values as JSON that every reader accepts."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""How floats that JSON cannot hold are written, and what they stand for."""


def to_json(value: Any) -> Any:
    """Turns a value into plain dicts, lists, strings, numbers, bools and `None`.

    Arrays become nested lists, dataclasses and mappings dicts with string keys, paths strings, and
    floats that are not finite the strings of `NON_FINITE`.

    Raises:
      TypeError: a value that has no such form.

    Example:
      >>> to_json({"loss": np.float32("nan"), "shape": (2, 3)})
      {'loss': 'NaN', 'shape': [2, 3]}
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return _finite(value)
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value) if isinstance(value, (set, frozenset)) else value
        return [to_json(item) for item in items]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: to_json(getattr(value, field.name)) for field in fields}
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "__array__"):
        return to_json(_plain(np.asarray(value)).tolist())
    raise TypeError(f"{type(value).__name__} has no form in JSON: {value!r}.")


def from_json(value: Any) -> Any:
    """Turns the strings of `NON_FINITE`, at any depth, back into floats."""
    if isinstance(value, dict):
        return {key: from_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [from_json(item) for item in value]
    return NON_FINITE.get(value, value) if isinstance(value, str) else value


def _finite(value: float) -> float | str:
    if math.isfinite(value):
        return float(value)
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _plain(array: np.ndarray) -> np.ndarray:
    # Types such as bfloat16 turn into Python objects of their own, not into floats.
    return array.astype(np.float64) if array.dtype.kind == "V" else array
