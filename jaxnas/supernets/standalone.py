"""A child alone: its description run on real arrays, one operation after the other.

This is the slow reference that every executor must equal, the body of exported modules, and, under
`jit`, the program of one fixed child on an accelerator.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.spaces import Choices
from jaxnas.supernets.network import Key, Network
from jaxnas.supernets.noise import Noise, drop_path
from jaxnas.supernets.ops.context import Context
from jaxnas.supernets.ops.operation import Operation, Params, Shape


class Standalone:
    """Builds a child by computing it; a `Build` whose values are arrays `[B, ...]`."""

    def __init__(
        self,
        network: Network,
        lookup: Callable[[Key], Params],
        images: jax.Array,
        noise: Noise | None = None,
        moments: Mapping[Key, Any] | None = None,
        record: dict[Key, Any] | None = None,
    ):
        self.network, self.lookup, self.images = network, lookup, images
        self.noise, self.moments, self.record = noise, moments, record

    def apply(self, key: Key, *inputs: jax.Array) -> jax.Array:
        """Applies a shared operation to arrays."""
        shared = self.network.operations[self.network.check(key)]
        noise_key = None
        if self.noise is not None:
            noise_key = self.noise.of(self.network, self.network.canonical[key])
        moments = None if self.moments is None else self.moments.get(key, {})
        output, record = _apply(shared.operation, self.lookup(key), inputs, noise_key, moments)
        if self.record is not None and jax.tree.leaves(record):
            self._keep(self.record, key, record)
        rate = None if self.noise is None else self.noise.drop_path
        if noise_key is None or rate is None or not shared.drop_path:
            return output
        return drop_path(noise_key, output, rate * shared.drop_path)

    def _keep(self, kept: dict[Key, Any], key: Key, record: Any) -> None:
        if key in kept:
            raise ValueError(
                f"the child of {self.network.name!r} applies {key!r} more than once, so its "
                "normalisation has no moments of its own."
            )
        kept[key] = record

    def add(self, *inputs: jax.Array) -> jax.Array:
        """The sum of arrays."""
        return sum(inputs[1:], start=inputs[0])

    def zeros(self, shape: Shape) -> jax.Array:
        """Zeros with the batch axis of the images."""
        return jnp.zeros((self.images.shape[0], *shape), self.images.dtype)


@functools.partial(jax.jit, static_argnums=0)
def _apply(operation: Operation, params: Params, inputs, key, moments):
    """One application, compiled per operation: some operations choose their form by platform."""
    context = Context(key=key, moments=moments, record={})
    return operation.apply(params, *inputs, context=context), context.record


def forward(
    network: Network,
    params: Params,
    choices: Choices,
    images: jax.Array,
    *,
    noise: Noise | None = None,
    moments: Mapping[Key, Any] | None = None,
) -> jax.Array:
    """The logits `[B, K]` of one child on images `[B, H, W, C]`; pure and differentiable."""
    build = Standalone(network, lambda key: network.parameters(params, key), images, noise, moments)
    return network.describe(build, choices)


def measure_moments(
    network: Network, params: Params, choices: Choices, images: jax.Array
) -> dict[Key, Any]:
    """The moments of every batch normalisation of one child on images `[B, H, W, C]`."""
    record: dict[Key, Any] = {}
    build = Standalone(network, lambda key: network.parameters(params, key), images, record=record)
    network.describe(build, choices)
    return record


def forward_all(network: Network, params: Params, architectures: Any, images: jax.Array, **options):
    """The logits `[A, B, K]` of children `[A, T]`, one after the other."""
    children = [network.space.choices(a) for a in network.space.validate(architectures)]
    return jnp.stack([forward(network, params, c, images, **options) for c in children])
