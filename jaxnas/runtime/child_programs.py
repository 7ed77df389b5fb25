"""The compiled children of a network in which every image has its own architecture: a bounded few.

An architecture is compiled once enough images have chosen it. Where there is no room, the one that
was used the longest ago goes, if it is out of use: a policy with more architectures than there is
room for would compile them again and again otherwise.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import numpy as np

from jaxnas.supernets import Network, child_network
from jaxnas.supernets.child import inherit
from jaxnas.supernets.executors.statistics import moments_of
from jaxnas.supernets.ops.operation import Params

COUNTED = 4096
"""So many architectures are counted that are not compiled; the first to be forgotten is the one
that was met the longest ago."""

Made = TypeVar("Made")


class _Kept(Generic[Made]):
    """What was made of an architecture, and how many images had been met when it was used last."""

    __slots__ = ("made", "used")

    def __init__(self, made: Made, used: int):
        self.made, self.used = made, used


class ChildPrograms(Generic[Made]):
    """Programs by architecture.

    Args:
      make: compiles an architecture `int32 [T]`; compilation itself may wait for the first call.
      most: programs that are kept.
      after: images that must have chosen an architecture before it is compiled; `None` for none
        that `add` did not compile. A program that none of the last `after * most` images used may
        make room.
    """

    def __init__(self, make: Callable[[np.ndarray], Made], most: int, after: int | None):
        self.make, self.most, self.after = make, most, after
        self._kept: dict[bytes, _Kept[Made]] = {}
        self._seen: OrderedDict[bytes, int] = OrderedDict()
        self._images = 0

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, key: bytes) -> bool:
        return key in self._kept

    def get(self, key: bytes, images: int) -> Made | None:
        """The program of the architecture of these bytes, used by so many images, if there is one.

        The way of single images: a lookup, and nothing else where there is a program.
        """
        kept = self._kept.get(key)
        if kept is None:
            return None
        self._images += images
        kept.used = self._images
        return kept.made

    def find(self, architecture: np.ndarray, images: int) -> Made | None:
        """The program of an architecture `int32 [T]` that `images` more images chose, if any."""
        key = architecture.tobytes()
        if key in self._kept:
            return self.get(key, images)
        self._images += images
        if self.after is None or not self.most:
            return None
        seen = self._seen.pop(key, 0) + images
        if seen >= self.after and self._has_room(self.after * self.most):
            return self.add(architecture)
        self._seen[key] = seen
        if len(self._seen) > COUNTED:
            self._seen.popitem(last=False)
        return None

    def _has_room(self, idle: int) -> bool:
        """Whether a program may be added: the oldest was not used by the last `idle` images."""
        if len(self._kept) < self.most:
            return True
        return self._images - self._kept[self._oldest()].used >= idle

    def _oldest(self) -> bytes:
        """The one that was used the longest ago; of several, the first that was made."""
        return min(self._kept, key=lambda key: self._kept[key].used)

    def add(self, architecture: np.ndarray) -> Made:
        """The program of an architecture, which is in use now; made if there is none."""
        key = architecture.tobytes()
        if key not in self._kept:
            while len(self._kept) >= self.most:
                del self._kept[self._oldest()]
            self._kept[key] = _Kept(self.make(architecture), self._images)
        self._kept[key].used = self._images
        return self._kept[key].made


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
