"""Which images take which step: the plan of a batch in which every image has its own architecture.

Segment by segment, the ways through a segment are merged once (`ways.py`) and kept; an image's way
is looked up by its actions. That also works on architectures that are traced, where the segments
have few ways each.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.supernets.network import Key, Network
from jaxnas.supernets.ops.operation import Shape
from jaxnas.supernets.segments import Segment, all_actions, columns, is_path, radices, segments_of
from jaxnas.supernets.ways import Ways, merge_ways

MAX_WAYS = 1024
"""Segments with at most so many ways are planned for all of them, once."""


@dataclasses.dataclass(frozen=True, eq=False)
class Leg:
    """One segment and who takes its steps.

    Attributes:
      ways: the merged steps.
      taken: `bool [B, S]`, whether an image takes a step; a NumPy array where the architectures
        are known, a tracer inside `jit`.
      complete: whether the ways are all ways through the segment, not only those of this batch.
      origins: `int32 [B]`, whose value an image starts the segment with, where that is not its own
        (`jaxnas.supernets.executors.routed_sharing`); `None` for its own.
    """

    ways: Ways
    taken: Any
    complete: bool
    origins: Any = None

    def whole(self, step: int) -> bool:
        """Whether every image of this batch takes a step; of any batch, if `complete`."""
        return self.origins is None and bool(self.ways.taken[:, step].all())


@dataclasses.dataclass(frozen=True, eq=False)
class Routing:
    """The steps of `B` images through a network, each with its own architecture.

    Attributes:
      network: the network.
      legs: its segments in order.
    """

    network: Network
    legs: tuple[Leg, ...]

    def count(self) -> dict[Key, int]:
        """How many images each shared operation is applied to; those applied to none are left out.

        An operation that some image applies twice counts twice for it.
        """
        counts: dict[Key, int] = {}
        for leg in self.legs:
            for step, number in zip(leg.ways.steps, leg.taken.sum(0).tolist(), strict=True):
                if step.key and number:
                    counts[step.key] = counts.get(step.key, 0) + number
        return counts

    def cost(self, costs: Mapping[Key, float]) -> jax.Array:
        """The sum of the costs of the operations that each image applies: `[B]`.

        Args:
          costs: the cost of one application for one image; an operation that is not there is free.
        """
        total: Any = 0.0
        for leg in self.legs:
            row = np.array([costs.get(step.key, 0.0) for step in leg.ways.steps])
            # Of known architectures on the host: many small calls would take longer than modules.
            known = isinstance(leg.taken, np.ndarray)
            total = total + leg.taken @ (row if known else jnp.asarray(row, jnp.float32))
        return jnp.asarray(total, jnp.float32)


def make_routing(network: Network, architectures: Any) -> Routing:
    """Plans a batch in which image `i` has the architecture `architectures[i]`.

    Args:
      network: the network.
      architectures: `[B, T]` ints of `network.space`. Inside `jit` they may be traced, where the
        network is described in segments (`InSegments`); they are not checked then.

    Raises:
      SpaceError: an architecture does not belong to the space.
      ValueError: architectures are traced, and a segment has too many ways; or there is no image.

    Example:
      >>> from jaxnas.supernets import chain
      >>> network = chain(layers=2, channels=4, image_shape=(8, 8, 1), num_classes=10)
      >>> make_routing(network, [[0, 4], [0, 1], [2, 4]]).count()["layer_0/conv_3x3"]
      2
    """
    traced = isinstance(architectures, jax.core.Tracer)
    rows = architectures if traced else network.space.validate(np.asarray(architectures))
    if rows.ndim != 2 or not len(rows):
        raise ValueError(f"architectures have shape {list(rows.shape)}, not [B, T] with B > 0.")
    shape, legs = tuple(network.image_shape), []
    for position, segment in enumerate(segments_of(network)):
        local = rows[:, np.array(columns(network.space, segment), int)]
        leg = _leg(network, position, segment, shape, local, traced)
        shape = leg.ways.shapes[leg.ways.output]
        legs.append(leg)
    if shape != (network.num_classes,):
        raise ValueError(
            f"network {network.name!r} describes an output of shape {shape}, not logits "
            f"({network.num_classes},)."
        )
    return Routing(network, tuple(legs))


def _leg(network, position: int, segment: Segment, shape: Shape, local, traced: bool) -> Leg:
    sizes = radices(network.space, segment)
    complete = traced or (is_path(network.space) and math.prod(sizes) <= MAX_WAYS)
    if complete:
        # Mixed-radix digits, the last fastest: the order of `all_actions`.
        weights = np.array([math.prod(sizes[i + 1 :]) for i in range(len(sizes))], np.int32)
        ways, index = _all_ways(network, position, shape), local @ weights
    else:
        distinct, index = np.unique(local, axis=0, return_inverse=True)
        ways, index = _some_ways(network, position, shape, distinct.tobytes()), index.reshape(-1)
    table = jnp.asarray(ways.taken) if traced else ways.taken
    return Leg(ways, table[index], complete)


@functools.lru_cache(maxsize=1024)
def _all_ways(network: Network, position: int, shape: Shape) -> Ways:
    segment = segments_of(network)[position]
    return merge_ways(network, segment, shape, all_actions(network.space, segment, MAX_WAYS))


@functools.lru_cache(maxsize=64)
def _some_ways(network: Network, position: int, shape: Shape, distinct: bytes) -> Ways:
    segment = segments_of(network)[position]
    width = len(columns(network.space, segment))
    ways = np.frombuffer(distinct, np.int32).reshape(-1, width)
    return merge_ways(network, segment, shape, ways)
