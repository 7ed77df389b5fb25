"""The weights of the LSTM policy, as a Flax module, and what one step does with them."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxnas.policies.attention import AnchorAttention, zeros
from jaxnas.policies.tables import Array

Upper = tuple[tuple[jax.Array, jax.Array], ...]
"""The states `(hidden, cell)` of the layers above the lowest one."""


class LSTMModule(nnx.Module):
    """An LSTM with an output head and an embedding table for each kind of decision.

    `G` heads, `A` actions, `E` embedding size, `H` hidden size, `C` context size, `R` visits that
    are told apart; one layer, and others above it that read the one below. The LSTM has no bias
    (ENAS). A new module holds zeros; `randomize` draws the
    weights.
    """

    def __init__(
        self,
        *,
        num_heads: int,
        num_actions: int,
        num_nodes: int,
        embedding: int,
        hidden: int,
        context_size: int,
        num_visits: int = 0,
        skip_connection: bool = False,
        layers: int = 1,
    ):
        """Makes all weights, as zeros."""
        self.start = zeros(embedding)
        self.embeddings = zeros(num_heads, num_actions, embedding)
        self.kernel = zeros(embedding + hidden, 4 * hidden)
        self.upper = zeros(layers - 1, 2 * hidden, 4 * hidden) if layers > 1 else None
        read = hidden + embedding if skip_connection else hidden
        self.head_kernel = zeros(num_heads, read, num_actions)
        self.head_bias = zeros(num_heads, num_actions)
        self.context_kernel = zeros(context_size, embedding) if context_size else None
        self.visits = zeros(num_visits, embedding) if num_visits else None
        self.attention = AnchorAttention(num_nodes, hidden) if num_nodes else None

    def first_input(self, num: int) -> jax.Array:
        """The input `[N, E]` of the first step."""
        return jnp.broadcast_to(self.start[...], (num, self.start[...].shape[0]))

    def project(self, context: jax.Array | None) -> jax.Array | float:
        """What the context `[N, C]` adds to the input of every step: `[N, E]`."""
        if self.context_kernel is None or context is None:
            return 0.0
        return context @ self.context_kernel[...]

    def visit_input(self, visit: Array) -> jax.Array | float:
        """What the number of the visit `[N]` or `[]` adds to the input: `[N, E]` or `[E]`."""
        if self.visits is None:
            return 0.0
        table = self.visits[...]
        return jax.nn.one_hot(visit, len(table), dtype=table.dtype) @ table

    def recur(
        self, inputs: jax.Array, hidden: jax.Array, cell: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """One step of the lowest layer: the next `(hidden, cell)`, each `[N, H]`."""
        return _recur(self.kernel[...], inputs, hidden, cell)

    def climb(self, hidden: jax.Array, states: Upper) -> tuple[jax.Array, Upper]:
        """One step of the layers above: the hidden state `[N, H]` of the highest, all states."""
        if self.upper is None:
            return hidden, states
        new = []
        for kernel, state in zip(self.upper[...], states, strict=True):
            hidden, cell = _recur(kernel, hidden, *state)
            new.append((hidden, cell))
        return hidden, tuple(new)


def _recur(kernel: jax.Array, inputs: jax.Array, hidden: jax.Array, cell: jax.Array):
    gates = jnp.concatenate([inputs, hidden], axis=-1) @ kernel
    i, f, o, g = jnp.split(gates, 4, axis=-1)
    cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(cell), cell


def randomize(params: Any, key: jax.Array, scale: float, head_scale: float) -> Any:
    """Draws all weights uniformly from `[-scale, scale]`; the biases of the heads stay 0.

    One draw serves them all: a draw for each takes several times as long to compile.

    Args:
      params: the weights of an `LSTMModule`, a nested dict.
      key: a PRNG key; it is consumed.
      scale: the half width of the distribution.
      head_scale: multiplies the weights that logits are read with.
    """
    leaves, structure = jax.tree.flatten(params)
    ends = np.cumsum([leaf.size for leaf in leaves])
    numbers = jax.random.uniform(key, (int(ends[-1]),), minval=-scale, maxval=scale)
    parts = jnp.split(numbers, ends[:-1])
    shaped = [part.reshape(leaf.shape) for part, leaf in zip(parts, leaves, strict=True)]
    drawn = jax.tree.unflatten(structure, shaped)
    drawn["head_kernel"] *= head_scale
    if "attention" in drawn:
        drawn["attention"]["vector"] *= head_scale
    return drawn | {"head_bias": params["head_bias"]}


def head_logits(
    kernel: jax.Array, bias: jax.Array, hidden: jax.Array, slot: jax.Array
) -> jax.Array:
    """The logits `[N, A]` of the head in `slot`, among the `M` heads of this step.

    Args:
      kernel: `[M, H, A]`; with a skip connection `H` is the size of both that are read.
      bias: `[M, A]`.
      hidden: `[N, H]`.
      slot: `int32 [N]` or `[]`, which of the heads to use.
    """
    if len(kernel) == 1:
        return hidden @ kernel[0] + bias[0]
    # All heads and a choice among the results: a gather of kernels for each walk is far slower.
    logits = jnp.einsum("nh,mha->nma", hidden, kernel) + bias
    one_hot = jax.nn.one_hot(slot, len(kernel), dtype=logits.dtype)
    return jnp.einsum("nma,nm->na", logits, one_hot)


def embed(table: jax.Array, slot: jax.Array, action: jax.Array) -> jax.Array:
    """The embedding `[N, E]` of actions `[N]` of the head in `slot`, from `table` `[M, A, E]`."""
    num_heads, num_actions, size = table.shape
    index = action if num_heads == 1 else slot * num_actions + action
    # A product with one-hot rows: its gradient is a product too, not a scatter.
    one_hot = jax.nn.one_hot(index, num_heads * num_actions, dtype=table.dtype)
    return one_hot @ table.reshape(-1, size)
