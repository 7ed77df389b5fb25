"""The host executor: each distinct application of a plan is one compiled call of its operation.

An operation is compiled once per signature, whatever the children, and what a plan needs anew is
compiled before it starts. Calls are dispatched from Python in the plan's order and values are
dropped at their last use. Fastest on CPU, where one application already fills a core.

The functions here call programs by way of `run`, so that the same code finds out which programs a
plan needs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.supernets.executors import programs
from jaxnas.supernets.executors.ahead_of_time import Run, call_program, compile_ahead_of_time
from jaxnas.supernets.expressions import ADD, APPLY, IMAGES, Expression
from jaxnas.supernets.network import Key, Shared
from jaxnas.supernets.noise import Noise
from jaxnas.supernets.ops.operation import Params
from jaxnas.supernets.plan import Plan

_TERMS = 8


def forward(
    plan: Plan,
    params: Params,
    images: jax.Array,
    *,
    noise: Noise | None = None,
    moments: Mapping[Key, Any] | None = None,
) -> jax.Array:
    """The logits `[A, B, K]` of the children of a plan on images `[B, H, W, C]`."""
    sweep = functools.partial(_forward, plan, params, images, noise, moments)
    compile_ahead_of_time(plan, images, (_noise_kind(noise), moments is None), sweep)
    return sweep(call_program)


def measure_moments(plan: Plan, params: Params, images: jax.Array) -> dict[Key, Any]:
    """The moments of the batch normalisations of the plan of one child, by operation."""
    sweep = functools.partial(_measure, plan, params, images)
    compile_ahead_of_time(plan, images, "moments", sweep)
    return sweep(call_program)


def vjp(plan: Plan, params: Params, images: jax.Array, *, noise: Noise | None = None):
    """Like `forward`, and a function from a cotangent `[A, B, K]` to the gradient of `params`.

    The function frees what it has used, so it can be called once.
    """
    sweep = functools.partial(_forward_for_gradient, plan, params, images, noise)

    def both(run: Run) -> Params:
        logits, backward = sweep(run)
        return backward(logits)

    compile_ahead_of_time(plan, images, ("gradient", _noise_kind(noise)), both)
    return sweep(call_program)


def _forward(plan: Plan, params: Params, images, noise, moments, run: Run) -> jax.Array:
    def call(_, instruction: Expression, inputs):
        shared, group, row = _locate(plan, instruction)
        local = None if moments is None else moments.get(instruction.key, {})
        given = _noise_of(shared, group, row, noise)
        own = _take(params[group], row, run)
        return run(programs.apply, shared.operation, own, inputs, given, local)

    return _execute(plan, images, call, run)


def _measure(plan: Plan, params: Params, images: jax.Array, run: Run) -> dict[Key, Any]:
    moments: dict[Key, Any] = {}

    def call(_, instruction: Expression, inputs):
        shared, group, row = _locate(plan, instruction)
        own = _take(params[group], row, run)
        output, record = run(programs.apply_and_record, shared.operation, own, inputs)
        moments[instruction.key] = record
        return output

    _execute(plan, images, call, run)
    return moments


def _forward_for_gradient(plan: Plan, params: Params, images, noise, run: Run):
    pullbacks: dict[int, Any] = {}

    def call(position: int, instruction: Expression, inputs):
        shared, group, row = _locate(plan, instruction)
        given = _noise_of(shared, group, row, noise)
        wanted = tuple(plan.instructions[i].kind != IMAGES for i in instruction.inputs)
        own = _take(params[group], row, run)
        value, residuals = run(programs.apply_vjp, shared.operation, wanted, own, inputs, given)
        pullbacks[position] = residuals.pullback(own, inputs)
        return value

    logits = _execute(plan, images, call, run)
    return logits, functools.partial(_backward, plan, params, pullbacks, run=run)


def _execute(plan: Plan, images: jax.Array, call: Callable[..., jax.Array], run: Run) -> jax.Array:
    """Computes the values in order, applications by `call`, and drops each at its last use."""
    values: dict[int, jax.Array] = {}
    for position, instruction in enumerate(plan.instructions):
        inputs = [values[i] for i in instruction.inputs]
        if instruction.kind == APPLY:
            values[position] = call(position, instruction, inputs)
        elif instruction.kind == ADD:
            values[position] = _add(inputs, run)
        elif instruction.kind == IMAGES:
            values[position] = images
        else:
            values[position] = jnp.zeros((images.shape[0], *instruction.shape), images.dtype)
        for dead in plan.frees[position]:
            del values[dead]
    return run(programs.stack, [values[position] for position in plan.outputs.tolist()])


def _backward(
    plan: Plan, params: Params, pullbacks: dict[int, Any], cotangent: jax.Array, *, run: Run
) -> Params:
    """One sweep back over the instructions; cotangents of shared values are summed first."""
    gradients = list(run(programs.zeros_like, params))
    pending: dict[int, list[jax.Array]] = {}
    for child, position in enumerate(plan.outputs.tolist()):
        pending.setdefault(position, []).append(_take(cotangent, child, run))
    for position in reversed(range(len(plan.instructions))):
        instruction = plan.instructions[position]
        if position not in pending or instruction.kind not in (APPLY, ADD):
            continue
        total = _add(pending.pop(position), run)
        if instruction.kind == APPLY:
            _, group, row = _locate(plan, instruction)
            share, shares = run(programs.pull, pullbacks.pop(position), total)
            gradients[group] = _accumulate(gradients[group], row, share, run)
        else:
            shares = [total] * len(instruction.inputs)
        for value, share in zip(_differentiable(plan, instruction), shares, strict=True):
            pending.setdefault(value, []).append(share)
    return tuple(gradients)


def _locate(plan: Plan, instruction: Expression) -> tuple[Shared, int, int]:
    """The operation of an application, its signature's index and its row in the stack."""
    return plan.network.operations[instruction.key], *plan.network.rows[instruction.key]


def _differentiable(plan: Plan, instruction: Expression) -> tuple[int, ...]:
    """The inputs whose cotangents are needed: all of a sum, all but the images otherwise."""
    if instruction.kind == ADD:
        return instruction.inputs
    return tuple(i for i in instruction.inputs if plan.instructions[i].kind != IMAGES)


def _noise_of(shared: Shared, group: int, row: int, noise: Noise | None):
    """The noise that an operation really uses, so that the others compile without any."""
    if noise is None:
        return None
    drops = noise.drop_path is not None and shared.drop_path
    if not (shared.operation.stochastic or drops):
        return None
    rate = (noise.drop_path, shared.drop_path) if drops else None
    return noise.key, group, row, rate


def _noise_kind(noise: Noise | None) -> str:
    """What decides whether programs take noise."""
    if noise is None:
        return "no noise"
    return "noise" if noise.drop_path is None else "noise and drop-path"


def _take(stack: Params, row: int, run: Run) -> Params:
    return run(programs.take_row, stack, row) if jax.tree.leaves(stack) else stack


def _accumulate(gradient: Params, row: int, share: Params, run: Run) -> Params:
    return run(programs.add_row, gradient, row, share) if jax.tree.leaves(gradient) else gradient


def _add(terms: list[jax.Array], run: Run) -> jax.Array:
    """Adds in groups of few terms, so that there are few programs however many terms."""
    while len(terms) > 1:
        groups = [terms[i : i + _TERMS] for i in range(0, len(terms), _TERMS)]
        terms = [group[0] if len(group) == 1 else run(programs.add, group) for group in groups]
    return terms[0]
