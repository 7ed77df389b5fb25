"""The host executor: each distinct application of a plan is one compiled call of its operation.

An operation is compiled once per signature, whatever the children, and what a plan needs anew is
compiled before it starts. Calls are dispatched from Python in the plan's order and values are
dropped at their last use. Fastest on CPU, where one application already fills a core: there each
core has a thread that takes the next application whose inputs are there.

The functions here call programs by way of `run`, so that the same code finds out which programs a
plan needs.
"""

from __future__ import annotations

import functools
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.supernets.executors import programs, side_by_side
from jaxnas.supernets.executors.ahead_of_time import Run, compile_ahead_of_time
from jaxnas.supernets.executors.host_backward import backward
from jaxnas.supernets.executors.host_calls import add_up, choose_calls, locate, rows_of, take
from jaxnas.supernets.expressions import ADD, APPLY, IMAGES, Expression
from jaxnas.supernets.network import Key, Shared
from jaxnas.supernets.noise import Noise
from jaxnas.supernets.ops.operation import Params
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
    sweep = functools.partial(_forward, plan, params, images, noise, moments)
    calls = choose_calls(plan, images, (params, noise, moments))
    compile_ahead_of_time(plan, images, (_noise_kind(noise), moments is None), sweep, calls.alone)
    return sweep(calls)


def measure_moments(plan: Plan, params: Params, images: jax.Array) -> dict[Key, Any]:
    """The moments of the batch normalisations of the plan of one child, by operation."""
    sweep = functools.partial(_measure, plan, params, images)
    calls = choose_calls(plan, images, params)
    compile_ahead_of_time(plan, images, "moments", sweep, calls.alone)
    return sweep(calls)


def vjp(plan: Plan, params: Params, images: jax.Array, *, noise: Noise | None = None):
    """Like `forward`, and a function from a cotangent `[A, B, K]` to the gradient of `params`.

    The function frees what it has used, so it can be called once.
    """
    sweep = functools.partial(_forward_for_gradient, plan, params, images, noise)

    def both(run: Run) -> Params:
        logits, backward = sweep(run)
        return backward(logits)

    calls = choose_calls(plan, images, (params, noise))
    compile_ahead_of_time(plan, images, ("gradient", _noise_kind(noise)), both, calls.alone)
    return sweep(calls)


def _forward(plan: Plan, params: Params, images, noise, moments, run: Run) -> jax.Array:
    row_of = rows_of(params, run)

    def call(_, instruction: Expression, inputs):
        shared, group, row = locate(plan, instruction)
        local = None if moments is None else moments.get(instruction.key, {})
        given = _noise_of(shared, group, row, noise)
        return run(programs.apply, shared.operation, row_of(group, row), inputs, given, local)

    return _execute(plan, images, call, run)


def _measure(plan: Plan, params: Params, images: jax.Array, run: Run) -> dict[Key, Any]:
    moments: dict[Key, Any] = {}

    def call(_, instruction: Expression, inputs):
        shared, group, row = locate(plan, instruction)
        own = take(params[group], row, run)
        output, record = run(programs.apply_and_record, shared.operation, own, inputs)
        moments[instruction.key] = record
        return output

    _execute(plan, images, call, run)
    return moments


def _forward_for_gradient(plan: Plan, params: Params, images, noise, run: Run):
    pullbacks: dict[int, Any] = {}
    row_of = rows_of(params, run)

    def call(position: int, instruction: Expression, inputs):
        shared, group, row = locate(plan, instruction)
        given = _noise_of(shared, group, row, noise)
        wanted = tuple(plan.instructions[i].kind != IMAGES for i in instruction.inputs)
        own = row_of(group, row)
        value, residuals = run(programs.apply_vjp, shared.operation, wanted, own, inputs, given)
        pullbacks[position] = residuals.pullback(own, inputs)
        return value

    logits = _execute(plan, images, call, run)
    return logits, functools.partial(backward, plan, params, pullbacks, run=run)


def _execute(plan: Plan, images: jax.Array, call: Callable[..., jax.Array], run: Run) -> jax.Array:
    """Computes the values, applications by `call`, and drops each at its last use."""
    values: dict[int, jax.Array] = {}
    unread = Counter(i for e in plan.instructions for i in set(e.inputs))
    unread.update(plan.outputs.tolist())
    lock = threading.Lock()

    def compute(position: int) -> jax.Array:
        instruction = plan.instructions[position]
        inputs = [values[i] for i in instruction.inputs]
        if instruction.kind == APPLY:
            value = call(position, instruction, inputs)
        elif instruction.kind == ADD:
            value = add_up(inputs, run)
        elif instruction.kind == IMAGES:
            value = images
        else:
            value = jnp.zeros((images.shape[0], *instruction.shape), images.dtype)
        values[position] = value
        with lock:
            for i in set(instruction.inputs):
                unread[i] -= 1
                if not unread[i]:
                    del values[i]
        return value

    reads = [instruction.inputs for instruction in plan.instructions]
    side_by_side.run(reads, compute, run.threads)
    return run(programs.stack, [values[position] for position in plan.outputs.tolist()])


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
