"""One step of a tree cell, level by level, forward and backward, its choices being data.

Source: Zoph & Le 2017, arXiv:1611.01578, section 3.4. All nodes of a level are one array
`[B, n, H]`: minibatch, nodes, hidden units. XLA would compute a level anew for every use that the
next one makes of it, so each level stands behind a fence: a branch that is always taken, which the
compiler cannot know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxnas.children.recurrent.nodes import activate, activation_gradient, combine, combine_gradient
from jaxnas.spaces.recurrent import num_nodes


class Codes(NamedTuple):
    """The choices of one cell.

    Attributes:
      combination: `int32 [2 base - 1]`, of each node.
      activation: `int32 [2 base - 1]`, of each node.
      inject_combination: `int32 []`, of the value of a node and `c_{t-1}`.
      inject_activation: `int32 []`.
      inject_node: `int32 []`, that node.
      cell_node: `int32 []`, the node whose value before its activation is `c_t`.
    """

    combination: jax.Array
    activation: jax.Array
    inject_combination: jax.Array
    inject_activation: jax.Array
    inject_node: jax.Array
    cell_node: jax.Array


def read_codes(architecture: jax.Array) -> Codes:
    """The codes of an architecture `int32 [4 base + 2]` of `spaces.recurrent`; it may be traced."""
    architecture = jnp.asarray(architecture)
    pairs = architecture[:-2].reshape(-1, 2)
    return Codes(pairs[:-1, 0], pairs[:-1, 1], *pairs[-1], *architecture[-2:])


class Saved(NamedTuple):
    """What a step keeps for its gradient.

    Attributes:
      values: the values of each level but the root, `[B, n, H]`, from the leaves up.
      root: `h_t`, the value of the root `[B, H]`.
      before: the value of the inject node before `c_{t-1}` was merged in, `[B, H]`.
    """

    values: tuple[jax.Array, ...]
    root: jax.Array
    before: jax.Array


class Level(NamedTuple):
    """The codes of the nodes of one level, and which of them are special."""

    combination: jax.Array
    activation: jax.Array
    injects: jax.Array
    inject_index: jax.Array
    is_cell: jax.Array


def read_levels(codes: Codes, base: int) -> list[Level]:
    """The levels of a tree from the leaves up."""
    levels, first, count = [], 0, base
    while first < num_nodes(base):
        inject, cell = codes.inject_node - first, codes.cell_node - first
        levels.append(
            Level(
                codes.combination[first : first + count, None],
                codes.activation[first : first + count, None],
                (inject >= 0) & (inject < count),
                jnp.clip(inject, 0, count - 1),
                jnp.arange(count)[:, None] == cell,
            )
        )
        first, count = first + count, count // 2
    return levels


def forward_step(
    codes: Codes, inputs: jax.Array, hidden: jax.Array, cell: jax.Array, extended: bool
) -> tuple[jax.Array, Saved]:
    """One step of a cell.

    Args:
      codes: of the cell.
      inputs: the leaves' maps of `x_t`, `[B, base, H]`.
      hidden: the leaves' maps of `h_{t-1}`, `[B, base, H]`.
      cell: `c_{t-1}`, `[B, H]`.
      extended: whether the codes may be of the extended space.

    Returns:
      `c_t` `[B, H]`, and what the gradient needs; `h_t` is its `root`.
    """
    values: list[jax.Array] = []
    left, right = inputs, hidden
    before = new_cell = jnp.zeros_like(cell)

    def level_forward(level, left, right, new_cell):
        value = combine(level.combination, left, right, extended)
        chosen = jnp.where(level.is_cell, value, 0).sum(1)
        return activate(level.activation, value, extended), new_cell + chosen

    def inject(level, value, before):
        before = jax.lax.dynamic_index_in_dim(value, level.inject_index, 1, keepdims=False)
        merged = combine(codes.inject_combination, before, cell, extended)
        merged = activate(codes.inject_activation, merged, extended)
        place = jax.lax.dynamic_update_index_in_dim
        return place(value, merged, level.inject_index, 1), before

    for level in read_levels(codes, inputs.shape[1]):
        value, new_cell = _fenced(codes, level_forward, level, left, right, new_cell)
        value, before = jax.lax.cond(
            level.injects, inject, lambda _, *kept: kept, level, value, before
        )
        values.append(value)
        if value.shape[1] > 1:
            left, right = value[:, 0::2], value[:, 1::2]
    return new_cell, Saved(tuple(values[:-1]), values[-1][:, 0], before)


def backward_step(
    codes: Codes,
    inputs: jax.Array,
    hidden: jax.Array,
    cell: jax.Array,
    saved: Saved,
    root_gradient: jax.Array,
    cell_gradient: jax.Array,
    extended: bool,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The gradient of one step.

    Args:
      codes: as in `forward_step`; so are `inputs`, `hidden`, `cell` and `extended`.
      inputs: as there.
      hidden: as there.
      cell: as there.
      saved: what the step kept.
      root_gradient: with respect to `h_t`, `[B, H]`.
      cell_gradient: with respect to `c_t`, `[B, H]`.
      extended: as there.

    Returns:
      The gradients with respect to `inputs`, `hidden` and `cell`.
    """

    def inject(level, value, gradient, old_cell_gradient):
        index = level.inject_index
        pick = jax.lax.dynamic_index_in_dim
        merged = combine(codes.inject_combination, saved.before, cell, extended)
        outer = activation_gradient(
            codes.inject_activation,
            pick(gradient, index, 1, keepdims=False),
            pick(value, index, 1, keepdims=False),
            merged,
            extended,
        )
        code, place = codes.inject_combination, jax.lax.dynamic_update_index_in_dim
        inner = combine_gradient(code, outer, saved.before, cell, extended)
        old_cell_gradient += combine_gradient(code, outer, cell, saved.before, extended)
        return (
            place(value, saved.before, index, 1),
            place(gradient, inner, index, 1),
            old_cell_gradient,
        )

    def through_node(level, value, gradient, left, right):
        before = combine(level.combination, left, right, extended) if extended else value
        gradient = activation_gradient(level.activation, gradient, value, before, extended)
        return gradient + jnp.where(level.is_cell, cell_gradient[:, None], 0)

    def pairs_backward(level, value, gradient, below):
        pairs = below.reshape(len(below), -1, 2, below.shape[-1])
        gradient = through_node(level, value, gradient, pairs[:, :, 0], pairs[:, :, 1])
        code = level.combination[:, None]
        spread = combine_gradient(code, gradient[:, :, None], pairs, pairs[:, :, ::-1], extended)
        return spread.reshape(below.shape)

    def leaves_backward(level, value, gradient, inputs, hidden):
        gradient = through_node(level, value, gradient, inputs, hidden)
        code = level.combination
        return (
            combine_gradient(code, gradient, inputs, hidden, extended),
            combine_gradient(code, gradient, hidden, inputs, extended),
        )

    levels = read_levels(codes, inputs.shape[1])
    values = (*saved.values, saved.root[:, None])
    gradient, old_cell_gradient = root_gradient[:, None], jnp.zeros_like(cell)
    for i in reversed(range(len(levels))):
        value, gradient, old_cell_gradient = jax.lax.cond(
            levels[i].injects,
            inject,
            lambda _, *kept: kept,
            levels[i],
            values[i],
            gradient,
            old_cell_gradient,
        )
        if i:
            gradient = _fenced(codes, pairs_backward, levels[i], value, gradient, values[i - 1])
    dx, dz = _fenced(codes, leaves_backward, levels[0], value, gradient, inputs, hidden)
    return dx, dz, old_cell_gradient


def _fenced(codes: Codes, function: Callable[..., Any], *operands: Any) -> Any:
    """`function(*operands)` as a branch that is always taken."""

    def never(*operands):
        shapes = jax.eval_shape(function, *operands)
        return jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)

    return jax.lax.cond(codes.cell_node >= 0, function, never, *operands)
