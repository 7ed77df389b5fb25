"""Children evaluated with shared weights: the validation reward of one-shot search."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.objectives import accuracy
from jaxnas.supernets import Supernet

Objective = Callable[[jax.Array, jax.Array], jax.Array]

_accuracy = jax.jit(accuracy)


def shared(
    supernet: Supernet,
    params: Any,
    images: jax.Array,
    labels: jax.Array,
    *,
    batch_size: int | None = None,
    chunk: int = 64,
    objective: Objective = _accuracy,
) -> Callable[[Any], jax.Array]:
    """An evaluator of children by shared weights on validation images.

    Every child sees the same images, in the same batches, and is normalised by its own statistics
    of each batch.

    Args:
      supernet: executes the children.
      params: the shared parameters.
      images: float `[N, H, W, C]`, standardised.
      labels: `int [N]`.
      batch_size: `B`, images per forward pass; all by default. The last `N mod B` are left out,
        since a smaller batch has other statistics.
      chunk: children per forward pass; more share more work and take more memory.
      objective: `(logits [A, B, K], labels [B]) -> [A]`, higher is better; accuracy by default.

    Returns:
      `architectures [A, T] -> rewards float32 [A]`.

    Raises:
      ValueError: fewer images than one batch, or a size below 1.

    Example:
      >>> rewards = shared(supernet, params, images, labels)(architectures)  # doctest: +SKIP
    """
    number = images.shape[0]
    size = number if batch_size is None else batch_size
    if not 1 <= size <= number:
        raise ValueError(
            f"'batch_size' is {batch_size} for {number} images: give 1 to the number of images."
        )
    if chunk < 1:
        raise ValueError(f"'chunk' is {chunk} children per forward pass: give 1 or more.")
    batches = number // size

    def evaluate(architectures: Any) -> jax.Array:
        architectures = np.asarray(architectures)
        rewards = [
            _evaluate_chunk(architectures[start : start + chunk])
            for start in range(0, len(architectures), chunk)
        ]
        return jnp.concatenate(rewards)

    def _evaluate_chunk(architectures: np.ndarray) -> jax.Array:
        plan = supernet.plan(architectures)
        total = jnp.zeros((len(architectures),))
        for i in range(batches):
            batch = slice(i * size, (i + 1) * size)
            total += objective(supernet.apply(params, plan, images[batch]), labels[batch])
        return total / batches

    return evaluate
