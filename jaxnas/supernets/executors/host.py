"""The host executor: each distinct application of a plan is one compiled call of its operation.

An operation is compiled once per signature, whatever the children. The forward call returns the
residuals that its backward call needs, so nothing is computed twice. Calls are dispatched from
Python in the plan's order and values are dropped at their last use. Fastest on CPU, where one
application already fills a core.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.supernets.expressions import ADD, APPLY, IMAGES, Expression
from jaxnas.supernets.network import Key, Network, Shared
from jaxnas.supernets.noise import Noise, drop_path
from jaxnas.supernets.ops.context import Context
from jaxnas.supernets.ops.operation import Operation, Params
from jaxnas.supernets.plan import Plan


def forward(
    plan: Plan,
    params: Params,
    images: jax.Array,
    *,
    noise: Noise | None = None,
    moments: Mapping[Key, Any] | None = None,
) -> jax.Array:
    """The logits `[A, B, K]` of the children of a plan on images `[B, H, W, C]`."""
    values: dict[int, jax.Array] = {}
    for position, instruction in enumerate(plan.instructions):
        inputs = [values[i] for i in instruction.inputs]
        if instruction.kind == APPLY:
            call = _forward_call(plan.network, instruction, noise, moments)
            values[position] = call(params, inputs)
        else:
            values[position] = _structural(instruction, inputs, images)
        for dead in plan.frees[position]:
            del values[dead]
    return _gather(plan, values)


def measure_moments(plan: Plan, params: Params, images: jax.Array) -> dict[Key, Any]:
    """The moments of the batch normalisations of the plan of one child, by operation."""
    values: list[jax.Array] = []
    moments: dict[Key, Any] = {}
    for instruction in plan.instructions:
        inputs = [values[i] for i in instruction.inputs]
        if instruction.kind == APPLY:
            shared = plan.network.operations[instruction.key]
            group, row = plan.network.rows[instruction.key]
            output, moments[instruction.key] = _apply_and_record(
                shared.operation, params[group], row, inputs
            )
            values.append(output)
        else:
            values.append(_structural(instruction, inputs, images))
    return moments


def vjp(plan: Plan, params: Params, images: jax.Array, *, noise: Noise | None = None):
    """Like `forward`, and a function from a cotangent `[A, B, K]` to the gradient of `params`."""
    values: dict[int, jax.Array] = {}
    pullbacks: dict[int, Any] = {}
    for position, instruction in enumerate(plan.instructions):
        inputs = [values[i] for i in instruction.inputs]
        if instruction.kind == APPLY:
            call = _vjp_call(plan, instruction, noise)
            values[position], pullbacks[position] = call(params, inputs)
        else:
            values[position] = _structural(instruction, inputs, images)
        for dead in plan.frees[position]:
            del values[dead]
    logits = _gather(plan, values)
    return logits, functools.partial(_backward, plan, params, pullbacks)


def _backward(
    plan: Plan, params: Params, pullbacks: dict[int, Any], cotangent: jax.Array
) -> Params:
    """One sweep back over the instructions; cotangents of shared values are summed first."""
    gradients = list(_zeros_like(params))
    pending: dict[int, list[jax.Array]] = {}
    for child, position in enumerate(plan.outputs.tolist()):
        pending.setdefault(position, []).append(cotangent[child])
    for position in reversed(range(len(plan.instructions))):
        terms = pending.pop(position, None)
        instruction = plan.instructions[position]
        if terms is None or instruction.kind not in (APPLY, ADD):
            continue
        total = terms[0] if len(terms) == 1 else _add(terms)
        shares = [total] * len(instruction.inputs)
        if instruction.kind == APPLY:
            group, row = plan.network.rows[instruction.key]
            gradients[group], shares = _pull(gradients[group], row, pullbacks.pop(position), total)
        targets = (
            _differentiable(plan, instruction) if instruction.kind == APPLY else instruction.inputs
        )
        for value, share in zip(targets, shares, strict=True):
            pending.setdefault(value, []).append(share)
    return tuple(gradients)


def _forward_call(network: Network, instruction: Expression, noise, moments):
    shared = network.operations[instruction.key]
    group, row = network.rows[instruction.key]
    local = None if moments is None else moments.get(instruction.key, {})
    call = functools.partial(
        _apply, shared.operation, row=row, noise=_noise_of(shared, group, noise), moments=local
    )
    return lambda params, inputs: call(stack=params[group], inputs=inputs)


def _vjp_call(plan: Plan, instruction: Expression, noise):
    shared = plan.network.operations[instruction.key]
    group, row = plan.network.rows[instruction.key]
    wanted = tuple(plan.instructions[i].kind != IMAGES for i in instruction.inputs)
    local = _noise_of(shared, group, noise)
    return lambda params, inputs: _apply_vjp(
        shared.operation, wanted, params[group], row, inputs, local
    )


def _differentiable(plan: Plan, instruction: Expression) -> tuple[int, ...]:
    """The inputs whose cotangents are needed: all but the images."""
    return tuple(i for i in instruction.inputs if plan.instructions[i].kind != IMAGES)


def _noise_of(shared: Shared, group: int, noise: Noise | None):
    """The noise that an operation really uses, so that the others compile without any."""
    if noise is None or not (shared.operation.stochastic or shared.drop_path):
        return None
    rate = noise.drop_path * shared.drop_path if shared.drop_path else None
    return noise.key, group, rate


def _run(operation: Operation, params: Params, row, inputs, noise, moments) -> jax.Array:
    if noise is None:
        return operation.apply(params, *inputs, context=Context(moments=moments))
    key, group, rate = noise
    key = jax.random.fold_in(jax.random.fold_in(key, group), row)
    output = operation.apply(params, *inputs, context=Context(key=key, moments=moments))
    return output if rate is None else drop_path(key, output, rate)


def _row(stack: Params, row) -> Params:
    return jax.tree.map(lambda leaf: jax.lax.dynamic_index_in_dim(leaf, row, 0, False), stack)


@functools.partial(jax.jit, static_argnums=0)
def _apply(operation: Operation, *, stack, row, inputs, noise, moments):
    return _run(operation, _row(stack, row), row, inputs, noise, moments)


@functools.partial(jax.jit, static_argnums=0)
def _apply_and_record(operation: Operation, stack, row, inputs):
    context = Context(record={})
    return operation.apply(_row(stack, row), *inputs, context=context), context.record


@functools.partial(jax.jit, static_argnums=(0, 1))
def _apply_vjp(operation: Operation, wanted: tuple[bool, ...], stack, row, inputs, noise):
    def run(params, wanted_inputs):
        chosen = iter(wanted_inputs)
        given = [next(chosen) if w else x for x, w in zip(inputs, wanted, strict=True)]
        return _run(operation, params, row, given, noise, None)

    variable = [x for x, w in zip(inputs, wanted, strict=True) if w]
    return jax.vjp(run, _row(stack, row), variable)


@functools.partial(jax.jit, donate_argnums=0)
def _pull(gradient, row, pullback, cotangent):
    d_params, d_inputs = pullback(cotangent)
    return jax.tree.map(lambda g, d: g.at[row].add(d), gradient, d_params), d_inputs


def _structural(instruction: Expression, inputs, images: jax.Array) -> jax.Array:
    if instruction.kind == IMAGES:
        return images
    if instruction.kind == ADD:
        return _add(inputs)
    return jnp.zeros((images.shape[0], *instruction.shape), images.dtype)


@jax.jit
def _add(terms: list[jax.Array]) -> jax.Array:
    return functools.reduce(jnp.add, terms)


@jax.jit
def _zeros_like(params: Params) -> Params:
    return jax.tree.map(jnp.zeros_like, params)


def _gather(plan: Plan, values: dict[int, jax.Array]) -> jax.Array:
    return jnp.stack([values[position] for position in plan.outputs.tolist()])
