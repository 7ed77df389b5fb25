"""What ShuffleNet V2 and ShuffleNASNets have in common: stem, stages of units, head.

Source: Ma et al. 2018 (arXiv:1807.11164), table 5 and figure 3, and the authors' code
(`ShuffleNetV2/network.py`): a reduction unit passes its inputs on in its shortcut, as many channels
as they are, and its working branch makes the rest.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

from jaxnas.supernets.network import OperationTable
from jaxnas.supernets.networks.frame import check_image, halved
from jaxnas.supernets.ops import BatchNorm, Convolution, Relu, Split, classifier, conv_bn_relu
from jaxnas.supernets.ops.operation import Shape
from jaxnas.supernets.ops.shufflenet import shufflenet_join, shufflenet_shortcut, shufflenet_stem

MOBILE_STEM = 24


@dataclasses.dataclass(frozen=True)
class Frame:
    """Widths and depths.

    Attributes:
      channels: of the first stage, doubled from stage to stage.
      depths: the units of each stage; a reduction unit counts.
      mobile: the frame for large images: the stem halves the image twice, and every stage begins
        with a reduction unit. Otherwise the stem keeps the image, and the first stage does not.
      head: the channels of a 1 x 1 convolution before the classifier; 0 for none.
    """

    channels: int
    depths: tuple[int, ...]
    mobile: bool = False
    head: int = 0

    def check(self, name: str, image_shape: Shape, num_classes: int) -> None:
        """Raises `ValueError` that says what is wrong with the frame or the images."""
        if not self.depths or min(self.depths) < 1:
            raise ValueError(
                f"network {name!r}: depths is {self.depths}; give at least one stage, and at "
                "least one unit in each."
            )
        if self.channels < 2 or self.channels % 2:
            raise ValueError(
                f"network {name!r}: channels is {self.channels}; give an even number, since units "
                "split them in two halves."
            )
        if self.mobile and self.channels <= MOBILE_STEM:
            raise ValueError(
                f"network {name!r}: channels is {self.channels}; give more than the stem's "
                f"{MOBILE_STEM}, which the first reduction unit passes on."
            )
        halvings = len(self.depths) + (2 if self.mobile else -1)
        check_image(name, image_shape, num_classes, halvings)


class Unit(NamedTuple):
    """One unit of a network.

    Attributes:
      name: what its keys begin with.
      inputs: the shape of its input.
      branch: the shape of what its working branch reads.
      output: the shape of what its working branch gives.
      reduction: whether it halves the image.
      middle: the channels inside its first operation.
      depth: the position among all units, in (0, 1].
    """

    name: str
    inputs: Shape
    branch: Shape
    output: Shape
    reduction: bool
    middle: int
    depth: float


def add_frame(
    table: OperationTable, frame: Frame, image_shape: Shape, num_classes: int, dropout: float
) -> list[Unit]:
    """Adds all operations but those of the working branches; returns the units in order."""
    stem = shufflenet_stem(MOBILE_STEM) if frame.mobile else conv_bn_relu(frame.channels)
    shape = table.add("stem", stem, image_shape)
    units: list[Unit] = []
    for stage, depth in enumerate(frame.depths):
        for i in range(depth):
            reduction = i == 0 and (frame.mobile or stage > 0)
            name = f"stage_{stage}/unit_{i}"
            share = (len(units) + 1) / sum(frame.depths)
            unit = _unit(name, shape, frame.channels * 2**stage, reduction, share)
            shape = _add_unit(table, unit)
            units.append(unit)
    last = (Convolution(frame.head, 1), BatchNorm(), Relu()) if frame.head else ()
    table.add("classifier", classifier(num_classes, before=last, dropout=dropout), shape)
    return units


def _unit(name: str, shape: Shape, channels: int, reduction: bool, depth: float) -> Unit:
    half = channels // 2
    if reduction:
        output = halved(shape, channels - shape[-1])
        return Unit(name, shape, shape, output, True, half, depth)
    branch = (*shape[:2], half)
    return Unit(name, shape, branch, branch, False, half, depth)


def _add_unit(table: OperationTable, unit: Unit) -> Shape:
    """Adds what every unit has beside its working branch."""
    if unit.reduction:
        kept = table.add(f"{unit.name}/shortcut", shufflenet_shortcut(unit.inputs[-1]), unit.inputs)
    else:
        kept = table.add(f"{unit.name}/kept", Split(0), unit.inputs)
        table.add(f"{unit.name}/worked", Split(1), unit.inputs)
    return table.add(f"{unit.name}/join", shufflenet_join(), kept, unit.output)


def apply_unit(build, unit: Unit, x, branch):
    """The output of a unit for its input `x`; `branch` is applied to what its branch reads."""
    if unit.reduction:
        kept, worked = build.apply(f"{unit.name}/shortcut", x), x
    else:
        kept = build.apply(f"{unit.name}/kept", x)
        worked = build.apply(f"{unit.name}/worked", x)
    return build.apply(f"{unit.name}/join", kept, branch(worked))
