"""ShuffleNet V2, with nothing to search: the baseline of ShuffleNASNets.

Source: Ma et al. 2018, "ShuffleNet V2: practical guidelines for efficient CNN architecture design"
(arXiv:1807.11164), table 5 and figure 3, and the authors' code (`ShuffleNetV2/`). In three points
the code and we differ: our classifier has a bias, as the paper's count of parameters suggests; the
code shuffles before it splits, which is the same but for the order of the channels; and its dropout
of 2.0x is an argument here.
"""

from __future__ import annotations

from collections.abc import Mapping

from jaxnas.spaces import Decision, SearchSpace
from jaxnas.supernets.network import Network, OperationTable
from jaxnas.supernets.networks.frame import check_options
from jaxnas.supernets.networks.shufflenet_frame import Frame, add_frame, apply_unit
from jaxnas.supernets.ops.operation import Shape
from jaxnas.supernets.ops.shufflenet import shufflenet_branch

SIZES: Mapping[str, Frame] = {
    name: Frame(channels, depths=(4, 8, 4), mobile=True, head=head)
    for name, channels, head in (
        ("0.5x", 48, 1024),
        ("1.0x", 116, 1024),
        ("1.5x", 176, 1024),
        ("2.0x", 244, 2048),
    )
}
"""The published sizes."""


def shufflenet_v2(
    *,
    image_shape: Shape,
    num_classes: int,
    channels: int = SIZES["1.0x"].channels,
    depths: tuple[int, ...] = SIZES["1.0x"].depths,
    mobile: bool = True,
    head: int = SIZES["1.0x"].head,
    dropout: float = 0.0,
) -> Network:
    """Stem, stages of ShuffleNet V2's units, classifier; its space has one architecture.

    Args:
      image_shape: `(H, W, C)`.
      num_classes: the number of logits.
      channels: of the first stage, doubled from stage to stage; even.
      depths: the units of each stage; a reduction unit counts.
      mobile: the published frame for large images; see `jaxnas.supernets.shufflenas`.
      head: channels of the 1 x 1 convolution before the classifier; 0 for none.
      dropout: the rate before the classifier, in training.

    Raises:
      ValueError: channels that are odd, no stages or an empty one, an image that cannot be halved
        often enough, or fewer than two classes.

    Example:
      >>> import dataclasses
      >>> size = dataclasses.asdict(SIZES["0.5x"])
      >>> network = shufflenet_v2(image_shape=(224, 224, 3), num_classes=1000, **size)
      >>> network.count_parameters()
      1366792
    """
    frame = Frame(channels, tuple(depths), mobile, head)
    check_options("shufflenet_v2", image_shape, dropout)
    frame.check("shufflenet_v2", image_shape, num_classes)
    table = OperationTable()
    units = add_frame(table, frame, image_shape, num_classes, dropout)
    for unit in units:
        stride = 2 if unit.reduction else 1
        branch = shufflenet_branch(unit.output[-1], 3, stride, middle=unit.middle)
        table.add(f"{unit.name}/branch", branch, unit.branch, drop_path=unit.depth)

    def describe(build, choices):
        x = build.apply("stem", build.images)
        for unit in units:
            key = f"{unit.name}/branch"
            x = apply_unit(build, unit, x, lambda y, key=key: build.apply(key, y))
        return build.apply("classifier", x)

    space = SearchSpace("shufflenet_v2", (Decision("network", ("shufflenet_v2",)),))
    return Network("shufflenet_v2", space, tuple(image_shape), num_classes, table, describe)
