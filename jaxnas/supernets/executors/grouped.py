"""The grouped executor: applications of one shared operation in one call, for GPU and TPU.

There one application alone is bound by its launch. Values of one shape lie in one array `[S, B,
...]`; a call gathers its inputs, computes, and puts its outputs in places that are free. Sizes of
groups and arrays are bucketed, so that few programs serve every plan.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.supernets.executors.application import application_key, take_row
from jaxnas.supernets.executors.groups import apply_group
from jaxnas.supernets.executors.layout import bucket
from jaxnas.supernets.executors.schedule import Call, Schedule, make_schedule
from jaxnas.supernets.expressions import ADD, APPLY, IMAGES
from jaxnas.supernets.noise import Noise
from jaxnas.supernets.ops.operation import Operation, Params, Shape
from jaxnas.supernets.plan import Plan

Arrays = dict[Shape, jax.Array]
_LEAST = 8


def forward(
    plan: Plan, params: Params, images: jax.Array, *, noise: Noise | None = None
) -> jax.Array:
    """The logits `[A, B, K]` of the children of a plan on images `[B, H, W, C]`."""
    schedule = make_schedule(plan)
    arrays = _arrays(schedule, params, images)
    for call in schedule.calls:
        shapes = _shapes(plan, call)
        own = {shape: arrays[shape] for shape in {*shapes, call.instruction.shape}}
        if call.instruction.kind == APPLY:
            arguments = _application(plan, params, call, noise)
            own = _apply(arguments[0], shapes, *arguments[1:], own, call.inputs, call.output)
        else:
            own = _other(call.instruction.kind, call.instruction.shape, images, own, *_places(call))
        arrays |= own
    return _take(arrays[plan.network.num_classes,], schedule.logits)


def vjp(plan: Plan, params: Params, images: jax.Array, *, noise: Noise | None = None):
    """Like `forward`, and a function from a cotangent `[A, B, K]` to the gradient of `params`.

    The function frees what it has used, so it can be called once.
    """
    schedule = make_schedule(plan)
    arrays = _arrays(schedule, params, images)
    pullbacks: list[Any] = []
    for call in schedule.calls:
        shapes = _shapes(plan, call)
        own = {shape: arrays[shape] for shape in {*shapes, call.instruction.shape}}
        pullback = None
        if call.instruction.kind == APPLY:
            arguments = _application(plan, params, call, noise)
            own, pullback = _apply_vjp(
                arguments[0], shapes, *arguments[1:], own, call.inputs, call.output
            )
        else:
            own = _other(call.instruction.kind, call.instruction.shape, images, own, *_places(call))
        arrays |= own
        pullbacks.append(pullback)
    logits = _take(arrays[plan.network.num_classes,], schedule.logits)
    return logits, functools.partial(_backward, plan, schedule, params, images, pullbacks)


def _backward(plan: Plan, schedule: Schedule, params, images, pullbacks, cotangent) -> Params:
    """One sweep back over the calls. Places that hold no cotangent are zero."""
    gradients = list(jax.tree.map(jnp.zeros_like, params))
    arrays = _arrays(schedule, params, images)
    classes = (plan.network.num_classes,)
    arrays[classes] = _add_at(arrays[classes], schedule.logits, cotangent)
    for call in reversed(schedule.calls):
        shapes, output = _shapes(plan, call), call.instruction.shape
        own = {shape: arrays[shape] for shape in {*shapes, output}}
        pullback = pullbacks.pop()
        if pullback is not None:
            group, row = plan.network.rows[call.instruction.key]
            own, gradients[group] = _pull(
                shapes, output, pullback, own, gradients[group], row, *_places(call)
            )
        else:
            own = _pull_other(shapes, output, own, *_places(call))
        arrays |= own
    return tuple(gradients)


def _arrays(schedule: Schedule, params: Params, images: jax.Array) -> Arrays:
    dtype = jnp.result_type(images, *jax.tree.leaves(params))
    batch = images.shape[0]
    sizes = {shape: bucket(count, _LEAST) for shape, count in schedule.places.items()}
    return {shape: jnp.zeros((size, batch, *shape), dtype) for shape, size in sizes.items()}


def _shapes(plan: Plan, call: Call) -> tuple[Shape, ...]:
    return tuple(plan.instructions[i].shape for i in call.instruction.inputs)


def _places(call: Call):
    return call.inputs, call.output


def _application(plan: Plan, params: Params, call: Call, noise: Noise | None):
    """The operation, its stack of parameters, its row, and the noise that it really uses."""
    shared = plan.network.operations[call.instruction.key]
    group, row = plan.network.rows[call.instruction.key]
    drops = noise is not None and noise.drop_path is not None and bool(shared.drop_path)
    if noise is None or not (shared.operation.stochastic or drops):
        return shared.operation, params[group], row, None, None
    key = application_key(noise, group, row)
    return shared.operation, params[group], row, key, _rate(noise, shared.drop_path, drops)


def _rate(noise: Noise, share: float, drops: bool):
    return noise.drop_path * share if drops and noise.drop_path is not None else None


@functools.partial(jax.jit, static_argnums=(0, 1), donate_argnums=6)
def _apply(operation: Operation, shapes, stack, row, key, rate, arrays: Arrays, inputs, output):
    values = [arrays[shape][places] for shape, places in zip(shapes, inputs, strict=True)]
    result = apply_group(operation, take_row(stack, row), values, key, rate)
    return _put(arrays, output, result)


@functools.partial(jax.jit, static_argnums=(0, 1), donate_argnums=6)
def _apply_vjp(operation: Operation, shapes, stack, row, key, rate, arrays: Arrays, inputs, output):
    values = [arrays[shape][places] for shape, places in zip(shapes, inputs, strict=True)]
    run = lambda params, values: apply_group(operation, params, values, key, rate)  # noqa: E731
    result, pullback = jax.vjp(run, take_row(stack, row), values)
    return _put(arrays, output, result), pullback


@functools.partial(jax.jit, static_argnums=(0, 1), donate_argnums=3)
def _other(kind: str, shape: Shape, images, arrays: Arrays, inputs, output):
    if kind == ADD:
        result = sum(arrays[shape][places] for places in inputs[1:]) + arrays[shape][inputs[0]]
    elif kind == IMAGES:
        result = images[None]
    else:
        result = jnp.zeros((1, images.shape[0], *shape))
    return _put(arrays, output, result, shape)


def _put(arrays: Arrays, output, result: jax.Array, shape: Shape | None = None) -> Arrays:
    shape = result.shape[2:] if shape is None else shape
    array = arrays[shape]
    return {**arrays, shape: array.at[output].set(result.astype(array.dtype))}


@functools.partial(jax.jit, static_argnums=(0, 1), donate_argnums=(3, 4))
def _pull(shapes, output_shape, pullback, arrays: Arrays, gradient, row, inputs, output):
    cotangent, arrays = _take_away(arrays, output_shape, output)
    share, shares = pullback(cotangent)
    for shape, places, d in zip(shapes, inputs, shares, strict=True):
        arrays[shape] = arrays[shape].at[places].add(d)
    return arrays, jax.tree.map(lambda g, d: g.at[row].add(d), gradient, share)


@functools.partial(jax.jit, static_argnums=(0, 1), donate_argnums=2)
def _pull_other(shapes, output_shape, arrays: Arrays, inputs, output):
    cotangent, arrays = _take_away(arrays, output_shape, output)
    for shape, places in zip(shapes, inputs, strict=True):
        arrays[shape] = arrays[shape].at[places].add(cotangent)
    return arrays


def _take_away(arrays: Arrays, shape: Shape, places) -> tuple[jax.Array, Arrays]:
    """The cotangents of values, whose places become zero for the next."""
    array = arrays[shape]
    return array[places], {**arrays, shape: array.at[places].set(0)}


@jax.jit
def _take(array: jax.Array, places) -> jax.Array:
    return array[places]


@functools.partial(jax.jit, donate_argnums=0)
def _add_at(array: jax.Array, places, cotangent) -> jax.Array:
    return array.at[places].add(cotangent)
