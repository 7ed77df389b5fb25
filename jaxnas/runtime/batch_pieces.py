"""Images that belong together, in batches of few sizes, so that the programs for them are few."""

from __future__ import annotations

from typing import Any

import numpy as np

SIZES = (1, 2, 4, 8, 16, 32, 64)
"""The batches that programs are compiled for, so that they are few."""
FILLED = 0.75
"""A batch of one of these sizes is filled up if at least so much of it is used."""


def group(architectures: np.ndarray) -> list[np.ndarray]:
    """The positions of equal architectures among `int32 [B, T]`, in order of appearance.

    `np.unique` takes several times as long for few images.
    """
    groups: dict[bytes, list[int]] = {}
    for position, row in enumerate(architectures):
        groups.setdefault(row.tobytes(), []).append(position)
    return [np.array(positions) for positions in groups.values()]


def pieces(count: int) -> list[tuple[int, int]]:
    """Splits `count` images into batches of `SIZES`: how many are used of each, and its size.

    Example:
      >>> pieces(35), pieces(7)
      ([(32, 32), (3, 4)], [(7, 8)])
    """
    found: list[tuple[int, int]] = []
    for size in reversed(SIZES):
        whole, count = divmod(count, size)
        found += [(size, size)] * whole
        if count >= FILLED * size:
            return [*found, (count, size)]
    return found


def start(run: Any, images: np.ndarray, others: tuple[Any, ...], rows: np.ndarray):
    """Runs a program on the images at `rows`, in batches of few sizes; the results are not awaited.

    Returns:
      Pairs of the rows of a batch, and its results with those of the filling behind them.
    """
    found, first = [], 0
    for used, size in pieces(len(rows)):
        here = rows[first : first + used]
        filled = np.concatenate([here, np.repeat(here[:1], size - used)]) if used < size else here
        whole = size == len(images) and used == size
        batch = [array if whole else array[filled] for array in (images, *others)]
        found.append((here, run((), *batch)))
        first += used
    return found
