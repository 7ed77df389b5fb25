"""The primitive operations that published operations are composed of."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from jaxnas.supernets.ops.context import Context
from jaxnas.supernets.ops.convolution import convolution
from jaxnas.supernets.ops.depthwise import depthwise
from jaxnas.supernets.ops.normalization import batch_norm, batch_norm_init
from jaxnas.supernets.ops.operation import Operation, Params, Shape, check_even
from jaxnas.supernets.ops.pooling import avg_pool, max_pool

_HE_NORMAL = jax.nn.initializers.variance_scaling(2.0, "fan_in", "normal")


@dataclasses.dataclass(frozen=True)
class Relu(Operation):
    """The positive part."""

    preserves_zero = True

    def apply(self, params: Params, *inputs: jax.Array, context: Context) -> jax.Array:
        """`[B, H, W, C]` to the same shape."""
        return _relu(inputs[0])


@jax.custom_vjp
def _relu(x):
    return jnp.maximum(x, 0)


# `jax.nn.relu` would keep an array of zeros for its gradient beside the mask.
_relu.defvjp(lambda x: (_relu(x), x), lambda x, gradient: (jnp.where(x > 0, gradient, 0),))


@dataclasses.dataclass(frozen=True)
class Relu6(Operation):
    """The positive part, at most 6 (MobileNetV2)."""

    preserves_zero = True

    def apply(self, params: Params, *inputs: jax.Array, context: Context) -> jax.Array:
        """`[B, H, W, C]` to the same shape."""
        return jax.nn.relu6(inputs[0])


@dataclasses.dataclass(frozen=True)
class Convolution(Operation):
    """A convolution without bias, zero-padded to keep the image's size (over the stride)."""

    channels: int
    kernel: int = 3
    stride: int = 1
    preserves_zero = True

    def init(self, key: jax.Array, *shapes: Shape) -> Params:
        """Weights `[k, k, C, D]` from He et al. 2015's normal distribution."""
        shape = (self.kernel, self.kernel, shapes[0][-1], self.channels)
        return {"weights": _HE_NORMAL(key, shape)}

    def apply(self, params: Params, *inputs: jax.Array, context: Context) -> jax.Array:
        """`[B, H, W, C]` to `[B, H / stride, W / stride, D]`."""
        return convolution(inputs[0], params["weights"], self.stride)


@dataclasses.dataclass(frozen=True)
class Depthwise(Operation):
    """A convolution of each channel by its own kernel, without bias."""

    kernel: int = 3
    stride: int = 1
    preserves_zero = True

    def init(self, key: jax.Array, *shapes: Shape) -> Params:
        """Weights `[k, k, C]` from He et al. 2015's normal distribution with fan-in `k * k`."""
        shape = (self.kernel, self.kernel, 1, shapes[0][-1])
        return {"weights": _HE_NORMAL(key, shape)[:, :, 0]}

    def apply(self, params: Params, *inputs: jax.Array, context: Context) -> jax.Array:
        """`[B, H, W, C]` to `[B, H / stride, W / stride, C]`."""
        return depthwise(inputs[0], params["weights"], self.stride)


@dataclasses.dataclass(frozen=True)
class BatchNorm(Operation):
    """Batch normalisation; see `jaxnas.supernets.ops.normalization`."""

    affine: bool = True

    @property
    def preserves_zero(self) -> bool:  # type: ignore[override]
        """Only without a bias."""
        return not self.affine

    def init(self, key: jax.Array, *shapes: Shape) -> Params:
        """Scale one and bias zero `[C]`."""
        return batch_norm_init(shapes[0][-1], self.affine)

    def apply(self, params: Params, *inputs: jax.Array, context: Context) -> jax.Array:
        """`[B, H, W, C]` to the same shape."""
        return batch_norm(params, inputs[0], context, "moments")

    def apply_relu(self, params: Params, x: jax.Array, context: Context) -> jax.Array:
        """The positive part of `apply`, as one function that keeps less for its gradient."""
        return batch_norm(params, x, context, "moments", relu=True)


@dataclasses.dataclass(frozen=True)
class AvgPool(Operation):
    """The mean of 3 x 3 windows with stride 1; padding does not count."""

    preserves_zero = True

    def apply(self, params: Params, *inputs: jax.Array, context: Context) -> jax.Array:
        """`[B, H, W, C]` to the same shape."""
        return avg_pool(inputs[0])


@dataclasses.dataclass(frozen=True)
class MaxPool(Operation):
    """The maximum of 3 x 3 windows with stride 1."""

    preserves_zero = True

    def apply(self, params: Params, *inputs: jax.Array, context: Context) -> jax.Array:
        """`[B, H, W, C]` to the same shape."""
        return max_pool(inputs[0])


@dataclasses.dataclass(frozen=True)
class Halve(Operation):
    """The mean of disjoint 2 x 2 windows: an image of half the size."""

    preserves_zero = True

    def apply(self, params: Params, *inputs: jax.Array, context: Context) -> jax.Array:
        """`[B, H, W, C]` to `[B, H / 2, W / 2, C]`; `H` and `W` are even."""
        check_even(inputs[0].shape)
        batch, height, width, channels = inputs[0].shape
        windows = inputs[0].reshape(batch, height // 2, 2, width // 2, 2, channels)
        return windows.mean((2, 4))


@dataclasses.dataclass(frozen=True)
class GlobalAvgPool(Operation):
    """The mean over the image."""

    preserves_zero = True

    def apply(self, params: Params, *inputs: jax.Array, context: Context) -> jax.Array:
        """`[B, H, W, C]` to `[B, C]`."""
        return inputs[0].mean((1, 2))


@dataclasses.dataclass(frozen=True)
class Dropout(Operation):
    """Drops features with probability `rate` where the context has a key (Srivastava 2014)."""

    rate: float
    preserves_zero = True
    stochastic = True

    def apply(self, params: Params, *inputs: jax.Array, context: Context) -> jax.Array:
        """`[B, C]` to the same shape."""
        if context.key is None or not self.rate:
            return inputs[0]
        keep = jax.random.bernoulli(context.key, 1 - self.rate, inputs[0].shape)
        return jnp.where(keep, inputs[0] / (1 - self.rate), 0)


@dataclasses.dataclass(frozen=True)
class Linear(Operation):
    """An affine map of features `[B, C]` to logits `[B, K]`."""

    features: int

    def init(self, key: jax.Array, *shapes: Shape) -> Params:
        """Weights `[C, K]` from LeCun's normal distribution, and a bias of zeros."""
        shape = (shapes[0][-1], self.features)
        weights = jax.nn.initializers.lecun_normal()(key, shape)
        return {"weights": weights, "bias": jnp.zeros((self.features,))}

    def apply(self, params: Params, *inputs: jax.Array, context: Context) -> jax.Array:
        """`[B, C]` to `[B, K]`."""
        return inputs[0] @ params["weights"] + params["bias"]
