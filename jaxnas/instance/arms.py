"""What an instance policy is compared with, at its own latency.

- permuted: the policies that the images chose, shuffled over the images;
- independent: every bit drawn by itself, with the share of images that chose it;
- static: one architecture for all images.

If knowing the image helps, each of them is less accurate.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.engine import DeviceData, Split
from jaxnas.instance.engine import InstanceEngine, InstanceState
from jaxnas.instance.evaluation import Evaluation, evaluate
from jaxnas.supernets import make_routing

_ROUNDING = 1e-5


def permuted(key: jax.Array, architectures: np.ndarray) -> np.ndarray:
    """The same architectures `int32 [N, T]` in another order, none where it was.

    A random cyclic permutation: with it the distribution of latencies stays, and no image keeps
    its own by chance.
    """
    order = np.asarray(jax.random.permutation(key, len(architectures)))
    moved = np.empty_like(architectures)
    moved[order] = architectures[np.roll(order, 1)]
    return moved


def independent(key: jax.Array, architectures: np.ndarray) -> np.ndarray:
    """Architectures `int32 [N, T]` whose bits are drawn by themselves, with the same shares."""
    shares = jnp.asarray(architectures.mean(0))
    return np.asarray(jax.random.bernoulli(key, shares, architectures.shape), np.int32)


def best_static(
    engine: InstanceEngine,
    state: InstanceState,
    split: Split,
    data: DeviceData,
    batch_size: int,
    *,
    architectures: np.ndarray,
    most: float,
    key: jax.Array,
    count: int = 200,
    finalists: int = 8,
) -> tuple[np.ndarray, Evaluation]:
    """The most accurate single architecture among many, of at most a given latency.

    Candidates are the architectures that images chose, the most frequent first, and then ones with
    independent bits of the same shares. All are tried on one batch of images, the best of them on
    the whole split.

    Args:
      engine: the engine.
      state: its weights and moments.
      split: images, of validation.
      data: their statistics.
      batch_size: images per pass.
      architectures: `int32 [N, T]` that the images chose.
      most: the largest latency that is allowed.
      key: of the drawn candidates.
      count: candidates within the latency.
      finalists: how many of them are tried on the whole split.

    Returns:
      The architecture `int32 [T]`, and what became of the images of the split.

    Raises:
      ValueError: no candidate costs at most `most`.
    """
    candidates = _candidates(engine, architectures, most, key, count)
    few = Split(split.images[:batch_size], split.labels[:batch_size])

    def accuracy(architecture: np.ndarray, split: Split) -> Evaluation:
        rows = np.broadcast_to(architecture, (len(split.labels), len(architecture)))
        return evaluate(engine, state, split, data, batch_size, rows)

    scores = [accuracy(candidate, few).accuracy for candidate in candidates]
    order = np.argsort(-np.array(scores), kind="stable")[:finalists]
    found = [accuracy(candidates[i], split) for i in order]
    best = int(np.argmax([evaluation.accuracy for evaluation in found]))
    return candidates[order[best]], found[best]


def _candidates(engine, architectures: np.ndarray, most: float, key, count: int) -> np.ndarray:
    chosen, times = np.unique(architectures, axis=0, return_counts=True)
    chosen = chosen[np.argsort(-times, kind="stable")]
    shape = (max(16 * count, 1), architectures.shape[1])
    drawn = independent(key, np.broadcast_to(architectures.mean(0), shape))
    both = np.concatenate([chosen[: count // 2], drawn])
    costs = np.asarray(engine.table.total(make_routing(engine.supernet.network, both)))
    # Where all images chose one architecture, their mean may lie below its cost by a rounding.
    allowed = both[costs <= most * (1 + _ROUNDING)]
    if not len(allowed):
        raise ValueError(f"no candidate costs at most {most:.4g} {engine.table.unit}.")
    _, first = np.unique(allowed, axis=0, return_index=True)
    return allowed[np.sort(first)][:count]
