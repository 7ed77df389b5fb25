"""Checks of a configuration's values, so that a bad one fails before any work is done."""

from __future__ import annotations

import dataclasses
import math
import numbers
from typing import Any

from jaxnas.data.errors import DataError

SEEDS = 2**32
"""How many seeds there are."""


def whole(section: str, config: Any, minimum: int, *names: str) -> None:
    """Checks that fields are whole numbers of at least `minimum`; a default `None` passes.

    Args:
      section: what stands before a field's name in messages.
      config: the dataclass.
      minimum: the smallest allowed number.
      *names: the fields.

    Raises:
      ValueError: one is not; the message names it.
    """
    for name in names:
        value = getattr(config, name)
        if not _absent(config, name) and not _is_whole(value, minimum):
            raise ValueError(
                f"{section}.{name} is {value!r}: give a whole number of {minimum} or more."
            )


def check_seed(config: Any) -> None:
    """Checks that a configuration's seed is one that JAX tells apart from all others.

    Raises:
      ValueError: it is not; the message names it.
    """
    # Random keys are made of 32 bits: larger seeds would share the streams of smaller ones.
    if not _is_whole(config.seed, 0) or config.seed >= SEEDS:
        raise ValueError(
            f"config.seed is {config.seed!r}: give a whole number from 0 to {SEEDS - 1}."
        )


def whole_numbers(section: str, config: Any, minimum: int, name: str) -> None:
    """Checks that a field is a tuple of whole numbers, at least one and each at least `minimum`.

    Raises:
      ValueError: it is not; the message names it.
    """
    value = getattr(config, name)
    if not (isinstance(value, tuple) and value and all(_is_whole(n, minimum) for n in value)):
        raise ValueError(
            f"{section}.{name} is {value!r}: give one or more whole numbers of {minimum} or more."
        )


def reals(section: str, config: Any, low: float, name: str) -> None:
    """Checks that a field is a tuple of finite numbers, at least one and each above `low`.

    Raises:
      ValueError: it is not; the message names it.
    """
    value = getattr(config, name)
    if not (isinstance(value, tuple) and value and all(_is_above(n, low) for n in value)):
        raise ValueError(f"{section}.{name} is {value!r}: give one or more numbers above {low:g}.")


def real(
    section: str, config: Any, low: float, high: float, *names: str, above: bool = False
) -> None:
    """Checks that fields are finite numbers from `low` to `high`; a default `None` passes.

    Args:
      section: what stands before a field's name in messages.
      config: the dataclass.
      low: the smallest allowed number.
      high: the largest; infinity for no bound.
      *names: the fields.
      above: whether `low` itself is not allowed.

    Raises:
      ValueError: one is not; the message names it.
    """
    for name in names:
        value = getattr(config, name)
        if _absent(config, name):
            continue
        good = isinstance(value, numbers.Real) and not isinstance(value, bool)
        if (
            not good
            or not math.isfinite(value)
            or not low <= value <= high
            or (above and value == low)
        ):
            least = f"above {low:g}" if above else f"from {low:g}"
            most = "" if high == math.inf else f" to {high:g}"
            raise ValueError(f"{section}.{name} is {value!r}: give a number {least}{most}.")


def check_batch(field: str, size: int, split: str, available: int) -> None:
    """Raises `DataError`, which names the field, where a split holds no whole batch."""
    if size > available:
        raise DataError(
            f"{field} is {size}, but the {split} split has {available} images: give {available} "
            "or less."
        )


def _is_whole(value: Any, minimum: int) -> bool:
    good = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    return good and value >= minimum


def _is_above(value: Any, low: float) -> bool:
    good = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return good and low < value < math.inf


def _absent(config: Any, name: str) -> bool:
    """Whether a field that may be left open is."""
    (field,) = (field for field in dataclasses.fields(config) if field.name == name)
    return getattr(config, name) is None and field.default is None


def one_of(section: str, config: Any, name: str, *allowed: str) -> None:
    """Checks that a field is one of some words; raises `ValueError` that lists them."""
    value = getattr(config, name)
    if value not in allowed:
        raise ValueError(f"{section}.{name} is {value!r}: give one of {', '.join(allowed)}.")
