"""A chain network: one of several operations at each layer (single-path one-shot networks)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from jaxnas.spaces import Choices
from jaxnas.spaces import chain as chain_space
from jaxnas.supernets.network import Build, Network, OperationTable, Value
from jaxnas.supernets.networks.frame import check_image, check_options, thirds
from jaxnas.supernets.ops import (
    BatchNorm,
    Convolution,
    Halve,
    Identity,
    Operation,
    Sequential,
    Zero,
    classifier,
    conv_bn_relu,
    inverted_residual,
    separable_conv,
)
from jaxnas.supernets.ops.operation import Shape
from jaxnas.supernets.segments import InSegments, Segment

MakeOperation = Callable[[int, int, int], Operation]
"""`(inputs, channels, stride) -> operation`."""


def _skip(inputs: int, channels: int, stride: int) -> Operation:
    if stride == 1 and inputs == channels:
        return Identity()
    project = (Convolution(channels, 1), BatchNorm())
    return Sequential((Halve(), *project) if stride == 2 else project)


OPERATIONS: Mapping[str, MakeOperation] = {
    "conv_3x3": lambda inputs, channels, stride: conv_bn_relu(channels, 3, stride),
    "separable_3x3": lambda inputs, channels, stride: separable_conv(channels, 3, stride),
    "separable_5x5": lambda inputs, channels, stride: separable_conv(channels, 5, stride),
    "inverted_residual": lambda inputs, channels, stride: inverted_residual(
        channels, inputs, stride=stride
    ),
    "skip": _skip,
}


def _check_reductions(reductions: tuple[int, ...], layers: int) -> None:
    if len(set(reductions)) < len(reductions) or not set(reductions) <= set(range(layers)):
        raise ValueError(
            f"network 'chain': reductions is {reductions}; give different layers from 0 to "
            f"{layers - 1}."
        )


def _same(shape: Shape, expected: Shape, key: str) -> Shape:
    if shape != expected:
        raise ValueError(
            f"network 'chain': operation {key!r} gives {list(shape)}, but the first operation of "
            f"its layer gives {list(expected)}: give all the same shape."
        )
    return shape


def chain(
    *,
    image_shape: Shape,
    num_classes: int,
    layers: int = 12,
    channels: int = 16,
    operations: Mapping[str, MakeOperation] | None = None,
    reductions: Sequence[int] | None = None,
    dropout: float = 0.0,
) -> Network:
    """Stem, `layers` searched layers, classifier.

    Args:
      image_shape: `(H, W, C)`.
      num_classes: the number of logits.
      layers: searched layers.
      channels: channels after the stem; doubled at each reduction.
      operations: the choices of a layer by label, each `(inputs, channels, stride) -> Operation`;
        five common ones by default. A user's own go here.
      reductions: the layers with stride 2; after one and two thirds of the layers by default.
      dropout: the rate before the classifier, in training.

    Raises:
      ValueError: the image cannot be halved as often as asked, fewer than two classes, no layers,
        channels, dropout or reductions out of range, or operations of one layer whose outputs
        differ in shape.
    """
    operations = OPERATIONS if operations is None else operations
    check_options("chain", image_shape, dropout, channels=channels)
    halved_at = thirds(layers) if reductions is None else tuple(reductions)
    _check_reductions(halved_at, layers)
    check_image("chain", image_shape, num_classes, len(halved_at))
    space, table = chain_space(layers, tuple(operations)), OperationTable()
    first = next(iter(operations))
    shape = table.add("stem", conv_bn_relu(channels), image_shape)
    for layer in range(layers):
        inputs, stride = shape, 2 if layer in halved_at else 1
        channels = channels * stride
        for label, make in operations.items():
            operation = make(inputs[-1], channels, stride)
            free = isinstance(operation, Identity | Zero)
            share = 0.0 if free else (layer + 1) / (layers + 1)
            output = table.add(f"layer_{layer}/{label}", operation, inputs, drop_path=share)
            shape = _same(output, shape, f"layer_{layer}/{label}") if label != first else output
    table.add("classifier", classifier(num_classes, dropout=dropout), shape)
    labels = tuple(operations)

    middle = (_segment(f"layer_{layer}", labels) for layer in range(layers))
    describe = InSegments((_fixed("stem"), *middle, _fixed("classifier")))
    return Network("chain", space, tuple(image_shape), num_classes, table, describe)


def _fixed(key: str) -> Segment:
    return Segment((), lambda build, x, _: build.apply(key, x))


def _segment(name: str, labels: tuple[str, ...]) -> Segment:
    def describe(build: Build, x: Value, choices: Choices) -> Value:
        return build.apply(f"{name}/{labels[choices[name]]}", x)

    return Segment((name,), describe)
