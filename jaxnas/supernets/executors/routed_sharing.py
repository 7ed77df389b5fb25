"""Several architectures for every image at once; what they have in common is computed once.

As long as two architectures of an image take the same steps, segment by segment, their values are
the same. Of such rows (a row is an image under one architecture) the first computes them, and the
others read its value where they part. That is exact where an image's numbers do not depend on its
batch, so with given moments.

All of it is one program, whose temporary values stand in one place; driven from Python a step at a
time the same takes longer.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.supernets.executors.routed import Run
from jaxnas.supernets.network import Key, Network
from jaxnas.supernets.ops.operation import Params
from jaxnas.supernets.routing import Leg, Routing, make_routing


@functools.partial(jax.jit, static_argnums=0)
def forward(
    network: Network,
    params: Params,
    architectures: jax.Array,
    images: jax.Array,
    moments: Mapping[Key, Any],
) -> jax.Array:
    """The logits `[A, B, K]` of `B` images, each under `A` architectures of its own.

    Args:
      network: the network, described in segments of few ways each.
      params: the shared parameters.
      architectures: `int32 [A, B, T]`; not checked.
      images: float `[B, H, W, C]`.
      moments: of every operation.

    Raises:
      ValueError: a segment with too many ways, moments that miss an operation, or architectures
        for another number of images.
    """
    count, size, length = architectures.shape
    if size != len(images):
        raise ValueError(f"architectures for {size} images, and {len(images)} images.")
    legs, last = share(make_routing(network, architectures.reshape(-1, length)).legs, count)
    logits = Run(Routing(network, legs), params, images, moments, None).forward()
    return logits[last].reshape(count, size, -1)


def share(legs: Sequence[Leg], count: int) -> tuple[tuple[Leg, ...], Any]:
    """The segments of `count` architectures for each image, every value computed by one row.

    Args:
      legs: of `A * B` rows, the images in the same order for each of `count = A` architectures.
      count: `A`.

    Returns:
      The segments, the first of which reads `B` images, and the row `int32 [A * B]` of the last
      one's output that holds the value of each row.
    """
    rows = len(legs[0].taken)
    library: Any = np if isinstance(legs[0].taken, np.ndarray) else jnp
    own, image = np.arange(rows, dtype=np.int32), np.arange(rows, dtype=np.int32) % (rows // count)
    alike = library.ones((count, count, rows // count), bool)
    shared, origins = [], image
    for leg in legs:
        taken = leg.taken.reshape(count, rows // count, -1)
        alike = alike & (taken[:, None] == taken[None]).all(-1)
        first = alike.argmax(1).astype(np.int32).reshape(-1) * (rows // count) + image
        mine = leg.taken & (first == own)[:, None]
        shared.append(dataclasses.replace(leg, taken=mine, origins=origins))
        origins = first
    return tuple(shared), origins
