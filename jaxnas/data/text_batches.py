"""Minibatches of a text: contiguous streams, read side by side in segments.

Source: Zaremba et al. 2014, "Recurrent neural network regularization" (arXiv:1409.2329), whose
PTB pipeline this is: the states at the end of a segment are the first of the next.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.data.errors import DataError
from jaxnas.data.text import Text


class Streams(NamedTuple):
    """The tokens of two splits, each cut into rows that are read side by side.

    Attributes:
      train: `int32 [B, N]`.
      validation: `int32 [B', N']`.
    """

    train: jax.Array
    validation: jax.Array


def make_streams(tokens: np.ndarray, rows: int, steps: int) -> np.ndarray:
    """Cuts tokens `[N]` into contiguous rows, `int32 [rows, N // rows]`; the rest is left out.

    Raises:
      DataError: a row would be shorter than one segment of `steps` tokens and what follows it.

    Example:
      >>> make_streams(np.arange(7), rows=2, steps=2).tolist()
      [[0, 1, 2], [3, 4, 5]]
    """
    if rows < 1 or steps < 1:
        raise DataError(f"batch_size is {rows} and steps is {steps}: give 1 or more of both.")
    length = len(tokens) // rows
    if length <= steps:
        raise DataError(
            f"{len(tokens)} tokens in {rows} rows are {length} each, too few for segments of "
            f"{steps} and the token after: take fewer rows, shorter segments or more text."
        )
    return np.asarray(tokens[: rows * length], np.int32).reshape(rows, length)


def segments(length: int, steps: int) -> int:
    """The whole segments of `steps` tokens, each with the token after it, in `length` tokens."""
    return (length - 1) // steps


@dataclasses.dataclass(frozen=True)
class TextBatches:
    """Batches `int32 [B, T + 1]` of a text, each with the first token of the next; see `Batches`.

    Every epoch starts at a place of its own, drawn at random among those that leave room for all
    of its steps, so that segments are cut elsewhere each time.

    Attributes:
      batch_size: `B`, streams in training.
      steps: `T`, tokens of a segment: how far gradients flow back.
      epoch_steps: segments of one epoch.
      score_batch_size: streams in validation.
      score_steps: segments of validation that are scored.

    Example:
      >>> text = load_text("text:book.txt", level="character")  # doctest: +SKIP
      >>> batches, data = text_batches(text, batch_size=20, steps=35)  # doctest: +SKIP
    """

    batch_size: int
    steps: int
    epoch_steps: int
    score_batch_size: int
    score_steps: int

    def start_epoch(self, data: Streams, key: jax.Array, epoch: jax.Array) -> jax.Array:
        """The first token of an epoch in every stream, `int32 []`."""
        room = data.train.shape[1] - self.epoch_steps * self.steps
        return jax.random.randint(jax.random.fold_in(key, epoch), (), 0, room)

    def training_batch(
        self, data: Streams, order: jax.Array, key: jax.Array, step: jax.Array
    ) -> jax.Array:
        """The segment of a step of the epoch that starts at token `order`."""
        return _segment(data.train, order + step * self.steps, self.steps)

    def score_batch(self, data: Streams, step: jax.Array) -> jax.Array:
        """The validation segment of a step."""
        return _segment(data.validation, step * self.steps, self.steps)


def text_batches(
    text: Text,
    *,
    batch_size: int = 20,
    steps: int = 35,
    epoch_steps: int | None = None,
    score_batch_size: int | None = None,
    score_steps: int | None = None,
    score_split: str = "validation",
) -> tuple[TextBatches, Streams]:
    """The batches of a text, and its tokens as arrays.

    Args:
      text: the text.
      batch_size: streams in training.
      steps: tokens of a segment.
      epoch_steps: segments of one epoch; a whole pass by default.
      score_batch_size: streams in validation; as many as in training by default.
      score_steps: segments that are scored, from the start; all by default.
      score_split: what is scored, `validation` or `test`.

    Raises:
      DataError: the text is too short for what is asked.
    """
    rows = score_batch_size or batch_size
    train = make_streams(text.train, batch_size, steps)
    scored = make_streams(getattr(text, score_split), rows, steps)
    batches = TextBatches(
        batch_size,
        steps,
        _number("epoch_steps", epoch_steps, segments(train.shape[1], steps)),
        rows,
        _number("score_steps", score_steps, segments(scored.shape[1], steps)),
    )
    return batches, Streams(jnp.asarray(train), jnp.asarray(scored))


def _number(field: str, asked: int | None, there: int) -> int:
    """The segments that are asked for, or all that are there."""
    if asked is not None and not 1 <= asked <= there:
        raise DataError(
            f"{field} is {asked}, but the text has {there} segments: give 1 to {there}."
        )
    return there if asked is None else asked


def _segment(stream: jax.Array, first: jax.Array, steps: int) -> jax.Array:
    return jax.lax.dynamic_slice_in_dim(stream, first, steps + 1, axis=1)
