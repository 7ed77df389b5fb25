"""The compiled children of a network in which every image has its own architecture: a bounded few.

An architecture is compiled once enough images have chosen it, and the one that was used the longest
ago makes room, so that a policy with thousands of architectures compiles few of them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from jaxnas.supernets import Network, child_network
from jaxnas.supernets.child import inherit
from jaxnas.supernets.executors.statistics import moments_of
from jaxnas.supernets.ops.operation import Params

COUNTED = 4096
"""So many architectures are counted that are not compiled; the first to be forgotten is the one
that was met the longest ago."""

Program = Callable[[Any], Any]


class ChildPrograms:
    """Programs by architecture.

    Args:
      make: compiles an architecture `int32 [T]`; compilation itself may wait for the first call.
      most: programs that are kept.
      after: images that must have chosen an architecture before it is compiled; `None` for none
        that `add` did not compile.
    """

    def __init__(self, make: Callable[[np.ndarray], Program], most: int, after: int | None):
        self.make, self.most, self.after = make, most, after
        self._programs: OrderedDict[bytes, Program] = OrderedDict()
        self._seen: OrderedDict[bytes, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._programs)

    def __contains__(self, key: bytes) -> bool:
        return key in self._programs

    def find(self, architecture: np.ndarray, images: int) -> Program | None:
        """The program of an architecture `int32 [T]` that `images` more images chose, if any."""
        key = architecture.tobytes()
        found = self._programs.get(key)
        if found is not None:
            self._programs.move_to_end(key)
            return found
        if self.after is None or not self.most:
            return None
        seen = self._seen.pop(key, 0) + images
        if seen >= self.after:
            return self.add(architecture)
        self._seen[key] = seen
        if len(self._seen) > COUNTED:
            self._seen.popitem(last=False)
        return None

    def add(self, architecture: np.ndarray) -> Program:
        """The program of an architecture, made if there is none."""
        key = architecture.tobytes()
        if key not in self._programs:
            while len(self._programs) >= self.most:
                self._programs.popitem(last=False)
            self._programs[key] = self.make(architecture)
        self._programs.move_to_end(key)
        return self._programs[key]


def child_of(
    network: Network, architecture: np.ndarray, params: Params, moments: Any
) -> tuple[Network, Params, Any]:
    """The network of one architecture `int32 [T]`, and its part of shared weights and moments.

    Raises:
      ValueError: there are no moments of an operation that it applies.
    """
    child = child_network(network, architecture)
    own = {key: moments_of(child, key, moments) for key in child.operations}
    return child, inherit(network, params, child), own
