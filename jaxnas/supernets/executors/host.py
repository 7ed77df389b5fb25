"""The host executor: each distinct application of a plan is one compiled call of its operation.

An operation is compiled once per signature, whatever the children. The forward call returns the
residuals that its backward call needs, so nothing is computed twice. Calls are dispatched from
Python in the plan's order and values are dropped at their last use. Fastest on CPU, where one
application already fills a core.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.supernets.expressions import ADD, APPLY, IMAGES, Expression
from jaxnas.supernets.network import Key, Shared
from jaxnas.supernets.noise import Noise, drop_path
from jaxnas.supernets.ops.context import Context
from jaxnas.supernets.ops.operation import Operation, Params
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

    def call(_, instruction: Expression, inputs):
        shared, group, row = _locate(plan, instruction)
        local = None if moments is None else moments.get(instruction.key, {})
        given = _noise_of(shared, group, row, noise)
        return _apply(shared.operation, _take(params[group], row), inputs, given, local)

    return _execute(plan, images, call)


def measure_moments(plan: Plan, params: Params, images: jax.Array) -> dict[Key, Any]:
    """The moments of the batch normalisations of the plan of one child, by operation."""
    moments: dict[Key, Any] = {}

    def call(_, instruction: Expression, inputs):
        shared, group, row = _locate(plan, instruction)
        output, moments[instruction.key] = _apply_and_record(
            shared.operation, _take(params[group], row), inputs
        )
        return output

    _execute(plan, images, call)
    return moments


def vjp(plan: Plan, params: Params, images: jax.Array, *, noise: Noise | None = None):
    """Like `forward`, and a function from a cotangent `[A, B, K]` to the gradient of `params`.

    The function frees what it has used, so it can be called once.
    """
    pullbacks: dict[int, Any] = {}

    def call(position: int, instruction: Expression, inputs):
        shared, group, row = _locate(plan, instruction)
        given = _noise_of(shared, group, row, noise)
        wanted = tuple(plan.instructions[i].kind != IMAGES for i in instruction.inputs)
        own = _take(params[group], row)
        value, residuals = _apply_vjp(shared.operation, wanted, own, inputs, given)
        pullbacks[position] = residuals.pullback(own, inputs)
        return value

    logits = _execute(plan, images, call)
    return logits, functools.partial(_backward, plan, params, pullbacks)


def _execute(plan: Plan, images: jax.Array, call: Callable[..., jax.Array]) -> jax.Array:
    """Computes the values in order, applications by `call`, and drops each at its last use."""
    values: dict[int, jax.Array] = {}
    for position, instruction in enumerate(plan.instructions):
        inputs = [values[i] for i in instruction.inputs]
        if instruction.kind == APPLY:
            values[position] = call(position, instruction, inputs)
        elif instruction.kind == ADD:
            values[position] = _add(inputs)
        elif instruction.kind == IMAGES:
            values[position] = images
        else:
            values[position] = jnp.zeros((images.shape[0], *instruction.shape), images.dtype)
        for dead in plan.frees[position]:
            del values[dead]
    return _stack([values[position] for position in plan.outputs.tolist()])


def _backward(
    plan: Plan, params: Params, pullbacks: dict[int, Any], cotangent: jax.Array
) -> Params:
    """One sweep back over the instructions; cotangents of shared values are summed first."""
    gradients = list(_zeros_like(params))
    pending: dict[int, list[jax.Array]] = {}
    for position, share in zip(plan.outputs.tolist(), _unstack(cotangent), strict=True):
        pending.setdefault(position, []).append(share)
    for position in reversed(range(len(plan.instructions))):
        instruction = plan.instructions[position]
        if position not in pending or instruction.kind not in (APPLY, ADD):
            continue
        total = _add(pending.pop(position))
        if instruction.kind == APPLY:
            _, group, row = _locate(plan, instruction)
            share, shares = _pull(pullbacks.pop(position), total)
            gradients[group] = _accumulate(gradients[group], row, share)
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


def _run(operation: Operation, params: Params, inputs, noise, moments) -> jax.Array:
    if noise is None:
        return operation.apply(params, *inputs, context=Context(moments=moments))
    key, group, row, rate = noise
    key = jax.random.fold_in(jax.random.fold_in(key, group), row)
    output = operation.apply(params, *inputs, context=Context(key=key, moments=moments))
    return output if rate is None else drop_path(key, output, rate[0] * rate[1])


def _take(stack: Params, row: int) -> Params:
    """One row of a stack: a program of its own, so that those of operations serve any stack."""
    return _take_row(stack, row) if jax.tree.leaves(stack) else stack


@jax.jit
def _take_row(stack: Params, row) -> Params:
    return jax.tree.map(lambda leaf: jax.lax.dynamic_index_in_dim(leaf, row, 0, False), stack)


@functools.partial(jax.jit, static_argnums=0)
def _apply(operation: Operation, params, inputs, noise, moments):
    return _run(operation, params, inputs, noise, moments)


@functools.partial(jax.jit, static_argnums=0)
def _apply_and_record(operation: Operation, params, inputs):
    context = Context(record={})
    return operation.apply(params, *inputs, context=context), context.record


@functools.partial(jax.jit, static_argnums=(0, 1))
def _apply_vjp(operation: Operation, wanted: tuple[bool, ...], params, inputs, noise):
    def run(params, wanted_inputs):
        chosen = iter(wanted_inputs)
        given = [next(chosen) if w else x for x, w in zip(inputs, wanted, strict=True)]
        return _run(operation, params, given, noise, None)

    variable = [x for x, w in zip(inputs, wanted, strict=True) if w]
    value, pullback = jax.vjp(run, params, variable)
    leaves, structure = jax.tree.flatten(pullback)
    given = {id(leaf): i for i, leaf in enumerate(jax.tree.leaves((params, inputs)))}
    sources = tuple(given.get(id(leaf)) for leaf in leaves)
    kept = [leaf for leaf, source in zip(leaves, sources, strict=True) if source is None]
    return value, _Residuals(kept, structure, sources)


@functools.partial(
    jax.tree_util.register_dataclass, data_fields=["kept"], meta_fields=["structure", "sources"]
)
@dataclasses.dataclass(frozen=True)
class _Residuals:
    """What a backward call needs of its forward call.

    Attributes:
      kept: the arrays that the forward call computed for it.
      structure: that of the pullback.
      sources: for each leaf of the pullback, which of the forward call's own arguments it is, so
        that the call does not copy it into its results; `None` for those of `kept`.
    """

    kept: list[jax.Array]
    structure: Any
    sources: tuple[int | None, ...]

    def pullback(self, params: Params, inputs: list[jax.Array]) -> Any:
        """The pullback, its leaves taken from `kept` and the forward call's arguments."""
        given, kept = jax.tree.leaves((params, inputs)), iter(self.kept)
        leaves = [next(kept) if source is None else given[source] for source in self.sources]
        return jax.tree.unflatten(self.structure, leaves)


@jax.jit
def _pull(pullback, cotangent):
    return pullback(cotangent)


def _accumulate(gradient: Params, row: int, share: Params) -> Params:
    return _add_row(gradient, row, share) if jax.tree.leaves(gradient) else gradient


@functools.partial(jax.jit, donate_argnums=0)
def _add_row(gradient: Params, row, share: Params) -> Params:
    return jax.tree.map(lambda g, d: g.at[row].add(d), gradient, share)


def _add(terms: list[jax.Array]) -> jax.Array:
    """Adds in groups of few terms, so that there are few programs however many terms."""
    while len(terms) > 1:
        groups = [terms[i : i + _TERMS] for i in range(0, len(terms), _TERMS)]
        terms = [group[0] if len(group) == 1 else _sum(group) for group in groups]
    return terms[0]


@jax.jit
def _sum(terms: list[jax.Array]) -> jax.Array:
    return functools.reduce(jnp.add, terms)


@jax.jit
def _zeros_like(params: Params) -> Params:
    return jax.tree.map(jnp.zeros_like, params)


@jax.jit
def _stack(values: list[jax.Array]) -> jax.Array:
    return jnp.stack(values)


@jax.jit
def _unstack(stack: jax.Array) -> list[jax.Array]:
    return list(stack)
