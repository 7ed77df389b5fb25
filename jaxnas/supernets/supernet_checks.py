"""Checks of what a supernet is given, before it is executed."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from jaxnas.data.batches import check_shape
from jaxnas.supernets.executors.instructions import Instructions
from jaxnas.supernets.network import Network


def check_images(network: Network, images: Any) -> None:
    """Raises `ValueError` unless images are floats `[B, H, W, C]` of the network's size."""
    check_shape(images, network.image_shape, f"network {network.name!r}")
    dtype = images.dtype if hasattr(images, "dtype") else np.asarray(images).dtype
    if not jnp.issubdtype(dtype, jnp.floating):
        raise ValueError(
            f"images are {dtype}; network {network.name!r} takes floats: normalise them first, "
            "with `jaxnas.data.normalize`."
        )


def check_instructions(
    architectures: Any, executor: str, memory_budget: int | None, mesh: Mesh | None
) -> None:
    """Raises `ValueError` where instructions are given to a supernet that cannot follow them."""
    if not isinstance(architectures, Instructions):
        return
    if executor not in ("auto", "compiled"):
        raise ValueError(
            f"the executor {executor!r} takes no instructions: give it a plan or architectures, "
            "or make the supernet with executor 'compiled'."
        )
    for field, value in (("memory_budget", memory_budget), ("mesh", mesh)):
        if value is not None:
            raise ValueError(
                f"instructions are executed as they are, without {field}: give a plan or "
                f"architectures, or leave out {field}."
            )


def check_outside(traced: bool) -> None:
    """Raises `ValueError` where a supernet with a mesh stands inside a transformation."""
    if traced:
        raise ValueError(
            "a supernet with a mesh cannot stand inside a transformation: use `jax.shard_map` "
            "over the instructions of the compiled executor, or leave out `mesh`."
        )
