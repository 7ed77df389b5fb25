"""One child at a time, chosen operations only: what code around shared weights does in PyTorch.

Identities cost nothing and zeros are never computed, so a child pays for its operations alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional as F  # noqa: N812

from jaxnas.spaces import Choices
from jaxnas.supernets.ops import Identity, Zero
from torch_reference.weights import SharedWeights

Value = torch.Tensor | None
"""A tensor `[B, C, H, W]` or `[B, K]`; `None` stands for zeros."""


class Child:
    """Builds a child by computing it; a `Build` of `jaxnas.supernets.network` on tensors."""

    def __init__(self, weights: SharedWeights, images: torch.Tensor):
        self.images: Value = images
        self._weights, self._batch, self._like = weights, len(images), images

    def apply(self, key: str, *inputs: Value) -> Value:
        """Applies a shared operation."""
        shared = self._weights.network.operations[key]
        operation = shared.operation
        if isinstance(operation, Identity):
            return inputs[0]
        zeros = [x is None for x in inputs]
        if isinstance(operation, Zero) or (operation.preserves_zero and all(zeros)):
            return None
        if any(zeros):
            pairs = zip(inputs, shared.shapes, strict=True)
            inputs = tuple(self._zeros(shape) if x is None else x for x, shape in pairs)
        return self._weights.functions[key](*inputs)

    def add(self, *inputs: Value) -> Value:
        """The sum of values of one shape."""
        return total([x for x in inputs if x is not None])

    def zeros(self, shape: Sequence[int]) -> Value:
        """Zeros."""
        return None

    def _zeros(self, shape: Sequence[int]) -> torch.Tensor:
        *size, channels = shape
        return self._like.new_zeros((self._batch, channels, *size))


def total(terms: list[torch.Tensor]) -> Value:
    """The sum of tensors: one new tensor, whatever the number of terms; `None` for no terms."""
    if len(terms) < 2:
        return terms[0] if terms else None
    result = terms[0] + terms[1]
    for term in terms[2:]:
        result.add_(term)
    return result


def forward(
    weights: SharedWeights, children: Sequence[Choices], images: torch.Tensor
) -> torch.Tensor:
    """The logits `[A, B, K]` of children, one after the other, without a graph for gradients."""
    with torch.inference_mode():
        describe = weights.network.describe
        return torch.stack([describe(Child(weights, images), child) for child in children])


def loss_and_gradient(
    weights: SharedWeights,
    children: Sequence[Choices],
    images: torch.Tensor,
    labels: torch.Tensor,
) -> float:
    """The mean cross-entropy of children, one after the other; leaves its gradient in `weights`."""
    weights.clear_gradients()
    value = torch.zeros(())
    for child in children:
        logits = weights.network.describe(Child(weights, images), child)
        loss = F.cross_entropy(logits, labels) / len(children)
        loss.backward()
        value = value + loss.detach().cpu()
    return float(value)
