"""MobileNetV2 at any width: a network of one architecture, the baseline of InstaNAS.

Source: Sandler et al. 2018, "MobileNetV2: inverted residuals and linear bottlenecks"
(arXiv:1801.04381), table 2 and section 3; widths rounded to multiples of 8 as in the authors' code.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxnas.spaces import Decision, SearchSpace
from jaxnas.supernets.network import Network, OperationTable
from jaxnas.supernets.networks.frame import check_image, check_options
from jaxnas.supernets.networks.mobilenet import chosen_layout
from jaxnas.supernets.ops import (
    BatchNorm,
    Convolution,
    Depthwise,
    Operation,
    Relu6,
    Residual,
    Sequential,
    classifier,
)
from jaxnas.supernets.ops.operation import Shape
from jaxnas.supernets.segments import InSegments, Segment

EXPANSION = 6


def mobilenet_v2(
    *,
    image_shape: Shape,
    num_classes: int,
    width: float = 1.0,
    stages: Sequence[tuple[int, int, int]] | None = None,
    stem: int = 32,
    stem_stride: int | None = None,
    head: int = 1280,
    dropout: float = 0.0,
) -> Network:
    """Stem, 17 inverted residuals, classifier, with `width` times the published channels.

    Args:
      image_shape: `(H, W, C)`; strides follow `jaxnas.supernets.networks.mobilenet.layout(H)`.
      num_classes: the number of logits.
      width: the width multiplier (0.4, 1.0 and 1.4 in InstaNAS's comparison).
      stages: `(channels, blocks, stride)` of each stage at width 1; the published ones by default.
      stem: channels of the stem at width 1.
      stem_stride: 1 or 2; as in `layout(H)` by default.
      head: channels of the 1 x 1 convolution before the classifier, at widths up to 1.
      dropout: the rate before the classifier, in training (0.2 in the paper).

    Raises:
      ValueError: images that cannot be halved often enough, fewer than two classes, no stages, a
        size or stride out of range, or a width that is not positive.
    """
    if width <= 0:
        raise ValueError(f"network 'mobilenet_v2': width is {width}; it must be positive.")
    check_options("mobilenet_v2", image_shape, dropout, stem=stem, head=head)
    stride, chosen = chosen_layout("mobilenet_v2", image_shape, stages, stem_stride)
    halvings = [stride, *(stage.stride for stage in chosen)].count(2)
    check_image("mobilenet_v2", image_shape, num_classes, halvings)
    table = OperationTable()
    first = _convolution(round_channels(stem * width), 3, stride)
    shape = table.add("stem", Sequential(first), image_shape)
    for stage in chosen:
        for repeat in range(stage.repeats):
            step = stage.stride if repeat == 0 else 1
            channels = round_channels(stage.channels * width)
            expansion = 1 if len(table) == 1 else EXPANSION
            operation = _inverted_residual(shape[-1], channels, step, expansion)
            shape = table.add(f"block_{len(table) - 1}", operation, shape)
    # The last convolution does not shrink with the network.
    last = _convolution(round_channels(head * max(1.0, width)), 1)
    table.add("classifier", classifier(num_classes, before=last, dropout=dropout), shape)
    segments = tuple(_segment(key) for key in table)
    space = SearchSpace("mobilenet_v2", (Decision("network", ("mobilenet_v2",)),))
    return Network(
        "mobilenet_v2", space, tuple(image_shape), num_classes, table, InSegments(segments)
    )


def round_channels(channels: float, multiple: int = 8) -> int:
    """The nearest multiple, not less than one of it, that is at least 90% of `channels`.

    Example:
      >>> round_channels(24 * 1.4), round_channels(16 * 0.4)
      (32, 8)
    """
    rounded = max(multiple, int(channels + multiple / 2) // multiple * multiple)
    return rounded if rounded >= 0.9 * channels else rounded + multiple


def _segment(key: str) -> Segment:
    return Segment((), lambda build, x, _: build.apply(key, x))


def _convolution(channels: int, kernel: int, stride: int = 1) -> tuple[Operation, ...]:
    return Convolution(channels, kernel, stride), BatchNorm(), Relu6()


def _inverted_residual(inputs: int, channels: int, stride: int, expansion: int) -> Operation:
    expand = _convolution(inputs * expansion, 1) if expansion > 1 else ()
    spread = (Depthwise(3, stride), BatchNorm(), Relu6())
    body = Sequential((*expand, *spread, Convolution(channels, 1), BatchNorm()))
    return Residual(body) if stride == 1 and inputs == channels else body
