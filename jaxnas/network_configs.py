"""Networks as plain values: which one, and how large."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

from jaxnas.config_checks import real, whole, whole_numbers
from jaxnas.spaces.mobilenet import MODULES
from jaxnas.supernets import Network, networks
from jaxnas.supernets.ops.operation import Shape


@dataclasses.dataclass(frozen=True)
class ChainConfig:
    """A chain of `layers` choices; see `jaxnas.supernets.chain`."""

    kind: Literal["chain"] = "chain"
    layers: int = 12
    channels: int = 16
    dropout: float = 0.0

    def __post_init__(self):
        whole("network", self, 1, "layers", "channels")
        real("network", self, 0, 0.99, "dropout")

    def build(self, image_shape: Shape, num_classes: int) -> Network:
        """The network for images of a shape."""
        return _build(networks.chain, self, image_shape, num_classes)


@dataclasses.dataclass(frozen=True)
class EnasMicroConfig:
    """Searched cells; see `jaxnas.supernets.enas_micro`.

    Attributes:
      final: whether to build the form of the paper's final networks,
        `jaxnas.supernets.enas_micro_final`.
    """

    kind: Literal["enas_micro"] = "enas_micro"
    cells: int = 6
    nodes: int = 5
    channels: int = 20
    dropout: float = 0.1
    final: bool = False

    def __post_init__(self):
        whole("network", self, 2, "cells")
        whole("network", self, 1, "nodes", "channels")
        real("network", self, 0, 0.99, "dropout")

    def build(self, image_shape: Shape, num_classes: int) -> Network:
        """The network for images of a shape."""
        make = networks.enas_micro_final if self.final else networks.enas_micro
        return _build(make, self, image_shape, num_classes)


@dataclasses.dataclass(frozen=True)
class EnasMacroConfig:
    """Searched layers with skip connections; see `jaxnas.supernets.enas_macro`."""

    kind: Literal["enas_macro"] = "enas_macro"
    layers: int = 12
    channels: int = 36
    widen: bool = False
    concatenate: bool = False
    dropout: float = 0.1

    def __post_init__(self):
        whole("network", self, 3, "layers")
        whole("network", self, 1, "channels")
        real("network", self, 0, 0.99, "dropout")

    def build(self, image_shape: Shape, num_classes: int) -> Network:
        """The network for images of a shape."""
        return _build(networks.enas_macro, self, image_shape, num_classes)


@dataclasses.dataclass(frozen=True)
class NasBench201Config:
    """The cell of NAS-Bench-201; see `jaxnas.supernets.nasbench201`."""

    kind: Literal["nasbench201"] = "nasbench201"
    cells: int = 5
    channels: int = 16
    affine: bool = False

    def __post_init__(self):
        whole("network", self, 1, "cells", "channels")

    def build(self, image_shape: Shape, num_classes: int) -> Network:
        """The network for images of a shape."""
        return _build(networks.nasbench201, self, image_shape, num_classes)


@dataclasses.dataclass(frozen=True)
class ShuffleNasConfig:
    """ShuffleNet V2's frame around searched branches; see `jaxnas.supernets.shufflenas`."""

    kind: Literal["shufflenas"] = "shufflenas"
    nodes: int = 4
    channels: int = 64
    depths: tuple[int, ...] = (2, 3, 3)
    mobile: bool = False
    head: int = 0
    dropout: float = 0.1

    def __post_init__(self):
        if isinstance(self.depths, list):  # from JSON
            object.__setattr__(self, "depths", tuple(self.depths))
        whole_numbers("network", self, 1, "depths")
        whole("network", self, 1, "nodes")
        whole("network", self, 2, "channels")
        whole("network", self, 0, "head")
        real("network", self, 0, 0.99, "dropout")

    def build(self, image_shape: Shape, num_classes: int) -> Network:
        """The network for images of a shape."""
        return _build(networks.shufflenas, self, image_shape, num_classes)


@dataclasses.dataclass(frozen=True)
class MobileNetConfig:
    """Blocks of any subset of five modules; see `jaxnas.supernets.mobilenet`.

    Attributes:
      stages: `(channels, blocks, stride)` of each stage; the published ones by default.
    """

    kind: Literal["mobilenet"] = "mobilenet"
    stages: tuple[tuple[int, int, int], ...] | None = None
    stem: int = 32
    stem_stride: int | None = None
    head: int = 1280
    modules: tuple[str, ...] = MODULES
    default: str = "basic_block"

    def __post_init__(self):
        if isinstance(self.modules, list):  # from JSON
            object.__setattr__(self, "modules", tuple(self.modules))
        if self.stages is not None:
            object.__setattr__(self, "stages", tuple(tuple(stage) for stage in self.stages))
        whole("network", self, 1, "stem", "head")
        if self.stem_stride not in (None, 1, 2):
            raise ValueError(f"network.stem_stride is {self.stem_stride!r}: give 1 or 2.")

    def build(self, image_shape: Shape, num_classes: int) -> Network:
        """The network for images of a shape."""
        return _build(networks.mobilenet, self, image_shape, num_classes)

    def build_baseline(self, image_shape: Shape, num_classes: int, width: float) -> Network:
        """MobileNetV2 of the same stages, with `width` times their channels."""
        return networks.mobilenet_v2(
            image_shape=image_shape,
            num_classes=num_classes,
            width=width,
            stages=self.stages,
            stem=self.stem,
            stem_stride=self.stem_stride,
            head=self.head,
        )


def _build(make: Callable[..., Network], config: Any, image_shape: Shape, num_classes: int):
    options = dataclasses.asdict(config)
    del options["kind"]
    options.pop("final", None)
    return make(image_shape=image_shape, num_classes=num_classes, **options)


NetworkConfig = (
    ChainConfig
    | EnasMacroConfig
    | EnasMicroConfig
    | MobileNetConfig
    | NasBench201Config
    | ShuffleNasConfig
)
