"""The operations of jaxnas as PyTorch functions on images `[B, C, H, W]`.

Written as one would to win: functions instead of modules, activations and additions in place
wherever the tensor that they change is nobody else's and no gradient reads it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812

from jaxnas.supernets import ops
from jaxnas.supernets.ops.normalization import EPSILON

Function = Callable[..., torch.Tensor]
Weights = dict[str, Any]


@functools.singledispatch
def function_of(operation: ops.Operation, weights: Weights) -> Function:
    """The PyTorch function of an operation with these weights.

    Args:
      operation: the operation.
      weights: its parameters in PyTorch's layouts, as `weights.to_torch` gives them.

    Raises:
      TypeError: the operation has no PyTorch form here.
    """
    raise TypeError(
        f"{type(operation).__name__} has no PyTorch form: add one to torch_reference/operations.py."
    )


@function_of.register
def _relu(operation: ops.Relu, weights: Weights) -> Function:
    return F.relu


@function_of.register
def _convolution(operation: ops.Convolution, weights: Weights) -> Function:
    return functools.partial(
        F.conv2d, weight=weights["weights"], stride=operation.stride, padding=operation.kernel // 2
    )


@function_of.register
def _depthwise(operation: ops.Depthwise, weights: Weights) -> Function:
    return functools.partial(
        F.conv2d,
        weight=weights["weights"],
        stride=operation.stride,
        padding=operation.kernel // 2,
        groups=len(weights["weights"]),
    )


@function_of.register
def _batch_norm(operation: ops.BatchNorm, weights: Weights) -> Function:
    return functools.partial(
        F.batch_norm,
        running_mean=None,
        running_var=None,
        weight=weights.get("scale"),
        bias=weights.get("bias"),
        training=True,
        eps=EPSILON,
    )


@function_of.register
def _avg_pool(operation: ops.AvgPool, weights: Weights) -> Function:
    return functools.partial(
        F.avg_pool2d, kernel_size=3, stride=1, padding=1, count_include_pad=False
    )


@function_of.register
def _max_pool(operation: ops.MaxPool, weights: Weights) -> Function:
    return functools.partial(F.max_pool2d, kernel_size=3, stride=1, padding=1)


@function_of.register
def _halve(operation: ops.Halve, weights: Weights) -> Function:
    return functools.partial(F.avg_pool2d, kernel_size=2)


@function_of.register
def _global_avg_pool(operation: ops.GlobalAvgPool, weights: Weights) -> Function:
    return lambda x: x.mean((2, 3))


@function_of.register
def _dropout(operation: ops.Dropout, weights: Weights) -> Function:
    return lambda x: x  # Benchmarks run both sides without noise.


@function_of.register
def _linear(operation: ops.Linear, weights: Weights) -> Function:
    return functools.partial(F.linear, weight=weights["weights"], bias=weights["bias"])


@function_of.register
def _factorized_reduction(operation: ops.FactorizedReduction, weights: Weights) -> Function:
    even, odd = weights["even"]["weights"], weights["odd"]["weights"]

    def run(x):
        shifted = x[:, :, 1:, 1:]
        return torch.cat([F.conv2d(x, even, stride=2), F.conv2d(shifted, odd, stride=2)], 1)

    return run


@function_of.register
def _identity(operation: ops.Identity, weights: Weights) -> Function:
    return lambda x: x


@function_of.register
def _sequential(operation: ops.Sequential, weights: Weights) -> Function:
    functions: list[Function] = []
    for i, part in enumerate(operation.parts):
        own = i > 0 and _gives_new_tensor(operation.parts[i - 1])
        in_place = isinstance(part, ops.Relu) and own
        functions.append(F.relu_ if in_place else function_of(part, weights.get(str(i), {})))

    def run(x):
        for function in functions:
            x = function(x)
        return x

    return run


@function_of.register
def _residual(operation: ops.Residual, weights: Weights) -> Function:
    body = function_of(operation.body, weights)
    if _gives_new_tensor(operation.body):
        return lambda x: body(x).add_(x)
    return lambda x: x + body(x)


def _gives_new_tensor(operation: ops.Operation) -> bool:
    """Whether the output may be changed in place: it is new, and its own gradient needs it not."""
    if isinstance(operation, ops.Sequential):
        return _gives_new_tensor(operation.parts[-1])
    return isinstance(operation, ops.Convolution | ops.Depthwise | ops.BatchNorm)
