"""NAS-RL's convolutional children in PyTorch, trained one by one from the same first weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from jaxnas.children.exact_convolution import EPSILON
from jaxnas.children.nasrl_settings import ConvSettings, read_codes


class ConvChild(nn.Module):
    """One child, with exactly the weights that it uses, on images `[B, C, H, W]`."""

    def __init__(
        self, settings: ConvSettings, parameters: Any, architecture: Any, *, channels_last=True
    ):
        super().__init__()
        codes = read_codes(settings, architecture)
        # Lists: torch.compile takes NumPy's numbers for data, and leaves all to eager execution.
        self.sources = [np.flatnonzero(row).tolist() for row in np.asarray(codes.reads)]
        self.loose = np.flatnonzero(codes.loose).tolist()
        order = torch.channels_last if channels_last else torch.contiguous_format
        layers = {name: np.asarray(value) for name, value in parameters["layers"].items()}
        self.kernels, self.scales, self.biases = (nn.ParameterList() for _ in range(3))
        for i in range(int(codes.depth)):
            height, width, inputs = (int(x[i]) for x in (codes.height, codes.width, codes.inputs))
            filters = int(codes.channels[i + 1])
            kernel = _used(settings, layers["kernel"][i], filters, height, width, inputs)
            self.kernels.append(_parameter(kernel.transpose(0, 3, 1, 2), order))
            self.scales.append(_parameter(layers["scale"][i, :filters]))
            self.biases.append(_parameter(layers["bias"][i, :filters]))
        head = np.asarray(parameters["head"]["kernel"]).reshape(settings.layers, -1, 10)
        rows = [head[i, : int(codes.channels[i + 1])] for i in self.loose]
        self.head = _parameter(np.concatenate(rows).T)
        self.head_bias = _parameter(np.asarray(parameters["head"]["bias"]))
        self.paddings = [tuple(s // 2 for s in kernel.shape[2:]) for kernel in self.kernels]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """The logits `[B, K]`, normalised by the batch."""
        values = [images]
        for i, kernel in enumerate(self.kernels):
            read = [values[j] for j in self.sources[i]]
            x = read[0] if len(read) == 1 else torch.cat(read, 1)
            z = F.conv2d(x, kernel, padding=self.paddings[i])
            z = F.batch_norm(
                z, None, None, self.scales[i], self.biases[i], training=True, eps=EPSILON
            )
            values.append(F.relu_(z))
        pooled = torch.cat([values[i + 1].mean((2, 3)) for i in self.loose], 1)
        return F.linear(pooled, self.head, self.head_bias)


def train(
    child: nn.Module,
    forward: Any,
    images: torch.Tensor,
    labels: torch.Tensor,
    orders: torch.Tensor,
    rate: float,
    momentum: float,
    weight_decay: float,
) -> torch.Tensor:
    """Trains a child, and returns the losses `[steps]`.

    Args:
      child: its weights.
      forward: the child, or its compiled form.
      images: `[N, C, H, W]`.
      labels: `int64 [N]`.
      orders: `int64 [steps, B]`, the images of each step.
      rate: of SGD.
      momentum: of the Nesterov kind.
      weight_decay: the coefficient of the gradient's `c w`.
    """
    options = {"momentum": momentum, "nesterov": True, "weight_decay": weight_decay}
    optimizer = torch.optim.SGD(child.parameters(), rate, fused=True, **options)
    losses = []
    for rows in orders:
        optimizer.zero_grad()
        loss = F.cross_entropy(forward(images[rows]), labels[rows])
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses)


def _used(settings: ConvSettings, kernel, filters, height, width, inputs):
    top, left = (max(settings.heights) - height) // 2, (max(settings.widths) - width) // 2
    return kernel[:filters, top : top + height, left : left + width, :inputs]


def _parameter(array: np.ndarray, order: Any = torch.contiguous_format) -> nn.Parameter:
    tensor = torch.from_numpy(np.array(array, order="C"))
    return nn.Parameter(tensor.contiguous(memory_format=order))
