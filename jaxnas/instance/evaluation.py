"""How well images are classified by given architectures, and what that costs."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.data.batches import gather, normalize
from jaxnas.engine import DeviceData, Split
from jaxnas.instance.engine import InstanceEngine, InstanceState
from jaxnas.supernets import make_routing
from jaxnas.supernets.executors import routed_sharing


class Evaluation(NamedTuple):
    """`N` images and what became of them.

    Attributes:
      correct: `bool [N]`; an image with a logit that is not finite is wrong.
      architectures: `int32 [N, T]`.
      latency: `float [N]`, by the table, the controller included.
    """

    correct: np.ndarray
    architectures: np.ndarray
    latency: np.ndarray

    @property
    def accuracy(self) -> float:
        """The share of images that are right."""
        return float(self.correct.mean())


def greedy_architectures(
    engine: InstanceEngine, state: InstanceState, split: Split, data: DeviceData, batch_size: int
) -> np.ndarray:
    """The architectures `int32 [N, T]` that the policy chooses for the images of a split."""
    found = [
        np.asarray(_greedy(engine.policy, state.policy, images))[:used]
        for images, _, used in _batches(split, data, batch_size)
    ]
    return np.concatenate(found)


def evaluate(
    engine: InstanceEngine,
    state: InstanceState,
    split: Split,
    data: DeviceData,
    batch_size: int,
    architectures: Any = None,
) -> Evaluation:
    """Classifies the images of a split, each by its own architecture.

    Args:
      engine: the engine.
      state: its weights, moments and policy.
      split: the images.
      data: their mean and standard deviation.
      batch_size: images per pass; results do not depend on it.
      architectures: `int [N, T]`; by default those that the policy chooses.
    """
    if architectures is None:
        architectures = greedy_architectures(engine, state, split, data, batch_size)
    rows, network = np.asarray(architectures, np.int32), engine.supernet.network
    correct, latency = [], []
    for start, (images, labels, used) in enumerate(_batches(split, data, batch_size)):
        chosen = rows[start * batch_size :][:used]
        # The last batch is filled up, so that one program serves all.
        chosen = np.concatenate([chosen, np.repeat(chosen[-1:], batch_size - used, axis=0)])
        given = state.params, chosen[None], images, state.moments
        logits = routed_sharing.forward(network, *given)[0]
        right = (logits.argmax(-1) == labels) & jnp.isfinite(logits).all(-1)
        correct.append(np.asarray(right)[:used])
        latency.append(np.asarray(engine.table.total(make_routing(network, chosen)))[:used])
    return Evaluation(np.concatenate(correct), rows, np.concatenate(latency))


def _batches(split: Split, data: DeviceData, size: int):
    """Images, labels, and how many of them are not filling."""
    count = split.labels.shape[0]
    for start in range(0, count, size):
        yield *_filled_batch(split, data, start, size), min(size, count - start)


@functools.partial(jax.jit, static_argnums=3)
def _filled_batch(split: Split, data: DeviceData, start, size: int):
    indices = jnp.minimum(start + jnp.arange(size), split.labels.shape[0] - 1)
    images, labels = gather(*split, indices)
    return normalize(images, data.mean, data.std), labels


@functools.partial(jax.jit, static_argnums=0)
def _greedy(policy, params: Any, images: jax.Array) -> jax.Array:
    return policy.greedy(params, images)
