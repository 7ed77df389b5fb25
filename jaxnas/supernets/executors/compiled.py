"""The compiled executor: one program runs the instructions of any plan of like size.

A plan is data (`Instructions`), so the program stands inside a user's `jit`, `scan`, `grad` and
`shard_map`, and no other sample of children compiles it again. Values lie in one block of memory
`[B, size]`.

Each kind of instruction is a loop that runs while the next instruction is of its kind. XLA copies
what goes through a conditional, even where a branch leaves it alone, but updates in place what a
loop carries; so a loop that runs zero times or more is the branch that copies nothing.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental.xla_metadata import set_xla_metadata

from jaxnas.supernets.executors.application import (
    application_key,
    apply_with_noise,
    drops_paths,
    take_row,
)
from jaxnas.supernets.executors.instructions import Branch, Instructions, branches, encode
from jaxnas.supernets.expressions import ADD, APPLY, IMAGES
from jaxnas.supernets.noise import Noise
from jaxnas.supernets.ops.operation import Operation, Params, Shape
from jaxnas.supernets.plan import Plan


def forward(
    plan: Plan | Instructions, params: Params, images: jax.Array, *, noise: Noise | None = None
) -> jax.Array:
    """The logits `[A, B, K]` of the children of a plan on images `[B, H, W, C]`.

    Differentiable in `params` and `images` by `jax.grad`.
    """
    return _forward(_encoded(plan), params, images, noise)


def vjp(
    plan: Plan | Instructions, params: Params, images: jax.Array, *, noise: Noise | None = None
):
    """Like `forward`, and a function from a cotangent `[A, B, K]` to the gradient of `params`."""
    given = (_encoded(plan), params, images, noise)
    logits, block = _run_keeping(*given)
    return logits, lambda cotangent: _pull_back(*given, block, cotangent)[0]


def _encoded(plan: Plan | Instructions) -> Instructions:
    return encode(plan) if isinstance(plan, Plan) else plan


@jax.custom_vjp
def _differentiable(instructions: Instructions, params: Params, images, noise):
    block = _run(instructions, params, images, noise, keep=False)
    return _read_logits(instructions, block, instructions.live.logits)


def _forward_keeping(instructions: Instructions, params: Params, images, noise):
    logits, block = _run_keeping(instructions, params, images, noise)
    return logits, (instructions, params, images, noise, block)


def _backward(residuals, cotangent):
    return (None, *_pull_back(*residuals, cotangent), None)


_differentiable.defvjp(_forward_keeping, _backward)
_forward = jax.jit(_differentiable)


@jax.jit
def _run_keeping(instructions: Instructions, params: Params, images, noise):
    block = _run(instructions, params, images, noise, keep=True)
    return _read_logits(instructions, block, instructions.kept.logits), block


def _run(instructions: Instructions, params: Params, images, noise, *, keep: bool) -> jax.Array:
    """The block of values after the last instruction."""
    given = instructions
    places, size = (given.kept, given.kept_size) if keep else (given.live, given.live_size)

    def step(index: int, branch: Branch, position, block):
        values = _read_all(block, places.inputs[position], branch.inputs)
        value = _compute(given, branch, position, params, values, images, noise)
        return _write(block, places.output[position], value)

    block = jnp.zeros((images.shape[0], size), _dtype(params, images))

    def sweep(carry):
        for index, branch in enumerate(branches(given.network)):
            carry = _while_next_is(given, index, functools.partial(step, index, branch), carry, 1)
        return carry

    start = (jnp.int32(0), block)
    return lax.while_loop(lambda carry: carry[0] < given.count, sweep, start)[1]


def _while_next_is(given: Instructions, index: int, step: Callable, carry, stride: int):
    """Runs instructions of one kind until the next one is of another."""

    def is_next(carry):
        position = carry[0]
        inside = (position >= 0) & (position < given.count)
        return inside & (given.branch[jnp.maximum(position, 0)] == index)

    return lax.while_loop(is_next, lambda c: (c[0] + stride, step(*c)), carry)


def _compute(given: Instructions, branch: Branch, position, params, values, images, noise):
    if branch.kind == IMAGES:
        return images
    if branch.kind == ADD:
        return values[0] + values[1]
    if branch.kind == APPLY:
        row = _row(given, branch, position, params)
        return _outlined(_apply(given, branch, position, noise), row, values)
    return jnp.zeros((images.shape[0], *branch.output))


def _outlined(function: Callable, *args):
    """Calls a function that XLA must not merge into the loop around it."""
    with set_xla_metadata(inlineable="false"):
        return jax.jit(function)(*args)


def _row(given: Instructions, branch: Branch, position, params: Params) -> Params:
    return take_row(params[branch.group], given.row[position])


def _apply(given: Instructions, branch: Branch, position, noise: Noise | None):
    """A function of parameters and inputs, with the noise of this instruction."""
    operation: Operation = given.network.signatures[branch.group][0]
    key = rate = None
    if noise is not None:
        key = application_key(noise, branch.group, given.row[position])
        if noise.drop_path is not None and drops_paths(given.network, branch.group):
            rate = noise.drop_path * given.share[position]
    return lambda params, values: apply_with_noise(operation, params, values, key, rate)


@jax.jit
def _pull_back(instructions: Instructions, params: Params, images, noise, kept, cotangent):
    """The gradients of the parameters and the images, by one sweep back over the instructions.

    Each operation is computed again from its inputs, where its gradient is pulled back: residuals
    of all operations would take far more memory than the inputs, and copies.
    """
    given = instructions
    block = jnp.zeros((images.shape[0], given.live_size), kept.dtype)
    block = _add_logits(given, block, cotangent)
    d_params, d_images = list(jax.tree.map(jnp.zeros_like, params)), jnp.zeros_like(images)

    def sweep(carry):
        position, block, d_params, d_images = carry
        for index, branch in reversed(list(enumerate(branches(given.network)))):
            pull = functools.partial(_pull, given, branch, params, kept, noise)
            own = d_params[branch.group] if branch.kind == APPLY else d_images
            step = lambda position, state, pull=pull: pull(position, *state)  # noqa: E731
            position, (block, own) = _while_next_is(
                given, index, step, (position, (block, own)), -1
            )
            if branch.kind == APPLY:
                d_params = [*d_params[: branch.group], own, *d_params[branch.group + 1 :]]
            else:
                d_images = own
        return position, block, d_params, d_images

    start = (given.count - 1, block, d_params, d_images)
    _, _, d_params, d_images = lax.while_loop(lambda carry: carry[0] >= 0, sweep, start)
    return tuple(d_params), d_images


def _pull(given: Instructions, branch: Branch, params, kept, noise, position, block, own):
    """Pulls one instruction's cotangent back to its inputs, and to `own`."""
    cotangent = _read(block, given.live.output[position], branch.output)
    if branch.kind == IMAGES:
        return block, own + cotangent.astype(own.dtype)
    if branch.kind == ADD:
        return _accumulate(given, position, block, [cotangent, cotangent]), own
    if branch.kind != APPLY:
        return block, own
    values = _read_all(kept, given.kept.inputs[position], branch.inputs)
    apply = _apply(given, branch, position, noise)
    row = _row(given, branch, position, params)
    share, shares = _outlined(functools.partial(_vjp, apply), row, values, cotangent)
    added = jax.tree.map(lambda total, d: total.at[given.row[position]].add(d), own, share)
    return _accumulate(given, position, block, shares), added


def _vjp(apply, params: Params, values, cotangent):
    output, pullback = jax.vjp(apply, params, values)
    return pullback(cotangent.astype(output.dtype))


def _accumulate(given: Instructions, position, block, shares) -> jax.Array:
    """Adds cotangents to those of the inputs; the first to reach a value takes its place."""
    for p, share in enumerate(shares):
        place, first = given.live.inputs[position, p], given.first[position, p]
        before = _read(block, place, share.shape[1:])
        block = _write(block, place, jnp.where(first, share, before + share))
    return block


def _read(block: jax.Array, place, shape: Shape) -> jax.Array:
    flat = lax.dynamic_slice_in_dim(block, place, math.prod(shape), 1)
    return flat.reshape(-1, *shape)


def _read_all(block: jax.Array, places, shapes: tuple[Shape, ...]) -> list[jax.Array]:
    return [_read(block, places[p], shape) for p, shape in enumerate(shapes)]


def _write(block: jax.Array, place, value: jax.Array) -> jax.Array:
    # The barrier keeps the value out of the update's own loop, which must not read the block.
    flat = lax.optimization_barrier(value.reshape(value.shape[0], -1).astype(block.dtype))
    return lax.dynamic_update_slice_in_dim(block, flat, place, 1)


def _read_logits(given: Instructions, block: jax.Array, places) -> jax.Array:
    return jax.vmap(lambda place: _read(block, place, (given.network.num_classes,)))(places)


def _add_logits(given: Instructions, block: jax.Array, cotangent: jax.Array) -> jax.Array:
    def add(block, child):
        place, share = child
        before = _read(block, place, share.shape[1:])
        return _write(block, place, before + share), None

    return lax.scan(add, block, (given.live.logits, cotangent))[0]


def _dtype(params: Params, images: jax.Array) -> Any:
    return jnp.result_type(images, *jax.tree.leaves(params))
