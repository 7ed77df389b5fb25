"""One recurrent child in PyTorch, trained alone: the tree cell of NAS-RL as a language model.

Tuned: only what the cell chose is computed; the maps of all inputs are one product before the loop
over time (of the embedding itself where the vocabulary is small); the maps of the hidden state are
one product for all leaves that add, with the addition in it, and one for all that multiply; leaves
are sorted, so that all with one activation are one call.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812

from jaxnas.children.recurrent.embedding import ONE_HOT_ROWS
from jaxnas.children.recurrent.language_model import Layer, Parameters
from jaxnas.spaces import SearchSpace

COMBINE: dict[str, Callable[..., torch.Tensor]] = {
    "add": torch.add,
    "elem_mult": torch.mul,
    "max": torch.maximum,
}
ACTIVATE: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "identity": lambda value: value,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "sin": torch.sin,
}


class _Choices(NamedTuple):
    """A cell by name."""

    combinations: list[str]
    activations: list[str]
    inject: tuple[str, str]
    inject_node: int
    cell_node: int


class TreeLanguageModel:
    """A language model of one layer whose cell is a child of `spaces.recurrent`, not extended.

    Args:
      space: of the child.
      architecture: the child, `[T]`.
      parameters: of jaxnas's `LanguageModel` with one layer; copied.
      compiled: whether a step of the cell is compiled by `torch.compile`.
    """

    def __init__(
        self, space: SearchSpace, architecture: Any, parameters: Parameters, compiled: bool = False
    ):
        self._choices = _read(space, architecture)
        base = (len(self._choices.combinations) + 1) // 2
        self._order = sorted(range(base), key=self._kind)
        self._adding = sum(self._kind(i)[0] == "add" for i in range(base))
        layer = parameters.layers[0]
        size = layer.hidden.shape[0]

        def tensor(value: Any) -> torch.Tensor:
            return torch.tensor(np.asarray(value))

        def sorted_leaves(value: Any) -> torch.Tensor:
            return tensor(np.asarray(value)[..., self._order, :].reshape(*value.shape[:-2], -1))

        split = self._adding * size
        hidden = sorted_leaves(layer.hidden)
        self.weights = {
            "embedding": tensor(parameters.embedding),
            "inputs": sorted_leaves(layer.inputs),
            "adding": hidden[:, :split].contiguous(),
            "multiplying": hidden[:, split:].contiguous(),
            "bias": sorted_leaves(layer.bias),
            "softmax": tensor(parameters.softmax),
            "softmax_bias": tensor(parameters.bias),
        }
        for weight in self.weights.values():
            weight.requires_grad_()
        self._split = split
        self._step = (
            torch.compile(self._eager_step, dynamic=False) if compiled else self._eager_step
        )

    def loss(
        self, tokens: torch.Tensor, labels: torch.Tensor, state: tuple[torch.Tensor, torch.Tensor]
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """The mean loss of tokens `[T, B]`, and the state after them without its history."""
        maps = self._maps(tokens)
        hidden, cell = state
        hiddens = []
        adding, multiplying = maps[..., : self._split], maps[..., self._split :]
        for x, y in zip(adding.unbind(), multiplying.unbind(), strict=True):
            hidden, cell = self._step(x, y, hidden, cell)
            hiddens.append(hidden)
        logits = F.linear(torch.cat(hiddens), self.weights["softmax"], self.weights["softmax_bias"])
        loss = F.cross_entropy(logits, labels.reshape(-1))
        return loss, (hidden.detach(), cell.detach())

    def parameters(self) -> Parameters:
        """The weights in the form of jaxnas."""
        weights = {name: value.detach().numpy() for name, value in self.weights.items()}
        size = weights["embedding"].shape[1]
        back = np.argsort(self._order)

        def leaves(value: np.ndarray) -> np.ndarray:
            return value.reshape(*value.shape[:-1], -1, size)[..., back, :]

        hidden = np.concatenate([weights["adding"], weights["multiplying"]], axis=1)
        layer = Layer(leaves(weights["inputs"]), leaves(hidden), leaves(weights["bias"]))
        return Parameters(
            weights["embedding"], (layer,), weights["softmax"], weights["softmax_bias"]
        )

    def _kind(self, leaf: int) -> tuple[str, str]:
        """Adding leaves come first; the others must multiply."""
        return self._choices.combinations[leaf], self._choices.activations[leaf]

    def _maps(self, tokens: torch.Tensor) -> torch.Tensor:
        """The maps `[T, B, base * H]` of all inputs."""
        inputs, bias = self.weights["inputs"], self.weights["bias"]
        embedding = self.weights["embedding"]
        if len(embedding) <= ONE_HOT_ROWS:
            return F.embedding(tokens, torch.addmm(bias, embedding, inputs))
        values = F.embedding(tokens, embedding)
        return torch.addmm(bias, values.flatten(0, 1), inputs).view(*tokens.shape, -1)

    def _eager_step(
        self, x: torch.Tensor, y: torch.Tensor, hidden: torch.Tensor, cell: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """`h_t` and `c_t` from the maps of the input: of leaves that add, and that multiply."""
        values, before = self._leaves(x, y, hidden)
        choices, base = self._choices, len(values)
        new_cell = before.get(choices.cell_node)
        for node in range(len(choices.combinations)):
            if node >= base:
                left, right = values[2 * (node - base)], values[2 * (node - base) + 1]
                value = COMBINE[choices.combinations[node]](left, right)
                if node == choices.cell_node:
                    new_cell = value
                values.append(ACTIVATE[choices.activations[node]](value))
            if node == choices.inject_node:
                combination, activation = choices.inject
                values[node] = ACTIVATE[activation](COMBINE[combination](values[node], cell))
        return values[-1], new_cell

    def _leaves(
        self, x: torch.Tensor, y: torch.Tensor, hidden: torch.Tensor
    ) -> tuple[list[torch.Tensor], dict[int, torch.Tensor]]:
        """The values of all leaves, and of one that is the cell node the value before."""
        found: dict[int, torch.Tensor] = {}
        before: dict[int, torch.Tensor] = {}
        if x.shape[1]:
            maps = torch.addmm(x, hidden, self.weights["adding"])
            self._activate(maps, self._order[: self._adding], found, before)
        if y.shape[1]:
            maps = y * torch.mm(hidden, self.weights["multiplying"])
            self._activate(maps, self._order[self._adding :], found, before)
        return [found[leaf] for leaf in range(len(found))], before

    def _activate(
        self,
        maps: torch.Tensor,
        order: list[int],
        found: dict[int, torch.Tensor],
        before: dict[int, torch.Tensor],
    ) -> None:
        """Adds the values of sorted leaves to `found`: one call for each activation."""
        size, start = maps.shape[1] // len(order), 0
        for activation, group in itertools.groupby(order, self._choices.activations.__getitem__):
            leaves = list(group)
            block = maps[:, start : start + len(leaves) * size]
            start += len(leaves) * size
            if self._choices.cell_node in leaves:
                at = leaves.index(self._choices.cell_node) * size
                before[self._choices.cell_node] = block[:, at : at + size]
            pieces = ACTIVATE[activation](block).chunk(len(leaves), 1)
            found |= dict(zip(leaves, pieces, strict=True))


def _read(space: SearchSpace, architecture: Any) -> _Choices:
    choices = dict(space.encode(architecture)["walk"])
    nodes = sum(name.endswith("/activation") for name in choices) - 1
    return _Choices(
        [choices[f"node_{i}/combination"] for i in range(nodes)],
        [choices[f"node_{i}/activation"] for i in range(nodes)],
        (choices["inject/combination"], choices["inject/activation"]),
        int(choices["inject/node"]),
        int(choices["cell/node"]),
    )
