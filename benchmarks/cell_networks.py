"""The networks that `shufflenas.py` compares: two families of cells in frames of one layout.

Both have a stem and one normal cell at the size of the image, then twice a reduction and a normal
cell. ENAS's cells stand in the form that their authors train (`enas_micro_final`).
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import numpy as np

from jaxnas.config import EnasMicroConfig, NetworkConfig, ShuffleNasConfig
from jaxnas.spaces.enas_micro import PUBLISHED
from jaxnas.spaces.shufflenas import shufflenet_v2_unit
from jaxnas.supernets import Network, count_parameters
from jaxnas.supernets.ops.operation import Shape

CLASSES = 10
ENAS_CELLS, SHUFFLE_DEPTHS = 3, (1, 2, 2)


@dataclasses.dataclass(frozen=True)
class Family:
    """A family of networks that differ in their cell and their width.

    Attributes:
      search: the configuration of the shared-weight network, by channels.
      final: that of the networks that are trained from scratch, of the same space.
      step: what channels are a multiple of.
      fixed: a well-known architecture of the family.
    """

    search: Callable[[int], NetworkConfig]
    final: Callable[[int], NetworkConfig]
    step: int
    fixed: tuple[int, ...]

    def network(self, channels: int, image_shape: Shape) -> Network:
        """The network in which children of a width are trained."""
        return _network(self.final(channels), image_shape)

    def parameters(self, architecture: np.ndarray, channels: int, image_shape: Shape) -> int:
        """The parameters of a child of a width."""
        return count_parameters(self.network(channels, image_shape), architecture)

    def channels(self, architecture: np.ndarray, target: int, image_shape: Shape) -> int:
        """The width at which a child's parameters are nearest to `target`."""
        count = functools.partial(self.parameters, architecture, image_shape=image_shape)
        low, high = 1, 2
        while count(high * self.step) < target:
            low, high = high, 2 * high
        while high - low > 1:  # Parameters grow with the width.
            middle = (low + high) // 2
            low, high = (middle, high) if count(middle * self.step) < target else (low, middle)
        return min(low * self.step, high * self.step, key=lambda width: abs(count(width) - target))


@functools.cache
def _network(config: NetworkConfig, image_shape: Shape) -> Network:
    return config.build(image_shape, CLASSES)


@functools.cache
def families(enas_nodes: int, shufflenas_nodes: int) -> dict[str, Family]:
    """Both families with so many nodes in a cell of ENAS and in a branch of ShuffleNASNets.

    Fewer than 5 nodes in a cell of ENAS leave out the last ones of the published cells.
    """

    def enas(channels: int, *, final: bool) -> EnasMicroConfig:
        return EnasMicroConfig(
            cells=ENAS_CELLS, nodes=enas_nodes, channels=channels, dropout=0.0, final=final
        )

    def shufflenas(channels: int) -> ShuffleNasConfig:
        return ShuffleNasConfig(
            nodes=shufflenas_nodes, channels=channels, depths=SHUFFLE_DEPTHS, dropout=0.0
        )

    half, taken = len(PUBLISHED) // 2, 4 * enas_nodes
    published = (*PUBLISHED[:taken], *PUBLISHED[half : half + taken])
    search, final = functools.partial(enas, final=False), functools.partial(enas, final=True)
    return {
        "enas": Family(search, final, 1, published),
        "shufflenas": Family(shufflenas, shufflenas, 2, shufflenet_v2_unit(shufflenas_nodes)),
    }
