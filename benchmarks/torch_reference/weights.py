"""Shared weights of a network as PyTorch tensors, and gradients back as jaxnas has them."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import torch

from jaxnas.supernets import Network
from jaxnas.supernets.ops import Identity, Zero
from torch_reference.operations import function_of

_TO_TORCH = {1: (0,), 2: (1, 0), 3: (2, 0, 1), 4: (3, 2, 0, 1)}
"""Axes of vectors, matrices `[C, K]`, depthwise kernels `[k, k, C]` and kernels `[k, k, C, D]`."""


class SharedWeights:
    """The shared operations of a network in PyTorch, with a copy of the same parameters.

    Attributes:
      network: the network.
      functions: for each key, the function `(*inputs) -> output` on `[B, C, H, W]`; identities and
        zeros have none.
      leaves: for each key, its parameters in the order of `jax.tree.leaves`.
    """

    def __init__(
        self,
        network: Network,
        params: Any,
        *,
        channels_last: bool = True,
        device: str = "cpu",
        dtype: torch.dtype | None = None,
    ):
        self.network = network
        self.functions, self.leaves = {}, {}
        self._stacks = [jax.tree.map(np.asarray, stack) for stack in params]
        for key, (group, row) in network.rows.items():
            arrays, structure = jax.tree.flatten(self._stacks[group])
            leaves = [to_torch(a[row], channels_last).to(device, dtype) for a in arrays]
            self.leaves[key] = [leaf.requires_grad_() for leaf in leaves]
            operation = network.operations[key].operation
            if not isinstance(operation, Identity | Zero):
                self.functions[key] = function_of(operation, jax.tree.unflatten(structure, leaves))

    def clear_gradients(self) -> None:
        """Drops all gradients."""
        for leaves in self.leaves.values():
            for leaf in leaves:
                leaf.grad = None

    def gradient(self) -> Any:
        """The gradients as a pytree like the parameters of jaxnas; zeros where there is none."""
        gradients = jax.tree.map(np.zeros_like, self._stacks)
        for key, (group, row) in self.network.rows.items():
            stacks = jax.tree.leaves(gradients[group])
            for stack, leaf in zip(stacks, self.leaves[key], strict=True):
                if leaf.grad is not None:
                    stack[row] = _from_torch(leaf.grad, stack.ndim - 1)
        return tuple(gradients)


def to_images(
    images: Any, *, channels_last: bool = True, device: str = "cpu", dtype: Any = None
) -> torch.Tensor:
    """Images `[B, H, W, C]` as a tensor `[B, C, H, W]` in either memory order."""
    tensor = torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).to(device, dtype)
    order = torch.channels_last if channels_last else torch.contiguous_format
    return tensor.contiguous(memory_format=order)


def to_torch(array: np.ndarray, channels_last: bool = True) -> torch.Tensor:
    """One array of parameters as a tensor, its axes in PyTorch's order."""
    moved = array.transpose(_TO_TORCH[array.ndim])
    moved = moved[:, None] if array.ndim == 3 else moved
    order = torch.channels_last if channels_last and moved.ndim == 4 else torch.contiguous_format
    return torch.from_numpy(np.array(moved, order="C")).contiguous(memory_format=order)


def _from_torch(tensor: torch.Tensor, axes: int) -> np.ndarray:
    tensor = tensor.detach().cpu()
    array = (tensor.float() if tensor.dtype.itemsize < 4 else tensor).numpy()
    array = array[:, 0] if axes == 3 else array
    return array.transpose(np.argsort(_TO_TORCH[axes]))
