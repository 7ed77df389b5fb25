"""The compiled programs of the host executor: each serves any plan, whatever its children.

A program is compiled once per signature. That of a forward call returns the residuals that its
backward call needs, so nothing is computed twice.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.supernets.executors import application
from jaxnas.supernets.executors.program import Program
from jaxnas.supernets.noise import drop_path
from jaxnas.supernets.ops.context import Context
from jaxnas.supernets.ops.operation import Operation, Params


def _run(operation: Operation, params: Params, inputs, noise, moments) -> jax.Array:
    if noise is None:
        return operation.apply(params, *inputs, context=Context(moments=moments))
    key, group, row, rate = noise
    key = jax.random.fold_in(jax.random.fold_in(key, group), row)
    output = operation.apply(params, *inputs, context=Context(key=key, moments=moments))
    return output if rate is None else drop_path(key, output, rate[0] * rate[1])


@Program
def take_row(stack: Params, row) -> Params:
    """One row of a stack: a program of its own, so that those of operations serve any stack."""
    return application.take_row(stack, row)


@functools.partial(Program, static_argnums=0)
def apply(operation: Operation, params, inputs, noise, moments):
    """The output of an operation, under its noise or on given moments."""
    return _run(operation, params, inputs, noise, moments)


@functools.partial(Program, static_argnums=0)
def apply_and_record(operation: Operation, params, inputs):
    """The output of an operation, and the moments of its batch normalisations."""
    context = Context(record={})
    return operation.apply(params, *inputs, context=context), context.record


@functools.partial(Program, static_argnums=(0, 1))
def apply_vjp(operation: Operation, wanted: tuple[bool, ...], params, inputs, noise):
    """The output of an operation, and what the gradient of `params` and wanted inputs needs."""

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
    return value, Residuals(kept, structure, sources)


@functools.partial(
    jax.tree_util.register_dataclass, data_fields=["kept"], meta_fields=["structure", "sources"]
)
@dataclasses.dataclass(frozen=True)
class Residuals:
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


@Program
def pull(pullback, cotangent):
    """The gradients of an application's parameters and of its wanted inputs."""
    return pullback(cotangent)


@functools.partial(Program, donate_argnums=0)
def add_row(gradient: Params, row, share: Params) -> Params:
    """A stack of gradients with `share` added to one row, in place."""

    def add_to(stack, own):
        total = jax.lax.dynamic_index_in_dim(stack, row, 0, False) + own
        return jax.lax.dynamic_update_index_in_dim(stack, total, row, 0)

    return jax.tree.map(add_to, gradient, share)


@Program
def add(terms: list[jax.Array]) -> jax.Array:
    """The sum of a few values of one shape."""
    return functools.reduce(jnp.add, terms)


# Parameters are kept as arguments so that zeros are committed to a device where these are.
@functools.partial(Program, keep_unused=True)
def zeros_like(params: Params) -> Params:
    """Zeros in the shapes of all parameters."""
    return jax.tree.map(jnp.zeros_like, params)


@Program
def stack(values: list[jax.Array]) -> jax.Array:
    """The logits `[A, B, K]` of children from those of each."""
    return jnp.stack(values)
