"""One node of a tree cell: how it combines two values, and what follows; with their derivatives.

Source: Zoph & Le 2017, arXiv:1611.01578, section 3.4. A node's choices are data: each function
takes the codes of many nodes, which broadcast against their values, and chooses by selects, so
that one program serves every cell. The hyperbolic tangent is computed once for `tanh` and
`sigmoid`, since `sigmoid(x) = 1/2 + tanh(x/2) / 2`.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxnas.spaces.recurrent import EXTENDED_ACTIVATIONS, EXTENDED_COMBINATIONS

ADD, MULTIPLY, MAX = range(len(EXTENDED_COMBINATIONS))
IDENTITY, TANH, SIGMOID, RELU, SIN = range(len(EXTENDED_ACTIVATIONS))


def combine(code: jax.Array, left: jax.Array, right: jax.Array, extended: bool) -> jax.Array:
    """The sum, the elementwise product or (if `extended`) the maximum of two values."""
    value = jnp.where(code == MULTIPLY, left * right, left + right)
    if not extended:
        return value
    return jnp.where(code == MAX, jnp.maximum(left, right), value)


def combine_gradient(
    code: jax.Array, gradient: jax.Array, mine: jax.Array, other: jax.Array, extended: bool
) -> jax.Array:
    """The gradient with respect to `mine`, one of the two values that were combined.

    Of two equal values each gets half of a maximum's gradient, as with `jnp.maximum`.
    """
    factor = jnp.where(code == MULTIPLY, other, jnp.ones((), other.dtype))
    if extended:
        share = jnp.where(mine == other, 0.5, (mine > other).astype(mine.dtype))
        factor = jnp.where(code == MAX, share, factor)
    return gradient * factor


def activate(code: jax.Array, value: jax.Array, extended: bool) -> jax.Array:
    """Identity, tanh, sigmoid, ReLU or (if `extended`) the sine of a value."""
    sigmoid = code == SIGMOID
    tanh = jnp.tanh(jnp.where(sigmoid, 0.5, 1.0).astype(value.dtype) * value)
    squashed = jnp.where(sigmoid, 0.5 + 0.5 * tanh, tanh)
    linear = jnp.where(code == RELU, jnp.maximum(value, 0), value)
    result = jnp.where((code == TANH) | sigmoid, squashed, linear)
    return jnp.where(code == SIN, jnp.sin(value), result) if extended else result


def activation_gradient(
    code: jax.Array, gradient: jax.Array, result: jax.Array, value: jax.Array, extended: bool
) -> jax.Array:
    """The gradient with respect to a value, from the `result` of its activation.

    Args:
      code: of the activation.
      gradient: with respect to the result.
      result: the value after the activation.
      value: before it; read for the sine alone.
      extended: whether the sine is among the choices.
    """
    squashed = jnp.where(code == SIGMOID, result * (1 - result), 1 - result * result)
    one = jnp.ones((), result.dtype)
    linear = jnp.where((code == RELU) & (result <= 0), 0 * one, one)
    factor = jnp.where((code == TANH) | (code == SIGMOID), squashed, linear)
    if extended:
        factor = jnp.where(code == SIN, jnp.cos(value), factor)
    return gradient * factor
