"""NAS-RL's tree cell over a sequence, with a gradient of its own.

Source: Zoph & Le 2017, arXiv:1611.01578, section 3.4. The maps of all inputs are one matrix product
before the scan over time, and the gradients with respect to all weights are one product each after
it; a step of the scan has the product with `h_{t-1}` alone.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnas.children.recurrent.tree_step import (
    Codes,
    Saved,
    backward_step,
    forward_step,
    read_codes,
)
from jaxnas.spaces import SearchSpace
from jaxnas.spaces.recurrent import (
    ACTIVATIONS,
    COMBINATIONS,
    EXTENDED_ACTIVATIONS,
    EXTENDED_COMBINATIONS,
    num_nodes,
    recurrent,
)


class State(NamedTuple):
    """What a cell hands on from step to step: `hidden` and `cell`, each `[B, H]`."""

    hidden: jax.Array
    cell: jax.Array

    @classmethod
    def zeros(cls, batch_size: int, hidden: int) -> State:
        """The state before the first step, in the default float."""
        zeros = jnp.zeros((batch_size, hidden), float)
        return cls(zeros, zeros)


@dataclasses.dataclass(frozen=True)
class TreeCell:
    """A recurrent cell whose architecture is data, one of `spaces.recurrent(base)`.

    Attributes:
      base: the number of leaves, a power of two.
      extended: whether nodes may also take the maximum and the sine.

    Raises:
      SpaceError: `base` is not a power of two.
    """

    base: int = 8
    extended: bool = False

    def __post_init__(self):
        num_nodes(self.base)

    @property
    def space(self) -> SearchSpace:
        """The architectures of the cell."""
        if self.extended:
            return recurrent(self.base, EXTENDED_COMBINATIONS, EXTENDED_ACTIVATIONS)
        return recurrent(self.base, COMBINATIONS, ACTIVATIONS)

    @property
    def maps(self) -> int:
        """`K`: how many maps of its input and of its hidden state the cell computes."""
        return self.base

    def run(
        self,
        weights: jax.Array,
        architecture: jax.Array,
        inputs: jax.Array,
        state: State,
        mask: jax.Array | None = None,
    ) -> tuple[jax.Array, State]:
        """Runs the cell over a sequence of `T` steps.

        Args:
          weights: of the maps of `h_{t-1}`, `[H, K, H]`.
          architecture: `int32 [4 base + 2]`; may be traced.
          inputs: the maps of all `x_t`, biases included, `[T, B, K, H]`.
          state: before the first step.
          mask: what `h_{t-1}` is multiplied by before its maps, `[B, H]`, the same at every step
            (variational dropout); `None` for ones. It has no gradient.

        Returns:
          All `h_t` `[T, B, H]`, and the state after the last step.
        """
        codes = read_codes(architecture)
        return run_tree(self.extended, weights, inputs, state, mask, codes)


def _masked(hidden: jax.Array, mask: jax.Array | None) -> jax.Array:
    return hidden if mask is None else hidden * mask


def _maps(weights: jax.Array, hidden: jax.Array) -> jax.Array:
    """`[B, H]` by `[H, K, H]` to `[B, K, H]`."""
    return (hidden @ weights.reshape(len(weights), -1)).reshape(-1, *weights.shape[1:])


def _scan(extended, weights, inputs, state, mask, codes, *, save: bool) -> Any:
    def step(state: State, x: jax.Array):
        z = _maps(weights, _masked(state.hidden, mask))
        cell, saved = forward_step(codes, x, z, state.cell, extended)
        kept = (state.cell, z, saved) if save else saved.root
        return State(saved.root, cell), kept

    return jax.lax.scan(step, state, inputs)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def run_tree(
    extended: bool,
    weights: jax.Array,
    inputs: jax.Array,
    state: State,
    mask: jax.Array | None,
    codes: Codes,
) -> tuple[jax.Array, State]:
    """See `TreeCell.run`."""
    state, hiddens = _scan(extended, weights, inputs, state, mask, codes, save=False)
    return hiddens, state


def _forward(extended, weights, inputs, state, mask, codes):
    last, kept = _scan(extended, weights, inputs, state, mask, codes, save=True)
    saved: Saved = kept[-1]
    return (saved.root, last), (weights, inputs, state, mask, codes, kept)


def _backward(extended, residuals, gradients):
    weights, inputs, state, mask, codes, kept = residuals
    hidden_gradients, last = gradients
    transposed = weights.reshape(len(weights), -1).T

    def step(gradient: State, now):
        root_gradient, x, (cell, z, saved) = now
        root_gradient += gradient.hidden
        dx, dz, dc = backward_step(codes, x, z, cell, saved, root_gradient, gradient.cell, extended)
        dh = _masked(dz.reshape(len(dz), -1) @ transposed, mask)
        return State(dh, dc), (dx, dz)

    first, (dx, dz) = jax.lax.scan(step, last, (hidden_gradients, inputs, kept), reverse=True)
    hiddens = jnp.concatenate([state.hidden[None], kept[-1].root[:-1]])
    hiddens = _masked(hiddens, mask).reshape(-1, len(weights))
    dweights = (hiddens.T @ dz.reshape(len(hiddens), -1)).reshape(weights.shape)
    return dweights, dx, first, None, None


run_tree.defvjp(_forward, _backward)
