"""Operations composed of operations."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from jaxnas.supernets.ops.context import Context
from jaxnas.supernets.ops.operation import Operation, Params, Shape, check_even
from jaxnas.supernets.ops.primitives import BatchNorm, Convolution, Relu


@dataclasses.dataclass(frozen=True)
class Sequential(Operation):
    """One operation after the other.

    Example:
      >>> Sequential((Convolution(16), Convolution(8, kernel=1))).output_shape((8, 8, 3))
      (8, 8, 8)
    """

    parts: tuple[Operation, ...]

    @property
    def preserves_zero(self) -> bool:  # type: ignore[override]
        """Whether every part does."""
        return all(part.preserves_zero for part in self.parts)

    @property
    def stochastic(self) -> bool:  # type: ignore[override]
        """Whether some part is."""
        return any(part.stochastic for part in self.parts)

    def init(self, key: jax.Array, *shapes: Shape) -> Params:
        """The parameters of the parts that have any, by position."""
        params, keys = {}, jax.random.split(key, len(self.parts))
        for i, part in enumerate(self.parts):
            params[str(i)] = part.init(keys[i], *shapes)
            shapes = (part.output_shape(*shapes),)
        return {name: value for name, value in params.items() if jax.tree.leaves(value)}

    def apply(self, params: Params, *inputs: jax.Array, context: Context) -> jax.Array:
        """Applies the parts in order."""
        for i, part in enumerate(self.parts):
            here, own = context.part(str(i), i), params.get(str(i), {})
            if isinstance(part, BatchNorm) and self._is_relu(i + 1):
                inputs = (part.apply_relu(own, inputs[0], here),)
            elif not (i and self._is_relu(i) and isinstance(self.parts[i - 1], BatchNorm)):
                inputs = (part.apply(own, *inputs, context=here),)
        return inputs[0]

    def _is_relu(self, index: int) -> bool:
        return index < len(self.parts) and isinstance(self.parts[index], Relu)


@dataclasses.dataclass(frozen=True)
class Residual(Operation):
    """The input plus an operation on it (He et al. 2016); the shapes must agree."""

    body: Operation

    @property
    def stochastic(self) -> bool:  # type: ignore[override]
        """Whether the body is."""
        return self.body.stochastic

    @property
    def preserves_zero(self) -> bool:  # type: ignore[override]
        """Whether the body does."""
        return self.body.preserves_zero

    def init(self, key: jax.Array, *shapes: Shape) -> Params:
        """The parameters of the body."""
        return self.body.init(key, *shapes)

    def apply(self, params: Params, *inputs: jax.Array, context: Context) -> jax.Array:
        """`x + body(x)`."""
        return inputs[0] + self.body.apply(params, *inputs, context=context)


@dataclasses.dataclass(frozen=True)
class FactorizedReduction(Operation):
    """Halves an image without losing pixels: two strided 1 x 1 convolutions, one pixel apart.

    Source: Pham et al. 2018's code (`_factorized_reduction`).
    """

    channels: int
    preserves_zero = True

    def init(self, key: jax.Array, *shapes: Shape) -> Params:
        """The weights of the two paths, `[1, 1, C, D / 2]` each."""
        half = self.channels // 2
        keys = jax.random.split(key)
        sizes = (half, self.channels - half)
        paths = [
            Convolution(n, kernel=1).init(k, *shapes) for n, k in zip(sizes, keys, strict=True)
        ]
        return {"even": paths[0], "odd": paths[1]}

    def apply(self, params: Params, *inputs: jax.Array, context: Context) -> jax.Array:
        """`[B, H, W, C]` to `[B, H / 2, W / 2, D]`; `H` and `W` are even."""
        x = inputs[0]
        check_even(x.shape)
        even = x[:, ::2, ::2] @ params["even"]["weights"][0, 0]
        odd = x[:, 1::2, 1::2] @ params["odd"]["weights"][0, 0]
        return jnp.concatenate([even, odd], -1)
