"""Operations on the channels of images: split, concatenate, shuffle.

Source: Zhang et al. 2018, ShuffleNet (arXiv:1707.01083), section 3.1, for the shuffle; Ma et al.
2018, ShuffleNet V2 (arXiv:1807.11164), section 3.2, for the split.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from jaxnas.supernets.ops.context import Context
from jaxnas.supernets.ops.operation import Operation, Params


@dataclasses.dataclass(frozen=True)
class Split(Operation):
    """One of `parts` equal groups of neighbouring channels.

    Attributes:
      part: which group, counted from 0.
      parts: how many groups.

    Raises:
      ValueError: when it is made, `part` is not one of the groups; when it is applied, the
        channels cannot be split into `parts`.

    Example:
      >>> Split(0).output_shape((8, 8, 6))
      (8, 8, 3)
    """

    part: int
    parts: int = 2
    preserves_zero = True

    def __post_init__(self):
        if not 0 <= self.part < self.parts:
            raise ValueError(f"part is {self.part}: give one of 0 to {self.parts - 1}.")

    def apply(self, params: Params, *inputs: jax.Array, context: Context) -> jax.Array:
        """`[B, H, W, C]` to `[B, H, W, C / parts]`."""
        size = check_groups(inputs[0].shape[-1], self.parts)
        return inputs[0][..., self.part * size : (self.part + 1) * size]


@dataclasses.dataclass(frozen=True)
class Concatenate(Operation):
    """The channels of all inputs, in their order.

    Example:
      >>> Concatenate().output_shape((8, 8, 3), (8, 8, 5))
      (8, 8, 8)
    """

    preserves_zero = True

    def apply(self, params: Params, *inputs: jax.Array, context: Context) -> jax.Array:
        """`[B, H, W, C_1]`, `[B, H, W, C_2]`, ... to `[B, H, W, C_1 + C_2 + ...]`."""
        return jnp.concatenate(inputs, -1)


@dataclasses.dataclass(frozen=True)
class ChannelShuffle(Operation):
    """Deals the channels of `groups` neighbouring groups out in turn.

    With 2 groups, channels `a0 a1 b0 b1` become `a0 b0 a1 b1`, so that each half of the result
    holds one half of each group.

    Raises:
      ValueError: when it is applied, the channels cannot be split into `groups`.
    """

    groups: int = 2
    preserves_zero = True

    def apply(self, params: Params, *inputs: jax.Array, context: Context) -> jax.Array:
        """`[B, H, W, C]` to the same shape."""
        x = inputs[0]
        size = check_groups(x.shape[-1], self.groups)
        dealt = jnp.swapaxes(x.reshape(*x.shape[:-1], self.groups, size), -1, -2)
        return dealt.reshape(x.shape)


def check_groups(channels: int, groups: int) -> int:
    """The channels of each of `groups` equal groups; raises `ValueError` if they do not fit."""
    if channels % groups:
        raise ValueError(
            f"{channels} channels cannot be split into {groups} equal groups: give a multiple of "
            f"{groups}."
        )
    return channels // groups
