"""InstaNAS's meta-graph: MobileNetV2's layout with any subset of five modules in each block.

Source: Cheng et al. 2018 (arXiv:1811.10201), section 3, and the authors' code
(`search/models/instanas.py`, `base.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jaxnas.spaces import Choices
from jaxnas.spaces.mobilenet import MODULES
from jaxnas.spaces.mobilenet import mobilenet as mobilenet_space
from jaxnas.supernets.network import Build, Network, OperationTable, Value
from jaxnas.supernets.networks.frame import check_image, check_options
from jaxnas.supernets.ops import (
    BatchNorm,
    Convolution,
    Operation,
    Relu,
    Relu6,
    Sequential,
    classifier,
    conv_bn_relu,
    inverted_residual,
)
from jaxnas.supernets.ops.operation import Shape
from jaxnas.supernets.segments import InSegments, Segment


class Stage(NamedTuple):
    """Blocks of one width: its channels, the number of blocks, the stride of the first."""

    channels: int
    repeats: int
    stride: int


class Layout(NamedTuple):
    """The stride of the stem and the stages of blocks."""

    stem_stride: int
    stages: tuple[Stage, ...]


_WIDTHS = ((16, 1), (24, 2), (32, 3), (64, 4), (96, 3), (160, 3), (320, 1))


def layout(size: int) -> Layout:
    """The published layout for images of `size` pixels: 32 (CIFAR), 64 (Tiny ImageNet) or 224.

    Small images are halved less: at the third, fourth and sixth stage from 32 pixels on, also at
    the second from 64, and also by the stem from 128. Images of other sizes get the layout of the
    largest of these that they reach.
    """
    strides = (1, 2 if size >= 64 else 1, 2, 2, 1, 2, 1)
    stages = (Stage(*width, stride) for width, stride in zip(_WIDTHS, strides, strict=True))
    return Layout(2 if size >= 128 else 1, tuple(stages))


def chosen_layout(
    name: str,
    image_shape: Shape,
    stages: Sequence[tuple[int, int, int]] | None,
    stem_stride: int | None,
) -> Layout:
    """The layout for images, but for what is given; raises `ValueError` where that cannot be."""
    published = layout(image_shape[0])
    chosen = published.stages if stages is None else tuple(stages)
    stride = published.stem_stride if stem_stride is None else stem_stride
    if stride not in (1, 2):
        raise ValueError(f"network {name!r}: stem_stride is {stride!r}; give 1 or 2.")
    if not chosen:
        raise ValueError(f"network {name!r}: stages is empty; give at least one stage.")
    for stage in chosen:
        if len(stage) != 3 or min(stage[:2]) < 1 or stage[2] not in (1, 2):
            raise ValueError(
                f"network {name!r}: a stage is (channels, blocks, stride 1 or 2), "
                f"not {tuple(stage)}."
            )
    return Layout(stride, tuple(Stage(*stage) for stage in chosen))


def mobilenet(
    *,
    image_shape: Shape,
    num_classes: int,
    stages: Sequence[tuple[int, int, int]] | None = None,
    stem: int = 32,
    stem_stride: int | None = None,
    head: int = 1280,
    modules: Sequence[str] = MODULES,
    default: str = "basic_block",
    dropout: float = 0.0,
) -> Network:
    """Stem, blocks of modules, classifier; a block adds up the modules that are on.

    Where no module of a block is on, the block is skipped; if it changes the shape of its input it
    runs the module `default` instead. It is described in segments, so that every image may have
    its own architecture, also inside `jit`.

    Args:
      image_shape: `(H, W, C)`.
      num_classes: the number of logits.
      stages: `(channels, blocks, stride)` of each stage; `layout(H)` by default. Smaller ones
        make a network for tests or small images.
      stem: channels of the stem.
      stem_stride: 1 or 2; as in `layout(H)` by default.
      head: channels of the 1 x 1 convolution before the classifier.
      modules: the modules of a block, of `jaxnas.spaces.mobilenet.MODULES`.
      default: the module of a block that must run one. The authors' choice is the fastest on their
        machine; counted in FLOPs it is the costliest of most blocks.
      dropout: the rate before the classifier, in training.

    Raises:
      ValueError: an unknown module, a default that is not one of the modules, a size or stride out
        of range, no stages, images that cannot be halved as often as the strides ask, or fewer
        than two classes.
    """
    check_options("mobilenet", image_shape, dropout, stem=stem, head=head)
    stride, chosen = chosen_layout("mobilenet", image_shape, stages, stem_stride)
    _check(modules, default)
    halvings = [stride, *(stage.stride for stage in chosen)].count(2)
    check_image("mobilenet", image_shape, num_classes, halvings)
    table = OperationTable()
    shape = table.add("stem", conv_bn_relu(stem, 3, stride), image_shape)
    segments = [Segment((), lambda build, x, _: build.apply("stem", x))]
    for stage in chosen:
        for repeat in range(stage.repeats):
            block, inputs = f"block_{len(segments) - 1}", shape
            step = stage.stride if repeat == 0 else 1
            for label in modules:
                operation = _module(label, inputs[-1], stage.channels, step)
                shape = table.add(f"{block}/{label}", operation, inputs)
            fallback = default if shape != inputs else None
            segments.append(_segment(block, tuple(modules), fallback))
    before = (Convolution(head, 1), BatchNorm(), Relu())
    table.add("classifier", classifier(num_classes, before=before, dropout=dropout), shape)
    segments.append(Segment((), lambda build, x, _: build.apply("classifier", x)))
    space = mobilenet_space(len(segments) - 2, modules)
    describe = InSegments(tuple(segments))
    return Network("mobilenet", space, tuple(image_shape), num_classes, table, describe)


def _check(modules: Sequence[str], default: str) -> None:
    for label in (*modules, default):
        if label not in MODULES:
            raise ValueError(
                f"network 'mobilenet' has no module {label!r}; it has {list(MODULES)}."
            )
    if default not in modules:
        raise ValueError(
            f"network 'mobilenet': the default {default!r} is not one of its modules "
            f"{list(modules)}."
        )


def _segment(block: str, modules: tuple[str, ...], fallback: str | None) -> Segment:
    def describe(build: Build, x: Value, choices: Choices) -> Value:
        on = [label for label in modules if choices[f"{block}/{label}"]]
        on = on or ([fallback] if fallback else [])
        if not on:
            return x
        return build.add(*(build.apply(f"{block}/{label}", x) for label in on))

    return Segment(tuple(f"{block}/{label}" for label in modules), describe)


def _module(label: str, inputs: int, channels: int, stride: int) -> Operation:
    if label == "basic_block":
        # No shortcut inside, and the last activation is ReLU6, as in the authors' code.
        first = (Convolution(channels, 3, stride), BatchNorm(), Relu())
        return Sequential((*first, Convolution(channels, 3), BatchNorm(), Relu6()))
    kernel, expansion = int(label[-5]), int(label[-1])
    return inverted_residual(channels, inputs, kernel=kernel, stride=stride, expansion=expansion)
