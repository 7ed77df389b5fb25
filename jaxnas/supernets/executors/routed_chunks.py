"""How many images pass through an operation at once where they do not share statistics."""

from __future__ import annotations

import math

import jax

from jaxnas.supernets.ops.operation import Params

_HEAVY, _AT_ONCE = 3 * 2**19, 8


def default_chunk(policy: str) -> int | None:
    """Images per pass through an operation; `None` for all of them, where they share statistics.

    On a CPU one image fills a core and its cache; elsewhere 32, which is not measured yet.
    """
    if policy == "batch":
        return None
    return 1 if jax.default_backend() == "cpu" else 32


def heavy_chunk(chunk: int, params: Params, total: int) -> int:
    """Images per pass through an operation, where `chunk` is the default.

    Large parameters (1.5 MiB or more) do not stay in a core's cache with an image, so eight images
    read them together. Of few images fewer do, as a pass is filled up.

    Args:
      chunk: the default.
      params: the operation's parameters, stacked: leaves `[rows, ...]`.
      total: `B`, the images of the batch.
    """
    leaves = jax.tree.leaves(params)
    size = sum(math.prod(leaf.shape[1:]) * leaf.dtype.itemsize for leaf in leaves)
    return chunk if size < _HEAVY else max(chunk, min(_AT_ONCE, total // 4))
