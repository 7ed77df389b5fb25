"""Variational dropout: one mask for all steps of a segment, drawn anew for each segment.

Source: Gal & Ghahramani 2016, "A theoretically grounded application of dropout in recurrent neural
networks" (arXiv:1512.05287), sections 4 and 5.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp


@dataclasses.dataclass(frozen=True)
class Dropout:
    """The share that is set to zero; what is left is scaled up so that means stay.

    Attributes:
      embedding: of the kinds of tokens, all of whose places in a segment are dropped together.
      inputs: of the inputs of each layer.
      hidden: of the hidden state that a cell reads at the next step.
      output: of the output of the last layer.

    Raises:
      ValueError: a share that is not in `[0, 1)`.
    """

    embedding: float = 0.0
    inputs: float = 0.0
    hidden: float = 0.0
    output: float = 0.0

    def __post_init__(self):
        for field in dataclasses.fields(self):
            if not 0 <= getattr(self, field.name) < 1:
                raise ValueError(
                    f"dropout.{field.name} is {getattr(self, field.name)}: give a share from 0 to "
                    "below 1."
                )


NO_DROPOUT = Dropout()
"""Drops nothing."""


def draw_mask(
    key: jax.Array, share: float, shape: tuple[int, ...], dtype: jnp.dtype
) -> jax.Array | None:
    """A mask of zeros and `1 / (1 - share)`, or `None` where nothing is dropped."""
    if not share:
        return None
    kept = jax.random.bernoulli(key, 1 - share, shape)
    return kept.astype(dtype) / (1 - share)


def apply_mask(values: jax.Array, mask: jax.Array | None) -> jax.Array:
    """`values` times a mask that broadcasts, or as they are."""
    return values if mask is None else values * mask
