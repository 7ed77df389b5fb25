"""The LSTM and the GRU in their standard forms, as cells that are not searched: the baselines.

Source: Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000; Cho et al. 2014,
arXiv:1406.1078, in the form of cuDNN and PyTorch, which resets the map of `h_{t-1}`.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from jaxnas.children.recurrent.tree_cell import State
from jaxnas.spaces import SearchSpace, chain


@dataclasses.dataclass(frozen=True)
class GatedCell:
    """A fixed cell, with the interface of `TreeCell`; its space has one architecture.

    Attributes:
      kind: `lstm` or `gru`.

    Raises:
      ValueError: another kind.
    """

    kind: str = "lstm"

    def __post_init__(self):
        if self.kind not in STEPS:
            raise ValueError(f"kind is {self.kind!r}: give one of {sorted(STEPS)}.")

    @property
    def space(self) -> SearchSpace:
        """One architecture."""
        return chain(1, (self.kind,), name=self.kind)

    @property
    def maps(self) -> int:
        """`K`: gates and candidate."""
        return STEPS[self.kind][0]

    def run(
        self,
        weights: jax.Array,
        architecture: jax.Array,
        inputs: jax.Array,
        state: State,
        mask: jax.Array | None = None,
    ) -> tuple[jax.Array, State]:
        """As `TreeCell.run`; the architecture is not read."""

        def step(state: State, x: jax.Array):
            hidden = state.hidden if mask is None else state.hidden * mask
            z = (hidden @ weights.reshape(len(weights), -1)).reshape(x.shape)
            state = STEPS[self.kind][1](x, z, state)
            return state, state.hidden

        last, hiddens = jax.lax.scan(step, state, inputs)
        return hiddens, last


def _lstm(x: jax.Array, z: jax.Array, state: State) -> State:
    """Maps in the order input gate, forget gate, candidate, output gate."""
    gates = x + z
    enter, forget, leave = (jax.nn.sigmoid(gates[:, i]) for i in (0, 1, 3))
    cell = forget * state.cell + enter * jnp.tanh(gates[:, 2])
    return State(leave * jnp.tanh(cell), cell)


def _gru(x: jax.Array, z: jax.Array, state: State) -> State:
    """Maps in the order reset gate, update gate, candidate."""
    reset = jax.nn.sigmoid(x[:, 0] + z[:, 0])
    update = jax.nn.sigmoid(x[:, 1] + z[:, 1])
    candidate = jnp.tanh(x[:, 2] + reset * z[:, 2])
    return State((1 - update) * candidate + update * state.hidden, state.cell)


STEPS = {"lstm": (4, _lstm), "gru": (3, _gru)}
"""The number of maps of each kind, and its step."""
