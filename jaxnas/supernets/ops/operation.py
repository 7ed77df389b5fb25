"""An operation: a pair of pure functions `init` and `apply`, hashable by value."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.supernets.ops.context import Context

Params = Any
Shape = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Operation:
    """What every operation offers; subclasses are frozen dataclasses of their settings.

    Two operations with equal settings are equal, so that they share one compiled program.

    Attributes:
      preserves_zero: a zero input gives a zero output, whatever the parameters.
      stochastic: `apply` uses `context.key` where one is given.
    """

    preserves_zero = False
    stochastic = False

    def init(self, key: jax.Array, *shapes: Shape) -> Params:
        """The parameters for inputs of shape `[H, W, C]` (no batch axis)."""
        return {}

    def apply(self, params: Params, *inputs: jax.Array, context: Context) -> jax.Array:
        """Maps inputs `[B, H, W, C]` to an output with the same batch axis."""
        raise NotImplementedError

    def output_shape(self, *shapes: Shape) -> Shape:
        """The shape of the output without its batch axis, for inputs of `shapes`."""
        return _output_shape(self, shapes)

    def __call__(self, params: Params, *inputs: jax.Array) -> jax.Array:
        """`apply` without noise, on the batch's own statistics."""
        return self.apply(params, *inputs, context=Context())


def check_even(shape: Shape) -> None:
    """Raises `ValueError` unless an image of `(..., H, W, C)` can be halved."""
    height, width = shape[-3:-1]
    if height % 2 or width % 2:
        raise ValueError(f"an image of {height} x {width} cannot be halved: both must be even.")


@functools.lru_cache(maxsize=4096)
def _output_shape(operation: Operation, shapes: tuple[Shape, ...]) -> Shape:
    def run(key):
        inputs = [jnp.zeros((1, *shape)) for shape in shapes]
        return operation(operation.init(key, *shapes), *inputs)

    return jax.eval_shape(run, jax.random.key(0)).shape[1:]


@dataclasses.dataclass(frozen=True)
class Identity(Operation):
    """Its input. A plan never computes it."""

    preserves_zero = True

    def apply(self, params: Params, *inputs: jax.Array, context: Context) -> jax.Array:
        """Returns the input."""
        return inputs[0]


@dataclasses.dataclass(frozen=True)
class Zero(Operation):
    """Nothing: zeros in the shape of its input ("none" in NAS-Bench-201). Never computed."""

    preserves_zero = True

    def apply(self, params: Params, *inputs: jax.Array, context: Context) -> jax.Array:
        """Returns zeros."""
        return jnp.zeros_like(inputs[0])


@dataclasses.dataclass(frozen=True)
class Function(Operation):
    """An operation made of a user's own functions.

    Attributes:
      name: the label in drawings and tables.
      init_function: `(key, shape) -> params`, with `shape = (H, W, C)`.
      apply_function: `(params, x) -> y` on `[B, H, W, C]`; the same function object for equal
        operations.

    Example:
      >>> scale = Function("scale", lambda key, shape: jnp.ones(()), lambda p, x: p * x)
      >>> scale.output_shape((8, 8, 3))
      (8, 8, 3)
    """

    name: str
    init_function: Callable[..., Params]
    apply_function: Callable[..., jax.Array]

    def init(self, key: jax.Array, *shapes: Shape) -> Params:
        """Calls the user's `init_function`."""
        return self.init_function(key, *shapes)

    def apply(self, params: Params, *inputs: jax.Array, context: Context) -> jax.Array:
        """Calls the user's `apply_function`."""
        return self.apply_function(params, *inputs)


@dataclasses.dataclass(frozen=True)
class FromNNX(Operation):
    """An operation made of a Flax NNX module without running state.

    Attributes:
      make: `(shape, rngs) -> module`, with `shape = (H, W, C)`; the module maps `[B, H, W, C]`.

    Raises:
      ValueError: the module keeps state besides its parameters (running averages, dropout keys);
        shared weights have no place for it.
    """

    make: Callable[..., Any]

    def init(self, key: jax.Array, *shapes: Shape) -> Params:
        """The module's parameters as a pure dictionary."""
        from flax import nnx

        module = self.make(shapes[0], nnx.Rngs(key))
        _, params, *rest = nnx.split(module, nnx.Param, ...)
        if jax.tree.leaves(rest):
            raise ValueError(
                "from_nnx: the module keeps state besides its parameters; use batch statistics "
                "and no dropout inside operations."
            )
        return nnx.to_pure_dict(params)

    def apply(self, params: Params, *inputs: jax.Array, context: Context) -> jax.Array:
        """Merges the parameters into the module and calls it."""
        from flax import nnx

        shape = inputs[0].shape[1:]
        abstract = nnx.eval_shape(lambda: self.make(shape, nnx.Rngs(0)))
        graph, state = nnx.split(abstract)
        nnx.replace_by_pure_dict(state, params)
        return nnx.merge(graph, state)(*inputs)


from_nnx = FromNNX
