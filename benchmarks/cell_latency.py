"""Latencies of the chosen children of `shufflenas.py`, all of them in one interleaved run."""

from __future__ import annotations

import statistics
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from cell_budget import ARMS
from cell_networks import Family

from jaxnas.export import ChildModule
from jaxnas.runtime.child_latency import measure_children
from jaxnas.supernets import Network, child_network, standalone
from jaxnas.supernets.child import ARCHITECTURE
from jaxnas.supernets.ops.operation import Shape

BATCHES = (1, 64)


def add_latencies(
    rows: list[dict[str, Any]], families: dict[str, Family], image_shape: Shape, repeats: int
) -> None:
    """Adds the median and the interquartile range of the seconds of each child to its row.

    Args:
      rows: of children, as `cell_arms` makes them; equal children are measured once.
      families: of their networks, by name.
      image_shape: `(H, W, C)`.
      repeats: timed calls of each child and batch.
    """
    modules = {_name(row): _module(row, families, image_shape) for row in rows}
    seconds = measure_children(modules, image_shape, batches=BATCHES, repeats=repeats)
    for row in rows:
        for batch in BATCHES:
            low, median, high = statistics.quantiles(seconds[_name(row)][batch], n=4)
            row[f"milliseconds_b{batch}"] = round(1e3 * median, 4)
            row[f"spread_b{batch}"] = round(1e3 * (high - low), 4)


def _name(row: dict[str, Any]) -> str:
    return f"{ARMS[row['arm']].family} {row['channels']} {row['architecture']}"


def _module(row: dict[str, Any], families: dict[str, Family], image_shape: Shape) -> ChildModule:
    """The child with fresh weights and moments of one: its time does not depend on them."""
    network = families[ARMS[row["arm"]].family].network(row["channels"], image_shape)
    child = child_network(network, np.array(row["architecture"], np.int32))
    params = child.init(jax.random.key(0))
    moments = jax.tree.map(lambda leaf: jnp.ones(leaf.shape, leaf.dtype), _moments(child, params))
    channels = image_shape[-1]
    return ChildModule(child, params, moments, np.zeros(channels), np.ones(channels))


def _moments(child: Network, params: Any) -> Any:
    """The shapes of the moments of a child."""
    images = jax.ShapeDtypeStruct((1, *child.image_shape), jnp.float32)
    choices = child.space.choices(ARCHITECTURE[0])
    return jax.eval_shape(
        lambda params, images: standalone.measure_moments(child, params, choices, images),
        params,
        images,
    )
