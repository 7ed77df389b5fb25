"""A module as one compiled function of images, in the form that serves fastest."""

from __future__ import annotations

import functools
from typing import Any

from flax import nnx

from jaxnas.supernets import over_cores


class ModuleProgram:
    """A module as a compiled function of images, on all cores; its weights are constants of it.

    As arguments, some hundred small arrays are handed over at each call, which takes longer than a
    small network does for one image, and scales are made of moments anew.

    Args:
      module: maps images `[B, H, W, C]` to a pytree of arrays `[B, ...]`, each image by itself.

    Attributes:
      single: the same for `B = 1` alone, with the least that a call can take.
    """

    def __init__(self, module: nnx.Module):
        graph, state = nnx.split(module)
        self._run = over_cores(lambda _, images: nnx.merge(graph, state)(images))  # type: ignore[operator]
        self.single = functools.partial(self._run.single, ())

    def __call__(self, images: Any) -> Any:
        """What the module returns."""
        return self._run((), images)
