"""The networks of an instance-aware policy: an image in, one logit for each decision out.

They normalise each image by itself, so that what is chosen for an image does not depend on the
images beside it (the authors' code normalises by the batch and, at inference, by running averages).

Sources: Cheng et al. 2018, "InstaNAS" (arXiv:1811.10201), section 3.2 (three convolutions with
large kernels; their sizes are not given), and the authors' code (a small ResNet, after BlockDrop).
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from jaxnas.supernets.ops import Context, Convolution, Operation, Relu, Sequential, classifier
from jaxnas.supernets.ops.operation import Params, Shape

_EPSILON = 1e-5


@dataclasses.dataclass(frozen=True)
class LayerNorm(Operation):
    """Normalises each image over its pixels and channels (Ba et al. 2016, arXiv:1607.06450)."""

    def init(self, key: jax.Array, *shapes: Shape) -> Params:
        """Scale one and bias zero `[C]`."""
        channels = shapes[0][-1]
        return {"scale": jnp.ones((channels,)), "bias": jnp.zeros((channels,))}

    def apply(self, params: Params, *inputs: jax.Array, context: Context) -> jax.Array:
        """`[B, H, W, C]` to the same shape."""
        x = inputs[0]
        centred = x - x.mean((1, 2, 3), keepdims=True)
        variance = (centred**2).mean((1, 2, 3), keepdims=True)
        return centred * jax.lax.rsqrt(variance + _EPSILON) * params["scale"] + params["bias"]


@dataclasses.dataclass(frozen=True)
class BasicBlock(Operation):
    """Two 3 x 3 convolutions beside a shortcut, which pools and adds channels of zeros.

    Source: He et al. 2016 (arXiv:1512.03385), with option A of its shortcuts.
    """

    channels: int
    stride: int = 1

    @property
    def body(self) -> Operation:
        """The two convolutions."""
        first = (Convolution(self.channels, 3, self.stride), LayerNorm(), Relu())
        return Sequential((*first, Convolution(self.channels, 3), LayerNorm()))

    def init(self, key: jax.Array, *shapes: Shape) -> Params:
        """The parameters of the convolutions."""
        return self.body.init(key, *shapes)

    def apply(self, params: Params, *inputs: jax.Array, context: Context) -> jax.Array:
        """`[B, H, W, C]` to `[B, ceil(H / stride), ceil(W / stride), channels]`."""
        x = inputs[0]
        y = self.body.apply(params, x, context=context)
        # A mean of one pixel where an odd image has no more: the shortcut has the body's size.
        window = (1, self.stride, self.stride, 1)
        sums = jax.lax.reduce_window(x, 0.0, jax.lax.add, window, window, "SAME")
        ones = jnp.ones((1, *x.shape[1:3], 1), x.dtype)
        counts = jax.lax.reduce_window(ones, 0.0, jax.lax.add, window, window, "SAME")
        missing = (0, self.channels - x.shape[-1])
        return jax.nn.relu(y + jnp.pad(sums / counts, ((0, 0), (0, 0), (0, 0), missing)))


def large_kernels(
    decisions: int, channels: tuple[int, ...] = (16, 32, 64), kernel: int = 7
) -> Operation:
    """Three strided convolutions with large kernels: the paper's description.

    Args:
      decisions: `T`, the number of logits.
      channels: the channels of each convolution; 7 x 7 and stride 2 are our reading.
      kernel: the size of their kernels.
    """
    layers = [(Convolution(c, kernel, 2), LayerNorm(), Relu()) for c in channels]
    return classifier(decisions, before=tuple(part for layer in layers for part in layer))


def small_resnet(decisions: int, channels: tuple[int, ...] = (16, 32, 64)) -> Operation:
    """A ResNet of one block in each of three stages: the authors' code.

    Args:
      decisions: `T`, the number of logits.
      channels: the channels of each stage; all but the first halve the image.
    """
    stem = (Convolution(channels[0], 3), LayerNorm(), Relu())
    blocks = (BasicBlock(c, 1 if i == 0 else 2) for i, c in enumerate(channels))
    return classifier(decisions, before=(*stem, *blocks))


def make_controller(
    name: str, decisions: int, channels: tuple[int, ...], kernel: int | None = None
) -> Operation:
    """A controller of given sizes.

    Args:
      name: `large_kernels` or `small_resnet`.
      decisions: `T`, the number of logits.
      channels: of its layers or stages.
      kernel: of `large_kernels`; its default otherwise.

    Raises:
      ValueError: another name.
    """
    if name == "small_resnet":
        return small_resnet(decisions, channels)
    if name == "large_kernels":
        return large_kernels(decisions, channels, *([] if kernel is None else [kernel]))
    raise ValueError(f"controller {name!r} is neither 'large_kernels' nor 'small_resnet'.")


def affine_logits(params: Params, scale: jax.Array, shift: jax.Array) -> Params:
    """The parameters with which a controller says `scale * logits + shift`.

    Args:
      params: of `small_resnet` or `large_kernels`, whose last layer is linear.
      scale: `[T]`.
      shift: `[T]`.
    """
    last = max(params, key=int)
    weights, bias = params[last]["weights"] * scale, params[last]["bias"] * scale + shift
    return {**params, last: {"weights": weights, "bias": bias}}
