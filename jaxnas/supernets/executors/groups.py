"""One shared operation on several inputs at once, each normalised by its own batch.

Parts that treat every image for itself run on all images as one batch, so that a convolution and
the gradient of its weights stay one convolution. Everything else (normalisation, dropout, a user's
own function) is mapped over the group: there the statistics and the noise are those of each child
alone.
"""

from __future__ import annotations

import jax

from jaxnas.supernets.noise import drop_path
from jaxnas.supernets.ops import (
    AvgPool,
    Convolution,
    Depthwise,
    FactorizedReduction,
    GlobalAvgPool,
    Halve,
    Linear,
    MaxPool,
    Relu,
    Residual,
    Sequential,
)
from jaxnas.supernets.ops.context import Context
from jaxnas.supernets.ops.operation import Operation, Params

_OF_IMAGES = (
    *(AvgPool, Convolution, Depthwise, FactorizedReduction),
    *(GlobalAvgPool, Halve, Linear, MaxPool, Relu),
)


def apply_group(
    operation: Operation,
    params: Params,
    inputs,
    key: jax.Array | None,
    rate: jax.Array | float | None,
) -> jax.Array:
    """Applies an operation to inputs `[G, B, ...]`, `G` children with one set of parameters."""
    output = _apply(operation, params, inputs, Context(key=key))
    if key is None or rate is None:
        return output
    return jax.vmap(lambda x: drop_path(key, x, rate))(output)


def _apply(operation: Operation, params: Params, inputs, context: Context) -> jax.Array:
    if isinstance(operation, Sequential):
        for i, part in enumerate(operation.parts):
            here = context.part(str(i), i)
            inputs = (_apply(part, params.get(str(i), {}), inputs, here),)
        return inputs[0]
    if isinstance(operation, Residual):
        return inputs[0] + _apply(operation.body, params, inputs, context)
    if type(operation) in _OF_IMAGES:
        merged = [x.reshape(-1, *x.shape[2:]) for x in inputs]
        output = operation.apply(params, *merged, context=context)
        return output.reshape(*inputs[0].shape[:2], *output.shape[1:])
    return jax.vmap(lambda *x: operation.apply(params, *x, context=context))(*inputs)
