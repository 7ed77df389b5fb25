"""The weights of the LSTM policy, as a Flax module, and what one step does with them."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxnas.policies.attention import AnchorAttention, zeros

Upper = tuple[tuple[jax.Array, jax.Array], ...]
"""The states `(hidden, cell)` of the layers above the lowest one."""


class LSTMModule(nnx.Module):
    """An LSTM with an output head and an embedding table for each kind of decision.

    `G` heads, `A` actions, `E` embedding size, `H` hidden size, `C` context size, `R` visits that
    are told apart; one layer, and others above it that read the one below. The LSTM has no bias
    (ENAS). A new module holds zeros; `randomize` draws the weights.
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

    def to_gates(self, inputs: jax.Array) -> jax.Array:
        """What inputs `[..., E]` of the LSTM add to its gates, `[..., 4 H]`."""
        return inputs @ self.kernel[...][: inputs.shape[-1]]

    def project(self, context: jax.Array | None) -> jax.Array | None:
        """What the context `[N, C]` adds to the input of every step: `[N, E]`."""
        if self.context_kernel is None or context is None:
            return None
        return context @ self.context_kernel[...]

    def visit_inputs(self) -> jax.Array | None:
        """What the number of the visit adds to the input: `[R, E]`."""
        return None if self.visits is None else self.visits[...]

    def recur(
        self, gates: jax.Array, hidden: jax.Array | None, cell: jax.Array | None
    ) -> tuple[jax.Array, jax.Array]:
        """One step of the lowest layer: the next `(hidden, cell)`, each `[N, H]`.

        Args:
          gates: `[N, 4 H]`, what the input adds to them.
          hidden: `[N, H]`; `None` for zeros, as `cell`.
          cell: `[N, H]`.
        """
        if hidden is not None:
            gates = gates + hidden @ self.kernel[...][-hidden.shape[-1] :]
        return _gated(gates, cell)

    def climb(self, hidden: jax.Array, states: Upper) -> tuple[jax.Array, Upper]:
        """One step of the layers above: the hidden state `[N, H]` of the highest, all states."""
        if self.upper is None:
            return hidden, states
        new = []
        for kernel, (own, cell) in zip(self.upper[...], states, strict=True):
            gates = jnp.concatenate([hidden, own], axis=-1) @ kernel
            hidden, cell = _gated(gates, cell)
            new.append((hidden, cell))
        return hidden, tuple(new)


def _gated(gates: jax.Array, cell: jax.Array | None) -> tuple[jax.Array, jax.Array]:
    i, f, o, g = jnp.split(gates, 4, axis=-1)
    new = jax.nn.sigmoid(i) * jnp.tanh(g)
    cell = new if cell is None else jax.nn.sigmoid(f) * cell + new
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
