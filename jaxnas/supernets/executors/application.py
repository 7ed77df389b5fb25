"""One application of a shared operation: its noise, and its place in the stacks of parameters."""

from __future__ import annotations

from typing import Any

import jax

from jaxnas.supernets.network import Network
from jaxnas.supernets.noise import Noise, drop_path
from jaxnas.supernets.ops.context import Context
from jaxnas.supernets.ops.operation import Operation, Params


def take_row(stack: Params, row: Any) -> Params:
    """The parameters of one row of a stack; `row` may be traced."""
    return jax.tree.map(lambda leaf: jax.lax.dynamic_index_in_dim(leaf, row, 0, False), stack)


def application_key(noise: Noise, group: int, row: Any) -> jax.Array:
    """The key of the noise of one shared operation in this step; see `Noise.of`."""
    return jax.random.fold_in(jax.random.fold_in(noise.key, group), row)


def drops_paths(network: Network, group: int) -> bool:
    """Whether drop-path applies to some operation of a signature."""
    return any(network.operations[key].drop_path for key in network.members[group])


def apply_with_noise(
    operation: Operation,
    params: Params,
    inputs: Any,
    key: jax.Array | None,
    rate: jax.Array | float | None,
) -> jax.Array:
    """The output of an operation under the key of its noise and its own drop-path rate."""
    output = operation.apply(params, *inputs, context=Context(key=key))
    return output if key is None or rate is None else drop_path(key, output, rate)
