"""The compiled steps of the routed executor: gather images, run one operation, scatter back.

A step has one of two forms. In one piece (`dense`) the images are gathered to one batch; rows
beyond those that were routed fill it up to a size and are left out of all statistics. In chunks
the images go through the operation a few at a time, as many times as needed: what lies between the
parts of an operation then stays in a CPU's cache, which is up to six times as fast there, but the
images cannot share statistics. Rows are positions in the batch; `B` marks one that is not used.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxnas.supernets.ops.context import Context
from jaxnas.supernets.ops.operation import Operation, Params


def _row_of(stack: Params, row) -> Params:
    return jax.tree.map(lambda leaf: lax.dynamic_index_in_dim(leaf, row, 0, False), stack)


def _gather(source: jax.Array, rows: jax.Array) -> jax.Array:
    """Images of `[B, ...]`; an unused row gets some image, so that its numbers stay finite."""
    return source.at[rows].get(mode="clip")


def _read(source: jax.Array, origins: jax.Array | None, rows: jax.Array) -> jax.Array:
    """Like `_gather`, but of the images that `origins` `[B]` names in place of their own."""
    return _gather(source, rows if origins is None else _gather(origins, rows))


def _add(target: jax.Array, rows: jax.Array, values: jax.Array) -> jax.Array:
    return target.at[rows].add(values.astype(target.dtype), mode="drop")


def _context(policy: str, rows: jax.Array | None, total: int, moments: Any) -> Context:
    """The statistics of a batch of images; `rows` are `None` where all `total` images are in it."""
    if policy == "moments":
        return Context(moments=moments)
    if policy == "image":
        return Context(per_image=True)
    return Context(counted=None if rows is None else rows < total)


@functools.partial(jax.jit, static_argnums=(0, 1))
def dense(operation: Operation, policy: str, stack, row, sources, rows, moments):
    """The output of an operation for the images at `rows` (all, where `None`), as one batch."""
    context = _context(policy, rows, len(sources[0]), moments)
    inputs = sources if rows is None else [_gather(s, rows) for s in sources]
    return operation.apply(_row_of(stack, row), *inputs, context=context)


@functools.partial(jax.jit, static_argnums=0)
def dense_and_record(operation: Operation, stack, row, sources, rows):
    """Like `dense` on the batch's statistics, and the moments of the normalisations."""
    counted = jnp.ones(len(sources[0]), bool) if rows is None else rows < len(sources[0])
    context = Context(counted=counted, record={})
    inputs = sources if rows is None else [_gather(s, rows) for s in sources]
    return operation.apply(_row_of(stack, row), *inputs, context=context), context.record


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def dense_vjp(operation: Operation, policy: str, wanted, stack, row, sources, rows, moments):
    """Like `dense`, and the function from a cotangent to those of parameters and wanted inputs."""
    context = _context(policy, rows, len(sources[0]), moments)
    inputs = list(sources) if rows is None else [_gather(s, rows) for s in sources]

    def run(params, variable):
        given = iter(variable)
        mixed = [next(given) if w else x for x, w in zip(inputs, wanted, strict=True)]
        return operation.apply(params, *mixed, context=context)

    variable = [x for x, w in zip(inputs, wanted, strict=True) if w]
    return jax.vjp(run, _row_of(stack, row), variable)


@functools.partial(jax.jit, donate_argnums=(4,))
def pull_dense(pullback, cotangent, rows, row, gradient, targets):
    """Pulls the cotangent `[B, ...]` of a slot back through a dense step.

    Returns the gradient of the stack and the cotangents `targets` of the inputs, both added to.
    """
    given = cotangent if rows is None else cotangent.at[rows].get(mode="fill", fill_value=0)
    share, shares = pullback(given)
    gradient = jax.tree.map(lambda g, d: g.at[row].add(d), gradient, share)
    return gradient, [
        t + d.astype(t.dtype) if rows is None else _add(t, rows, d)
        for t, d in zip(targets, shares, strict=True)
    ]


@functools.partial(jax.jit, static_argnums=(0, 1, 2), donate_argnums=(6,))
def chunked(
    operation: Operation,
    policy: str,
    chunk: int,
    stack,
    row,
    sources,
    target,
    rows,
    count,
    moments,
    origins,
):
    """Adds the outputs of an operation for the first `count` of `rows` to a slot, in chunks.

    `origins` says for each source whose values are read, `None` for those of the rows themselves.
    """
    params, total = _row_of(stack, row), len(sources[0])

    def body(i, target):
        here = lax.dynamic_slice_in_dim(rows, i * chunk, chunk)
        context = _context(policy, here, total, moments)
        inputs = [_read(*given, here) for given in zip(sources, origins, strict=True)]
        return _add(target, here, operation.apply(params, *inputs, context=context))

    return lax.fori_loop(0, (count + chunk - 1) // chunk, body, target)


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3), donate_argnums=(9, 10))
def pull_chunked(
    operation: Operation,
    policy: str,
    chunk: int,
    wanted: tuple[bool, ...],
    stack,
    row,
    sources,
    rows,
    count,
    gradient,
    targets,
    cotangent,
    moments,
):
    """Pulls the cotangent of a slot back through a step in chunks, computing the step again.

    Returns the gradient of the stack and the cotangents `targets` of the wanted inputs, added to.
    """
    params, total = _row_of(stack, row), len(sources[0])

    def body(i, carry):
        sums, targets = carry
        here = lax.dynamic_slice_in_dim(rows, i * chunk, chunk)
        context = _context(policy, here, total, moments)
        inputs = [_gather(s, here) for s in sources]

        def run(params, variable):
            given = iter(variable)
            mixed = [next(given) if w else x for x, w in zip(inputs, wanted, strict=True)]
            return operation.apply(params, *mixed, context=context)

        variable = [x for x, w in zip(inputs, wanted, strict=True) if w]
        _, pullback = jax.vjp(run, params, variable)
        share, shares = pullback(cotangent.at[here].get(mode="fill", fill_value=0))
        sums = jax.tree.map(jnp.add, sums, share)
        return sums, [_add(t, here, d) for t, d in zip(targets, shares, strict=True)]

    start = jax.tree.map(jnp.zeros_like, params), list(targets)
    share, targets = lax.fori_loop(0, (count + chunk - 1) // chunk, body, start)
    return jax.tree.map(lambda g, d: g.at[row].add(d), gradient, share), targets


@functools.partial(jax.jit, donate_argnums=0)
def add_rows(target, rows, values):
    """Adds values `[m, ...]` to the images at `rows` of a slot."""
    return _add(target, rows, values)


@functools.partial(jax.jit, donate_argnums=0)
def move(target, source, rows, origins=None):
    """Adds the images at `rows` of one slot, or those that `origins` names for them, to another."""
    return _add(target, rows, _read(source, origins, rows))


@jax.jit
def add(target, values):
    """The sum of two slots."""
    return target + values.astype(target.dtype)


@functools.partial(jax.jit, static_argnums=(0, 1))
def zeros(shape: tuple[int, ...], dtype):
    """An empty slot `[B, ...]`."""
    return jnp.zeros(shape, dtype)
