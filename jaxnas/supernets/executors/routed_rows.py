"""Which rows of a batch a step works on, in arrays of few sizes, so that programs are few."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxnas.supernets.routing import Leg

SIZES = 4
"""A gathered batch is filled up to a multiple of `B / SIZES`, so that programs are few."""


class Rows(NamedTuple):
    """The images of one step.

    Attributes:
      rows: `int32 [m]` positions, unused ones `B`; `None` for all images.
      count: how many are used.
    """

    rows: Any
    count: Any


def rows_of(leg: Leg, position: int, chunk: int | None) -> Rows | None:
    """The images that take a step; `None` for no image.

    Args:
      leg: the segment.
      position: the step.
      chunk: images per pass; where there are no chunks, the rows are of one of few sizes.
    """
    total = len(leg.taken)
    if leg.whole(position):
        return Rows(None, total)
    taken = leg.taken[:, position]
    if isinstance(taken, np.ndarray):
        found = np.flatnonzero(taken)
        if not len(found):
            return None
        multiple = total if chunk else -(-total // SIZES)
        size = -(-len(found) // multiple) * multiple
        rows: Any = np.full(min(size, total), total, np.int32)
        rows[: len(found)] = found
        return Rows(rows, len(found))
    # `jnp.nonzero` counts in windows, on which XLA's CPU compiler fails where rows are shared.
    return Rows(jnp.sort(jnp.where(taken, jnp.arange(total), total)), taken.sum())


def chunk_rows(rows: Rows, total: int, chunk: int) -> Any:
    """The rows of a step among `total` images, filled up to whole chunks."""
    fill = -total % chunk
    if rows.rows is None:
        return np.minimum(np.arange(total + fill, dtype=np.int32), total)
    library = np if isinstance(rows.rows, np.ndarray) else jnp
    return library.concatenate([rows.rows, np.full(fill, total, np.int32)])
