"""The operations of jaxnas as PyTorch modules, for comparisons; needs the extra `bench`."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from jaxnas.supernets import ops

try:
    import torch
    from torch import nn
except ImportError as error:
    raise SystemExit(
        "this benchmark compares with PyTorch, which is not installed: pip install 'jaxnas[bench]'"
    ) from error


class Residual(nn.Module):
    """The input plus a module of it."""

    def __init__(self, body: nn.Module):
        super().__init__()
        self.body = body

    def forward(self, x):
        """`[B, C, H, W]` to the same shape."""
        return x + self.body(x)


class FactorizedReduction(nn.Module):
    """Two strided 1 x 1 convolutions, one pixel apart."""

    def __init__(self, inputs: int, channels: int):
        super().__init__()
        half = channels // 2
        self.even = nn.Conv2d(inputs, half, 1, 2, bias=False)
        self.odd = nn.Conv2d(inputs, channels - half, 1, 2, bias=False)

    def forward(self, x):
        """`[B, C, H, W]` to `[B, D, H / 2, W / 2]`."""
        return torch.cat([self.even(x), self.odd(x[:, :, 1:, 1:])], 1)


class GlobalAvgPool(nn.Module):
    """The mean over the image."""

    def forward(self, x):
        """`[B, C, H, W]` to `[B, C]`."""
        return x.mean((2, 3))


def make_module(operation: ops.Operation, *shapes: tuple[int, ...]) -> nn.Module:
    """An operation as a module; its weights are torch's own until `load` sets them.

    Args:
      operation: made of the primitives of `jaxnas.supernets.ops`.
      shapes: `[H, W, C]` of its inputs.

    Raises:
      TypeError: an operation that has no module here.
    """
    channels = shapes[0][-1]
    match operation:
        case ops.Sequential(parts):
            modules = []
            for part in parts:
                modules.append(make_module(part, *shapes))
                shapes = (part.output_shape(*shapes),)
            return nn.Sequential(*modules)
        case ops.Residual(body):
            return Residual(make_module(body, *shapes))
        case ops.FactorizedReduction(width):
            return FactorizedReduction(channels, width)
        case ops.Convolution(width, kernel, stride):
            return nn.Conv2d(channels, width, kernel, stride, kernel // 2, bias=False)
        case ops.Depthwise(kernel, stride):
            return nn.Conv2d(
                channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False
            )
        case ops.BatchNorm(affine):
            return nn.BatchNorm2d(channels, affine=affine, track_running_stats=False)
        case ops.Linear(features):
            return nn.Linear(channels, features)
        case ops.Dropout():  # What is compared has no noise.
            return nn.Identity()
    simple = {
        ops.Relu: nn.ReLU,
        ops.AvgPool: lambda: nn.AvgPool2d(3, 1, 1, count_include_pad=False),
        ops.MaxPool: lambda: nn.MaxPool2d(3, 1, 1),
        ops.Halve: lambda: nn.AvgPool2d(2),
        ops.GlobalAvgPool: GlobalAvgPool,
        ops.Identity: nn.Identity,
    }
    if type(operation) not in simple:
        raise TypeError(f"{operation} has no PyTorch module.")
    return simple[type(operation)]()


def load(module: nn.Module, params: Any) -> None:
    """Copies the parameters of an operation into its module."""
    with torch.no_grad():
        for path, leaf in jax.tree_util.tree_leaves_with_path(params):
            names = [entry.key for entry in path]
            target = module.body if isinstance(module, Residual) else module
            for name in names[:-1]:
                target = target[int(name)] if name.isdigit() else getattr(target, name)
            _set(target, names[-1], np.asarray(leaf))


def _set(module: nn.Module, name: str, value: np.ndarray) -> None:
    if isinstance(module, nn.Conv2d):
        value = (
            value.transpose(3, 2, 0, 1) if value.ndim == 4 else value.transpose(2, 0, 1)[:, None]
        )
    elif isinstance(module, nn.Linear) and name == "weights":
        value = value.T
    attribute = "bias" if name == "bias" else "weight"
    getattr(module, attribute).copy_(torch.from_numpy(value.copy()))


def images(x: np.ndarray) -> Any:
    """`[B, H, W, C]` as a tensor `[B, C, H, W]` in the layout channels_last."""
    if x.ndim != 4:
        return torch.from_numpy(x.copy())
    tensor = torch.from_numpy(x.transpose(0, 3, 1, 2).copy())
    return tensor.to(memory_format=torch.channels_last)
