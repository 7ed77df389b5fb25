"""An LSTM controller in PyTorch that samples architectures one by one, and its REINFORCE update.

The policy of `jaxnas.policies.lstm` with the same weights, over spaces whose walks are one path
and whose decisions point at no nodes. Tuned: one fused cell per step, no distribution objects.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812

from jaxnas.policies.tables import make_tables
from jaxnas.spaces import SearchSpace


class Controller:
    """Samples, scores and learns.

    Args:
      space: the space.
      params: the parameters of a `jaxnas.policies.lstm` over it, without shared heads.
      learning_rate: of Adam.
      entropy_weight: the weight of the mean entropy.
      entropy_target: a higher mean entropy earns nothing more.

    Raises:
      ValueError: the walks of the space branch, or its decisions point at nodes.
    """

    def __init__(
        self,
        space: SearchSpace,
        params: Any,
        *,
        learning_rate: float,
        entropy_weight: float,
        entropy_target: float,
    ):
        tables = make_tables(space, False)
        if not tables.path or tables.num_nodes:
            raise ValueError(f"space {space.name!r} is not a plain sequence of decisions.")
        weights = {name: torch.from_numpy(np.array(value)) for name, value in params.items()}
        kernel = weights.pop("kernel").T
        self.start = weights["start"].requires_grad_()
        self.cell = torch.nn.LSTMCell(len(self.start), len(kernel) // 4, bias=False)
        self.cell.to(kernel.dtype)
        with torch.no_grad():
            _copy_gates(self.cell, kernel, len(self.start))
        self.heads, self.embeddings = [], []
        for head, decision in enumerate(space.decisions):
            actions = len(decision.actions)
            matrix, bias = weights["head_kernel"][head].T, weights["head_bias"][head]
            self.heads.append((_leaf(matrix[:actions]), _leaf(bias[:actions])))
            self.embeddings.append(_leaf(weights["embeddings"][head][:actions]))
        leaves = [leaf for pair in self.heads for leaf in pair]
        self.leaves = [self.start, *self.cell.parameters(), *leaves, *self.embeddings]
        self.optimizer = torch.optim.Adam(self.leaves, learning_rate, fused=True)
        self.entropy_weight, self.entropy_target = entropy_weight, entropy_target

    def sample(self, forced: Any = None) -> tuple[list[int], torch.Tensor, torch.Tensor]:
        """Draws one architecture.

        Args:
          forced: actions `[T]` that take the place of the drawn ones (which are drawn all the
            same), so that both sides of a benchmark evaluate the same children.

        Returns:
          The actions, their log-probability and the entropy of the decisions.
        """
        inputs, state = self.start[None], None
        actions, log_probs, entropies = [], [], []
        for step, (matrix, bias) in enumerate(self.heads):
            state = self.cell(inputs, state)
            scores = F.log_softmax(F.linear(state[0], matrix, bias)[0], 0)
            probabilities = scores.exp()
            action = int(torch.multinomial(probabilities.detach(), 1))
            action = action if forced is None else int(forced[step])
            actions.append(action)
            log_probs.append(scores[action])
            entropies.append(-(probabilities * scores).sum())
            inputs = self.embeddings[step][action : action + 1]
        return actions, torch.stack(log_probs).sum(), torch.stack(entropies).sum()

    def samples(self, number: int, forced: Any = None) -> tuple[Any, torch.Tensor, torch.Tensor]:
        """Draws architectures `[N][T]` one by one, with log-probabilities and entropies `[N]`."""
        drawn = [self.sample(None if forced is None else forced[i]) for i in range(number)]
        actions, log_probs, entropies = zip(*drawn, strict=True)
        return actions, torch.stack(log_probs), torch.stack(entropies)

    def loss(
        self, log_probs: torch.Tensor, entropies: torch.Tensor, advantages: torch.Tensor
    ) -> torch.Tensor:
        """The loss whose gradient is REINFORCE's, as `jaxnas.searchers.reinforce` has it."""
        bonus = entropies.mean().clamp(max=self.entropy_target)
        return -(advantages * log_probs).mean() - self.entropy_weight * bonus

    def update(
        self, log_probs: torch.Tensor, entropies: torch.Tensor, advantages: torch.Tensor
    ) -> None:
        """One step of Adam."""
        self.optimizer.zero_grad(set_to_none=True)
        self.loss(log_probs, entropies, advantages).backward()
        self.optimizer.step()

    def gradient_norm(self) -> float:
        """The norm of the gradient that the last backward pass left."""
        squares = [leaf.grad.square().sum() for leaf in self.leaves if leaf.grad is not None]
        return float(torch.stack(squares).sum().sqrt())


def _leaf(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.clone().requires_grad_()


def _copy_gates(cell: torch.nn.LSTMCell, kernel: torch.Tensor, inputs: int) -> None:
    """Copies `[4 H, E + H]` with gates `i, f, o, g` to PyTorch's order `i, f, g, o`."""
    i, f, o, g = kernel.chunk(4)
    ordered = torch.cat([i, f, g, o])
    cell.weight_ih.copy_(ordered[:, :inputs])
    cell.weight_hh.copy_(ordered[:, inputs:])
