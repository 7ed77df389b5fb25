"""ShuffleNASNets: ShuffleNet V2's frame around searched branches.

Source: Laube & Zell 2018 (arXiv:1812.02975), which splits, concatenates and shuffles channels as
Ma et al. 2018, ShuffleNet V2 (arXiv:1807.11164), section 3.2. Our reading, where the paper's
details were not available: units stand where ENAS micro has its cells; a reduction unit halves the
image in the first node of its branch and in its shortcut; and a separable convolution is
ShuffleNet V2's branch, 1 x 1, depthwise, 1 x 1, once. With one of those in each branch and nothing
else, the network is ShuffleNet V2.
"""

from __future__ import annotations

from collections.abc import Mapping

from jaxnas.spaces import shufflenas as shufflenas_space
from jaxnas.spaces.shufflenas import OPERATIONS
from jaxnas.supernets.network import Network, OperationTable
from jaxnas.supernets.networks.frame import check_options
from jaxnas.supernets.networks.shufflenet_frame import Frame, Unit, add_frame, apply_unit
from jaxnas.supernets.ops import (
    AvgPool,
    BatchNorm,
    Convolution,
    FactorizedReduction,
    Identity,
    MaxPool,
    Operation,
    Relu,
    Sequential,
    Subsample,
)
from jaxnas.supernets.ops.operation import Shape
from jaxnas.supernets.ops.shufflenet import shufflenet_branch

SETTINGS: Mapping[str, Frame] = {
    "digits": Frame(channels=16, depths=(1, 2, 2)),
    "cifar": Frame(channels=64, depths=(2, 3, 3)),
    "mobile": Frame(channels=116, depths=(4, 8, 4), mobile=True, head=1024),
}
"""Widths and depths for images of 8 x 8, 32 x 32 and 224 x 224.

`cifar` has the stages of ENAS micro's search, `mobile` those of ShuffleNet V2 1.0x; the widths of
the other two are ours.
"""


def shufflenas(
    *,
    image_shape: Shape,
    num_classes: int,
    nodes: int = 4,
    channels: int = SETTINGS["cifar"].channels,
    depths: tuple[int, ...] = SETTINGS["cifar"].depths,
    mobile: bool = False,
    head: int = 0,
    dropout: float = 0.1,
) -> Network:
    """Stem, stages of units with searched branches, classifier.

    Args:
      image_shape: `(H, W, C)`.
      num_classes: the number of logits.
      nodes: operations per branch.
      channels: of the first stage, doubled from stage to stage; even.
      depths: the units of each stage; a reduction unit counts.
      mobile: the frame for large images: the stem halves the image twice, and every stage begins
        with a reduction unit. Otherwise the first stage keeps the image.
      head: channels of a 1 x 1 convolution before the classifier; 0 for none.
      dropout: the rate before the classifier, in training.

    Raises:
      ValueError: channels that are odd, no stages or an empty one, no nodes, an image that cannot
        be halved often enough, or fewer than two classes.

    Example:
      >>> network = shufflenas(image_shape=(8, 8, 1), num_classes=10, channels=16, depths=(1, 2, 2))
      >>> network.space.count()
      390625
    """
    frame = Frame(channels, tuple(depths), mobile, head)
    check_options("shufflenas", image_shape, dropout)
    frame.check("shufflenas", image_shape, num_classes)
    space, table = shufflenas_space(nodes), OperationTable()
    units = add_frame(table, frame, image_shape, num_classes, dropout)
    for unit in units:
        _add_branch(table, unit, nodes)

    def describe(build, choices):
        x = build.apply("stem", build.images)
        for unit in units:
            x = apply_unit(build, unit, x, lambda y, unit=unit: _branch(build, unit, y, choices))
        return build.apply("classifier", x)

    def _branch(build, unit, x, choices):
        for i in range(nodes):
            label = OPERATIONS[choices[f"{_kind(unit)}/node_{i}"]]
            x = build.apply(f"{unit.name}/node_{i}/{label}", x)
        return x

    return Network("shufflenas", space, tuple(image_shape), num_classes, table, describe)


def _kind(unit: Unit) -> str:
    return "reduction" if unit.reduction else "normal"


def _add_branch(table: OperationTable, unit: Unit, nodes: int) -> None:
    shape = unit.branch
    for i in range(nodes):
        first = unit.reduction and i == 0
        for label in OPERATIONS:
            operation = _first(label, unit) if first else _inner(label, shape[-1])
            # As in ENAS, the identity is not dropped.
            drop = 0.0 if label == "identity" else unit.depth
            table.add(f"{unit.name}/node_{i}/{label}", operation, shape, drop_path=drop)
        shape = unit.output


def _inner(label: str, channels: int) -> Operation:
    return {
        "separable_3x3": shufflenet_branch(channels, 3),
        "separable_5x5": shufflenet_branch(channels, 5),
        "avg_pool_3x3": AvgPool(),
        "max_pool_3x3": MaxPool(),
        "identity": Identity(),
    }[label]


def _first(label: str, unit: Unit) -> Operation:
    """The first operation of a reduction's branch: it halves the image and sets the width."""
    channels = unit.output[-1]
    widen = (Convolution(channels, 1), BatchNorm(), Relu()) if channels != unit.branch[-1] else ()
    return {
        "separable_3x3": shufflenet_branch(channels, 3, 2, middle=unit.middle),
        "separable_5x5": shufflenet_branch(channels, 5, 2, middle=unit.middle),
        "avg_pool_3x3": Sequential((AvgPool(), Subsample(), *widen)),
        "max_pool_3x3": Sequential((MaxPool(), Subsample(), *widen)),
        "identity": Sequential((FactorizedReduction(channels), BatchNorm())),
    }[label]
