"""A batch over the cores of a CPU, where a compiled function treats each image by itself.

One program of many small steps, such as a network in which every image has its own architecture,
leaves all cores but one idle. Here each core's thread calls it with a part of the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.supernets.executors import side_by_side
from jaxnas.supernets.executors.program import Program


class OverCores:
    """A compiled function that gives every core of a CPU an equal part of the batch.

    Attributes:
      single: what a call with a batch of one calls. Where single images are served, finding out
        that there is one, and how many cores there are, takes time.
    """

    def __init__(self, function: Callable[..., Any]):
        self._program = Program(function)
        self.single = self._program.on_all_cores
        self._seen: set[Any] = set()

    def __call__(self, weights: Any, *batched: Any) -> Any:
        """What the function returns of `weights` and arrays `[B, ...]`."""
        size = len(batched[0])
        if size == 1:
            return self.single(weights, *batched)
        count = side_by_side.cores()
        if count == 1 or not size or size % count or not _on_cpu((weights, batched)):
            return self._program(weights, *batched)
        share = size // count
        parts = [(weights, *(x[i : i + share] for x in batched)) for i in range(0, size, share)]
        # Threads that meet new shapes at once would each compile the program.
        shapes = tuple((jnp.shape(x), jnp.result_type(x)) for x in jax.tree.leaves(parts[0]))
        first = shapes not in self._seen
        results = _side_by_side(self._program.on_one_core, parts, one_first=first)
        self._seen.add(shapes)
        return jax.tree.map(lambda *pieces: jnp.concatenate(pieces), *results)


def over_cores(function: Callable[..., Any]) -> OverCores:
    """Compiles `function` and gives every core of a CPU an equal part of the batch.

    Where that cannot be, the whole batch is one call: inside a transformation, on another device,
    with one core, or where the batch `B` is not a multiple of the number of cores.

    Args:
      function: pure, `(weights, *arrays [B, ...]) -> pytree of arrays [B, ...]`; what it returns of
        an image must not depend on the rest of the batch.

    Returns:
      A function of the same arguments and results, which may be called from any thread.

    Example:
      >>> import jax.numpy as jnp
      >>> double = over_cores(lambda weights, images: weights * images)
      >>> double(2.0, jnp.arange(4.0)).tolist()
      [0.0, 2.0, 4.0, 6.0]
    """
    return OverCores(function)


def _side_by_side(
    compiled: Callable[..., Any], parts: Sequence[Any], *, one_first: bool
) -> list[Any]:
    """The results of all parts, each on a thread; those after the first wait for it if it is so."""
    results: list[Any] = [None] * len(parts)

    def work(part: int) -> Any:
        results[part] = compiled(*parts[part])
        return results[part]

    reads = [[0] if part and one_first else [] for part in range(len(parts))]
    side_by_side.run(reads, work, len(parts))
    return results


def _on_cpu(arrays: Any) -> bool:
    """Whether no array is traced, and none is elsewhere than on one CPU device."""
    leaves = jax.tree.leaves(arrays)
    if any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
        return False
    devices = {d for leaf in leaves if isinstance(leaf, jax.Array) for d in leaf.devices()}
    return len(devices) <= 1 and all(d.platform == "cpu" for d in devices or jax.devices()[:1])
