"""The networks that throughput is measured on, in full and in quick sizes."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.supernets import Network, chain, enas_macro, enas_micro, nasbench201
from jaxnas.supernets.ops import Identity, inverted_residual

_FULL = {"image_shape": (32, 32, 3), "num_classes": 10}
_QUICK = {"image_shape": (8, 8, 3), "num_classes": 10}


def _mobilenet_block(kernel: int, expansion: int) -> Callable[[int, int, int], Any]:
    def make(inputs: int, channels: int, stride: int):
        return inverted_residual(
            channels, inputs, kernel=kernel, stride=stride, expansion=expansion
        )

    return make


def _skip(inputs: int, channels: int, stride: int) -> Any:
    fits = stride == 1 and inputs == channels
    return Identity() if fits else inverted_residual(channels, inputs, stride=stride, expansion=1)


BLOCKS = {
    "kernel_3_expand_3": _mobilenet_block(3, 3),
    "kernel_3_expand_6": _mobilenet_block(3, 6),
    "kernel_5_expand_3": _mobilenet_block(5, 3),
    "kernel_5_expand_6": _mobilenet_block(5, 6),
    "skip": _skip,
}
"""MobileNetV2's blocks (Sandler et al. 2018): what each image chooses from."""

_MAKERS: dict[str, tuple[Callable[..., Network], dict[str, Any], dict[str, Any]]] = {
    # name: maker, full options, quick options
    "chain": (chain, {"layers": 12, "channels": 16}, {"layers": 1, "channels": 4}),
    "nb201": (
        nasbench201,
        {"cells": 1, "channels": 16, "affine": False},
        {"cells": 1, "channels": 4, "affine": False},
    ),
    "nb201_5": (
        nasbench201,
        {"cells": 5, "channels": 16, "affine": False},
        {"cells": 2, "channels": 4, "affine": False},
    ),
    "micro": (
        enas_micro,
        {"cells": 2, "nodes": 5, "channels": 20},
        {"cells": 2, "nodes": 1, "channels": 4},
    ),
    "macro": (enas_macro, {"layers": 12, "channels": 36}, {"layers": 3, "channels": 4}),
    "instance": (
        functools.partial(chain, operations=BLOCKS),
        {"layers": 12, "channels": 16},
        {"layers": 1, "channels": 4},
    ),
}
BATCH = {"chain": 32, "nb201": 64, "nb201_5": 64, "micro": 64, "macro": 64, "instance": 64}
"""Images of a minibatch in full size; 8 in quick size."""


@functools.lru_cache
def make_network(name: str, quick: bool) -> Network:
    """A network by name."""
    maker, full, small = _MAKERS[name]
    return maker(**(_QUICK | small if quick else _FULL | full))


def make_data(network: Network, name: str, quick: bool, seed: int) -> tuple[Any, Any, Any]:
    """Shared parameters, normal images `[B, H, W, C]` and labels `[B]`, from one seed."""
    random = np.random.default_rng(seed)
    batch = 8 if quick else BATCH[name]
    images = random.normal(size=(batch, *network.image_shape)).astype(np.float32)
    labels = random.integers(network.num_classes, size=batch)
    params = make_params(network, random)
    return jax.tree.map(jnp.asarray, (params, images, labels.astype(np.int32)))


def make_params(network: Network, random: np.random.Generator) -> Any:
    """Generic parameters without a compilation: no scale is one, no bias is zero."""

    def draw(path, leaf):
        normal = random.normal(size=leaf.shape).astype(np.float32)
        kind = path[-1].key
        if kind in ("scale", "bias"):
            return 0.1 * normal + (kind == "scale")
        return normal * np.float32(2 / math.prod(leaf.shape[1:-1])) ** 0.5

    shapes = jax.eval_shape(network.init, jax.random.key(0))
    return jax.tree_util.tree_map_with_path(draw, shapes)
