"""The instance-aware policy: an image decides its own architecture, bit by bit.

All decisions are independent given the image; there is no recurrence and no temperature.

Source: Cheng et al. 2018, "InstaNAS: instance-aware neural architecture search"
(arXiv:1811.10201), section 3.2, and the authors' code.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxnas.data.batches import check_shape
from jaxnas.policies import bits
from jaxnas.policies.base import Params, Sample
from jaxnas.policies.controllers import large_kernels, small_resnet
from jaxnas.spaces import SearchSpace
from jaxnas.supernets.cost import operation_flops
from jaxnas.supernets.ops import Context, Operation
from jaxnas.supernets.ops.operation import Shape
from jaxnas.supernets.segments import is_path

CONTROLLERS: dict[str, Callable[[int], Operation]] = {
    "large_kernels": large_kernels,
    "small_resnet": small_resnet,
}

SHAPING = 0.8
"""The authors' `alpha`: sampled bits are flipped with a chance of at least 20%."""


@dataclasses.dataclass(frozen=True)
class InstancePolicy:
    """A distribution over the policies of each image; static, its functions pure.

    `B` images `[B, H, W, C]`, `T` decisions. Sampling is shaped so that every bit stays open (see
    `jaxnas.policies.bits.log_probs`); `greedy` is not.

    Attributes:
      space: a space whose decisions all have two actions, off and on.
      image_shape: `(H, W, C)`.
      controller: the network from images to logits.

    Raises:
      ValueError: a space with branches or with decisions of other than two actions.

    Example:
      >>> policy = instance(jaxnas.spaces.mobilenet(), (32, 32, 3))
      >>> params = policy.init(jax.random.key(0))
      >>> policy.sample(params, jnp.zeros((4, 32, 32, 3)), jax.random.key(1)).architectures.shape
      (4, 85)
    """

    space: SearchSpace
    image_shape: Shape
    controller: Operation

    def __post_init__(self):
        if not is_path(self.space) or any(len(d.actions) != 2 for d in self.space.decisions):
            raise ValueError(
                f"space {self.space.name!r} is not one of bits: an instance policy needs decisions "
                "of two actions each, all of them taken by every walk."
            )

    def init(self, key: jax.Array) -> Params:
        """Draws the controller's parameters."""
        return self.controller.init(key, self.image_shape)

    @property
    def flops(self) -> int:
        """The controller's floating-point operations for one image (a MAC counts as two)."""
        return operation_flops(self.controller, (self.image_shape,))

    def logits(self, params: Params, images: jax.Array) -> jax.Array:
        """The logits `[B, T]` of the bits being on; raises `ValueError` for other images."""
        check_shape(images, self.image_shape, "this policy")
        return self.controller.apply(params, images, context=Context())

    def probabilities(self, params: Params, images: jax.Array) -> jax.Array:
        """The probability `[B, T]` of each bit being on, without shaping."""
        return jax.nn.sigmoid(self.logits(params, images))

    def greedy(self, params: Params, images: jax.Array) -> jax.Array:
        """The most likely architectures `int32 [B, T]`: the bits with probability 1/2 or more."""
        return (self.logits(params, images) >= 0).astype(jnp.int32)

    def sample(
        self, params: Params, images: jax.Array, key: jax.Array, shaping: float = SHAPING
    ) -> Sample:
        """Draws one architecture for each image."""
        logits = self.logits(params, images)
        drawn = bits.sample(key, logits, shaping)
        log_prob = bits.log_prob(logits, drawn, shaping)
        return Sample(drawn, log_prob, bits.entropy(logits, shaping))

    def log_prob(
        self, params: Params, images: jax.Array, architectures: jax.Array, shaping: float = SHAPING
    ) -> jax.Array:
        """The log-probability `[B]` of each image's architecture `[B, T]`."""
        return bits.log_prob(self.logits(params, images), architectures, shaping)

    def entropy(self, params: Params, images: jax.Array, shaping: float = SHAPING) -> jax.Array:
        """The entropy `[B]` of the bits of each image, in nats."""
        return bits.entropy(self.logits(params, images), shaping)


def instance(
    space: SearchSpace, image_shape: Shape, controller: str = "small_resnet"
) -> InstancePolicy:
    """Makes an instance-aware policy with a published controller.

    Args:
      space: a space of bits, such as `jaxnas.spaces.mobilenet()`.
      image_shape: `(H, W, C)`.
      controller: `small_resnet` (the authors' code) or `large_kernels` (the paper's text).

    Raises:
      ValueError: an unknown controller, or a space that is not one of bits.
    """
    if controller not in CONTROLLERS:
        raise ValueError(f"controller {controller!r} is not one of {sorted(CONTROLLERS)}.")
    return _make(space, tuple(image_shape), controller)


@functools.lru_cache(maxsize=64)
def _make(space: SearchSpace, image_shape: Shape, controller: str) -> InstancePolicy:
    return InstancePolicy(space, image_shape, CONTROLLERS[controller](len(space.decisions)))
