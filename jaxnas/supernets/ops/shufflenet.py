"""The operations of ShuffleNet V2's units, composed of primitives.

Source: Ma et al. 2018, "ShuffleNet V2: practical guidelines for efficient CNN architecture design"
(arXiv:1807.11164), section 3.2 and figure 3, and the authors' code (`ShuffleNetV2/blocks.py`).
"""

from __future__ import annotations

from jaxnas.supernets.ops.channels import ChannelShuffle, Concatenate
from jaxnas.supernets.ops.composition import Sequential
from jaxnas.supernets.ops.operation import Operation
from jaxnas.supernets.ops.primitives import BatchNorm, Convolution, Depthwise, MaxPool, Relu
from jaxnas.supernets.ops.subsample import Subsample


def shufflenet_branch(
    channels: int, kernel: int = 3, stride: int = 1, *, middle: int | None = None
) -> Operation:
    """1 x 1, normalise, ReLU, depthwise, normalise, 1 x 1, normalise, ReLU: the working branch.

    Args:
      channels: of the output.
      kernel: of the depthwise convolution.
      stride: of the depthwise convolution.
      middle: channels of the depthwise convolution; `channels` by default.
    """
    middle = channels if middle is None else middle
    return Sequential(
        (
            *(Convolution(middle, 1), BatchNorm(), Relu()),
            *(Depthwise(kernel, stride), BatchNorm()),
            *(Convolution(channels, 1), BatchNorm(), Relu()),
        )
    )


def shufflenet_shortcut(channels: int) -> Operation:
    """Depthwise with stride 2, normalise, 1 x 1, normalise, ReLU: what a reduction unit keeps."""
    depthwise = (Depthwise(3, 2), BatchNorm())
    return Sequential((*depthwise, Convolution(channels, 1), BatchNorm(), Relu()))


def shufflenet_join() -> Operation:
    """Concatenates the two branches of a unit and shuffles their channels."""
    return Sequential((Concatenate(), ChannelShuffle(2)))


def shufflenet_stem(channels: int = 24) -> Operation:
    """3 x 3 with stride 2, normalise, ReLU, 3 x 3 max pooling with stride 2: for large images."""
    return Sequential((Convolution(channels, 3, 2), BatchNorm(), Relu(), MaxPool(), Subsample()))
