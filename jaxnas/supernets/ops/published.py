"""The operations of published search spaces, composed of primitives."""

from __future__ import annotations

from jaxnas.supernets.ops.composition import Residual, Sequential
from jaxnas.supernets.ops.operation import Operation
from jaxnas.supernets.ops.primitives import (
    BatchNorm,
    Convolution,
    Depthwise,
    Dropout,
    GlobalAvgPool,
    Linear,
    Relu,
)


def conv_bn(channels: int, kernel: int = 3, stride: int = 1, *, affine: bool = True) -> Operation:
    """Convolution, batch normalisation: the stem of most networks."""
    return Sequential((Convolution(channels, kernel, stride), BatchNorm(affine)))


def conv_bn_relu(channels: int, kernel: int = 3, stride: int = 1) -> Operation:
    """Convolution, batch normalisation, ReLU."""
    return Sequential((Convolution(channels, kernel, stride), BatchNorm(), Relu()))


def relu_conv_bn(
    channels: int, kernel: int = 3, stride: int = 1, *, affine: bool = True
) -> Operation:
    """ReLU, convolution, batch normalisation: the convolution of cells."""
    return Sequential((Relu(), Convolution(channels, kernel, stride), BatchNorm(affine)))


def separable_conv_twice(channels: int, kernel: int, stride: int = 1) -> Operation:
    """(ReLU, depthwise, 1 x 1, batch normalisation) twice: ENAS micro's separable convolution."""
    project = (Convolution(channels, 1), BatchNorm())
    first = (Relu(), Depthwise(kernel, stride), *project)
    return Sequential((*first, Relu(), Depthwise(kernel), *project))


def separable_conv(channels: int, kernel: int, stride: int = 1) -> Operation:
    """Depthwise, batch normalisation, ReLU, 1 x 1, batch normalisation, ReLU (Howard 2017)."""
    depthwise = (Depthwise(kernel, stride), BatchNorm(), Relu())
    return Sequential((*depthwise, Convolution(channels, 1), BatchNorm(), Relu()))


def inverted_residual(
    channels: int, inputs: int, *, kernel: int = 3, stride: int = 1, expansion: int = 3
) -> Operation:
    """Expand, depthwise, project, plus the identity if it fits (MobileNetV2, Sandler 2018)."""
    width = inputs * expansion
    body = Sequential(
        (
            *(Convolution(width, 1), BatchNorm(), Relu()),
            *(Depthwise(kernel, stride), BatchNorm(), Relu()),
            *(Convolution(channels, 1), BatchNorm()),
        )
    )
    return Residual(body) if stride == 1 and inputs == channels else body


def classifier(
    classes: int, *, before: tuple[Operation, ...] = (), dropout: float = 0.0
) -> Operation:
    """Global average pooling, dropout and a linear map to logits `[B, K]`."""
    drop = (Dropout(dropout),) if dropout else ()
    return Sequential((*before, GlobalAvgPool(), *drop, Linear(classes)))
