"""Anchor attention: decisions that point at earlier nodes are scored by what made those nodes.

Source: Pham et al. 2018, "Efficient neural architecture search via parameter sharing"
(arXiv:1802.03268), sections 2.1 and 2.3, and the authors' code. The anchor of a node is the hidden
state of the LSTM when the decision that makes it was taken.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx

from jaxnas.policies.tables import Array, Rows


class AnchorAttention(nnx.Module):
    """Scores nodes by `v . tanh(W1 anchor + W2 h)`.

    The anchors of a batch of walks are one array `[K + 1, N, 2 H]`: for each node its anchor and,
    beside it, `W1 anchor`, computed once. Row `K` takes the writes of decisions that make no node.
    """

    def __init__(self, num_nodes: int, hidden: int):
        """Makes all weights, as zeros.

        Args:
          num_nodes: `K`.
          hidden: `H`.
        """
        self.hidden = hidden
        self.initial_anchors = zeros(num_nodes + 1, hidden)
        self.anchor_kernel = zeros(hidden, hidden)
        self.query_kernel = zeros(hidden, hidden)
        self.vector = zeros(hidden)

    def initial(self, num: int) -> jax.Array:
        """The anchors `[K + 1, N, 2 H]` before the first step: learned ones, for every node."""
        anchors = self._with_keys(self.initial_anchors[...])
        return jnp.broadcast_to(anchors[:, None], (len(anchors), num, anchors.shape[-1]))

    def write(self, anchors: jax.Array, made: Array, hidden: jax.Array) -> jax.Array:
        """Stores the hidden state `[N, H]` as the anchor of the node that was made."""
        new = self._with_keys(hidden)
        if made.ndim == 0:
            return jax.lax.dynamic_update_index_in_dim(anchors, new, made, axis=0)
        return anchors.at[made, jnp.arange(len(hidden))].set(new)

    def read(self, anchors: jax.Array, nodes: Array) -> tuple[jax.Array, jax.Array]:
        """The anchors `[N, P, H]` of nodes `[P]` or `[N, P]`, and their keys `[N, P, H]`."""
        if nodes.ndim == 1:
            found = jnp.moveaxis(anchors[nodes], 0, 1)
        else:
            found = anchors[nodes, jnp.arange(len(nodes))[:, None]]
        return found[..., : self.hidden], found[..., self.hidden :]

    def logits(self, keys: jax.Array, hidden: jax.Array, rows: Rows) -> jax.Array:
        """The logits `[N, A]` of the actions.

        An action that points at nothing gets minus the mean of the nodes' logits, so that a skip
        bit has the logits `(-q, q)`, as in ENAS.
        """
        query = hidden @ self.query_kernel[...]
        scores = jnp.tanh(keys + query[:, None]) @ self.vector[...]
        return (scores[:, None] @ jnp.asarray(rows.scores, scores.dtype))[:, 0]

    def _with_keys(self, anchors: jax.Array) -> jax.Array:
        return jnp.concatenate([anchors, anchors @ self.anchor_kernel[...]], axis=-1)


def zeros(*shape: int) -> nnx.Param:
    """A weight of this shape."""
    return nnx.Param(jnp.zeros(shape))


def chosen(anchors: jax.Array, action: jax.Array, rows: Rows) -> jax.Array:
    """The anchor `[N, H]` of the node that each action `[N]` points at; 0 if at none.

    Args:
      anchors: `[N, P, H]`, the anchors of the nodes in question.
      action: `int32 [N]`.
      rows: the tables of this step.
    """
    num_actions = rows.picks.shape[-2]
    one_hot = jax.nn.one_hot(action, num_actions, dtype=anchors.dtype)
    picks = one_hot[:, None] @ jnp.asarray(rows.picks, anchors.dtype)
    return (picks @ anchors)[:, 0]
