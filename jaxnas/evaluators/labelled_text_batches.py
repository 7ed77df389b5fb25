"""Minibatches of labelled texts for children that are trained from scratch."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnas.data.batches import batches_per_epoch, epoch_permutation, slice_batch


class LabelledTextBatch(NamedTuple):
    """Some texts, as token numbers.

    Attributes:
      tokens: `int32 [P, B, L]`, by each of `P` preprocessings; 0 is padding.
      labels: `int32 [B]`.
      weights: `[B]`, 0 for a row that only fills the batch up.
      class_mask: `bool [K]`, the classes that the task has.
      tables: `float32 [S, V, E]`, embeddings from files; without any `S` is 0.
    """

    tokens: jax.Array
    labels: jax.Array
    weights: jax.Array
    class_mask: jax.Array
    tables: jax.Array


class LabelledTextData(NamedTuple):
    """All texts of a task on the device.

    Attributes:
      train_tokens: `int32 [P, N, L]`.
      train_labels: `int32 [N]`.
      score_tokens: `int32 [P, M, L]`, of the validation split, or of the test split for the report.
      score_labels: `int32 [M]`.
      score_weights: `[M]`, 0 for rows that only fill up.
      class_mask: as in `LabelledTextBatch`.
      tables: as in `LabelledTextBatch`.
    """

    train_tokens: jax.Array
    train_labels: jax.Array
    score_tokens: jax.Array
    score_labels: jax.Array
    score_weights: jax.Array
    class_mask: jax.Array
    tables: jax.Array


@dataclasses.dataclass(frozen=True)
class LabelledTextBatches:
    """Batches of `LabelledTextData`. Tasks of equal sizes share one compiled program.

    Attributes:
      train_size: texts in the train split. What does not fill a batch is left out, others in each
        epoch.
      score_size: rows that are scored, the ones that fill up included.
      batch_size: `B`, texts of a training step.
      score_batch_size: rows of a batch that is scored.

    Raises:
      DataError: a batch larger than its split, or of no rows.
      ValueError: scored rows that do not fill their batches.

    Example:
      >>> LabelledTextBatches(2000, 1200, batch_size=50, score_batch_size=100).score_steps
      12
    """

    train_size: int
    score_size: int
    batch_size: int
    score_batch_size: int

    def __post_init__(self):
        # Both raise where no batch fits.
        self.epoch_steps  # noqa: B018
        self.score_steps  # noqa: B018
        if self.score_size % self.score_batch_size:
            raise ValueError(
                f"'score_size' is {self.score_size}: give a multiple of 'score_batch_size', "
                f"{self.score_batch_size}."
            )

    @property
    def epoch_steps(self) -> int:
        """Training steps of one pass."""
        return batches_per_epoch(self.train_size, self.batch_size)

    @property
    def score_steps(self) -> int:
        """Batches that are scored."""
        return batches_per_epoch(self.score_size, self.score_batch_size)

    def start_epoch(self, data: LabelledTextData, key: jax.Array, epoch: jax.Array) -> jax.Array:
        """The order of the training texts in an epoch, `int32 [train_size]`."""
        return epoch_permutation(key, epoch, self.train_size)

    def training_batch(
        self, data: LabelledTextData, order: jax.Array, key: jax.Array, step: jax.Array
    ) -> LabelledTextBatch:
        """The batch of a step of the epoch."""
        rows = slice_batch(order, step, self.batch_size)
        weights = jnp.ones(self.batch_size, data.score_weights.dtype)
        return LabelledTextBatch(
            data.train_tokens[:, rows],
            data.train_labels[rows],
            weights,
            data.class_mask,
            data.tables,
        )

    def score_batch(self, data: LabelledTextData, step: jax.Array) -> LabelledTextBatch:
        """A batch that is scored, in the order of the split."""

        def cut(array: jax.Array, axis: int = 0) -> jax.Array:
            start, size = step * self.score_batch_size, self.score_batch_size
            return jax.lax.dynamic_slice_in_dim(array, start, size, axis)

        return LabelledTextBatch(
            cut(data.score_tokens, 1),
            cut(data.score_labels),
            cut(data.score_weights),
            data.class_mask,
            data.tables,
        )
