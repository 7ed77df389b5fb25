"""PyTorch driven by the plan of jaxnas: the same distinct applications, the same liveness."""

from __future__ import annotations

import torch
from torch.nn import functional as F  # noqa: N812

from jaxnas.supernets import Plan
from jaxnas.supernets.expressions import ADD, APPLY, IMAGES
from torch_reference.child import total
from torch_reference.weights import SharedWeights


def forward(weights: SharedWeights, plan: Plan, images: torch.Tensor) -> torch.Tensor:
    """The logits `[A, B, K]` of the children of a plan, without a graph for gradients."""
    with torch.inference_mode():
        return execute(weights, plan, images)


def loss_and_gradient(
    weights: SharedWeights, plan: Plan, images: torch.Tensor, labels: torch.Tensor
) -> float:
    """The mean cross-entropy of the children; one backward pass over the graph that they share."""
    weights.clear_gradients()
    logits = execute(weights, plan, images)
    loss = F.cross_entropy(logits.flatten(0, 1), labels.repeat(len(logits)))
    loss.backward()
    return float(loss.detach())


def execute(weights: SharedWeights, plan: Plan, images: torch.Tensor) -> torch.Tensor:
    """Computes the instructions in order and drops each value at its last use."""
    values: dict[int, torch.Tensor] = {}
    for position, (kind, key, inputs, shape) in enumerate(plan.instructions):
        read = [values[i] for i in inputs]
        if kind == APPLY:
            values[position] = weights.functions[key](*read)
        elif kind == ADD:
            values[position] = total(read)
        elif kind == IMAGES:
            values[position] = images
        else:
            *size, channels = shape
            values[position] = images.new_zeros((len(images), channels, *size))
        for dead in plan.frees[position]:
            del values[dead]
    return torch.stack([values[position] for position in plan.outputs.tolist()])
