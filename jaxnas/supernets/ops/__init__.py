"""Operations: pairs of pure functions `init` and `apply`."""

from jaxnas.supernets.ops.auxiliary import auxiliary_classifier
from jaxnas.supernets.ops.channels import ChannelShuffle, Concatenate, Split
from jaxnas.supernets.ops.composition import FactorizedReduction, Residual, Sequential
from jaxnas.supernets.ops.context import Context
from jaxnas.supernets.ops.operation import FromNNX, Function, Identity, Operation, Zero, from_nnx
from jaxnas.supernets.ops.primitives import (
    AvgPool,
    BatchNorm,
    Convolution,
    Depthwise,
    Dropout,
    GlobalAvgPool,
    Halve,
    Linear,
    MaxPool,
    Relu,
    Relu6,
)
from jaxnas.supernets.ops.published import (
    classifier,
    conv_bn,
    conv_bn_relu,
    inverted_residual,
    relu_conv_bn,
    separable_conv,
    separable_conv_twice,
)
from jaxnas.supernets.ops.subsample import Subsample

__all__ = [
    "AvgPool",
    "BatchNorm",
    "ChannelShuffle",
    "Concatenate",
    "Context",
    "Convolution",
    "Depthwise",
    "Dropout",
    "FactorizedReduction",
    "FromNNX",
    "Function",
    "GlobalAvgPool",
    "Halve",
    "Identity",
    "Linear",
    "MaxPool",
    "Operation",
    "Relu",
    "Relu6",
    "Residual",
    "Sequential",
    "Split",
    "Subsample",
    "Zero",
    "auxiliary_classifier",
    "classifier",
    "conv_bn",
    "conv_bn_relu",
    "from_nnx",
    "inverted_residual",
    "relu_conv_bn",
    "separable_conv",
    "separable_conv_twice",
]
