"""A module as one compiled function of images, in the form that serves fastest."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from flax import nnx

from jaxnas.supernets import over_cores


def program(module: nnx.Module) -> Callable[[Any], Any]:
    """A module as a compiled function of images, on all cores; its weights are constants of it.

    As arguments, some hundred small arrays are handed over at each call, which takes longer than a
    small network does for one image, and scales are made of moments anew.

    Args:
      module: maps images `[B, H, W, C]` to a pytree of arrays `[B, ...]`, each image by itself.
    """
    graph, state = nnx.split(module)
    run = over_cores(lambda _, images: nnx.merge(graph, state)(images))  # type: ignore[operator]
    return functools.partial(run, ())
