"""Every image with its own architecture in a chain: gathered per operation, or one by one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812

from jaxnas.spaces import Choices
from jaxnas.supernets import Network, ops
from jaxnas.supernets.ops.normalization import EPSILON
from torch_reference.child import Child
from torch_reference.operations import function_of
from torch_reference.weights import SharedWeights


@dataclasses.dataclass(frozen=True)
class GroupNorm(ops.BatchNorm):
    """Normalisation of each image by its own moments: one group per channel."""


@dataclasses.dataclass(frozen=True)
class InstanceNorm(ops.BatchNorm):
    """The same by PyTorch's own function for it, which is the slower one where channels are few."""


@function_of.register
def _group_norm(operation: GroupNorm, weights: Mapping[str, torch.Tensor]):
    scale, bias = weights.get("scale"), weights.get("bias")
    return lambda x: F.group_norm(x, x.shape[1], scale, bias, EPSILON)


@function_of.register
def _instance_norm(operation: InstanceNorm, weights: Mapping[str, torch.Tensor]):
    scale, bias = weights.get("scale"), weights.get("bias")
    return lambda x: F.instance_norm(x, weight=scale, bias=bias, eps=EPSILON)


def weights(
    network: Network, params: Any, normalization: type[ops.BatchNorm] = ops.BatchNorm
) -> SharedWeights:
    """The shared weights, with another normalisation in the place of the batch's."""
    entries = network.operations.items()
    changed = {
        key: dataclasses.replace(shared, operation=_with(normalization, shared.operation))
        for key, shared in entries
    }
    return SharedWeights(dataclasses.replace(network, operations=changed), params)


def _with(normalization: type[ops.BatchNorm], operation: ops.Operation) -> ops.Operation:
    if isinstance(operation, ops.Sequential):
        return ops.Sequential(tuple(_with(normalization, part) for part in operation.parts))
    if isinstance(operation, ops.Residual):
        return ops.Residual(_with(normalization, operation.body))
    return normalization(operation.affine) if isinstance(operation, ops.BatchNorm) else operation


def gather_per_operation(
    weights: SharedWeights, labels: Sequence[str], architectures: np.ndarray, images: torch.Tensor
) -> torch.Tensor:
    """The logits `[B, K]`: at each layer the images of one operation are gathered and run together.

    Args:
      weights: the shared weights of a `jaxnas.supernets.chain`.
      labels: the operations of a layer in order of their actions.
      architectures: `[B, L]`, one per image.
      images: `[B, C, H, W]`.
    """
    with torch.inference_mode():
        x = weights.functions["stem"](images)
        for layer, actions in enumerate(architectures.T):
            x = _layer(weights, f"layer_{layer}", labels, actions, x)
        return weights.functions["classifier"](x)


def _layer(weights, name: str, labels: Sequence[str], actions: np.ndarray, x: torch.Tensor):
    output = None
    for action, label in enumerate(labels):
        rows = np.flatnonzero(actions == action)
        if not len(rows):
            continue
        index = torch.from_numpy(rows)
        function = weights.functions.get(f"{name}/{label}")
        part = x.index_select(0, index)
        part = part if function is None else function(part)
        if output is None:
            output = part.new_empty((len(x), *part.shape[1:]))
            output = output.contiguous(memory_format=torch.channels_last)
        output.index_copy_(0, index, part)
    return output


def one_by_one(
    weights: SharedWeights, children: Sequence[Choices], images: torch.Tensor
) -> torch.Tensor:
    """The logits `[B, K]`: one image after the other."""
    describe = weights.network.describe
    with torch.inference_mode():
        logits = [
            describe(Child(weights, images[i : i + 1]), child) for i, child in enumerate(children)
        ]
        return torch.cat(logits)
