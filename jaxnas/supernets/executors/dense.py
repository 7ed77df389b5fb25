"""The dense executor: every operation for every child, and coefficients that choose.

Nothing depends on the children but numbers, so it is fully static, and `jax.grad` and `vmap` apply
to it. It costs as much as all choices together: an oracle, and for tiny spaces on accelerators.
An operation that a child does not apply reads zeros there, and its output counts nowhere.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.supernets.executors.groups import apply_group
from jaxnas.supernets.executors.roles import (
    IMAGES,
    LOGITS,
    DenseForm,
    Role,
    child_edges,
    dense_form,
)
from jaxnas.supernets.noise import Noise
from jaxnas.supernets.ops.operation import Params, Shape
from jaxnas.supernets.plan import Plan


def forward(
    plan: Plan, params: Params, images: jax.Array, *, noise: Noise | None = None
) -> jax.Array:
    """The logits `[A, B, K]` of the children of a plan on images `[B, H, W, C]`.

    Raises:
      ValueError: the network has no dense form, see `jaxnas.supernets.executors.roles`.
    """
    return _run(*_encode(plan), params, images, noise)


def vjp(plan: Plan, params: Params, images: jax.Array, *, noise: Noise | None = None):
    """Like `forward`, and a function from a cotangent `[A, B, K]` to the gradient of `params`."""
    form, coefficients = _encode(plan)
    logits = _run(form, coefficients, params, images, noise)
    return logits, lambda cotangent: _gradient(form, coefficients, params, images, noise, cotangent)


@functools.lru_cache(maxsize=32)
def _encode(plan: Plan) -> tuple[DenseForm, np.ndarray]:
    network = plan.network
    children = [child_edges(network, network.space.choices(a)) for a in plan.architectures]
    form, used = dense_form(network), set().union(*children)
    if not used <= set(form.edges):
        form = dense_form(network, frozenset(used - set(form.edges)))
    return form, form.coefficients(children)


@functools.partial(jax.jit, static_argnums=0)
def _run(form: DenseForm, coefficients, params: Params, images, noise) -> jax.Array:
    children = coefficients.shape[1]
    values = {IMAGES: jnp.broadcast_to(images, (children, *images.shape))}
    for role in form.order:
        if role != IMAGES:
            inputs = _inputs(form, role, coefficients, values)
            values[role] = _compute(form, role, params, inputs, noise)
    return values[LOGITS]


@functools.partial(jax.jit, static_argnums=0)
def _gradient(form: DenseForm, coefficients, params, images, noise, cotangent) -> Params:
    run = functools.partial(_run, form, coefficients)
    return jax.vjp(lambda p: run(p, images, noise), params)[1](cotangent)[0]


def _inputs(form: DenseForm, role: Role, coefficients, values) -> list[jax.Array]:
    """The inputs `[A, B, ...]` of a role: sums over its edges, weighted for each child."""
    batch = values[IMAGES].shape[:2]
    dtype = values[IMAGES].dtype
    inputs = [jnp.zeros((*batch, *shape), dtype) for shape in _shapes(form, role)]
    for edge, weights in zip(form.edges, coefficients, strict=True):
        if edge.target == role and edge.source in values:
            value = values[edge.source]
            chosen = weights.reshape(-1, *(1,) * (value.ndim - 1)).astype(value.dtype)
            inputs[edge.position] = inputs[edge.position] + chosen * value
    return inputs


def _shapes(form: DenseForm, role: Role) -> tuple[Shape, ...]:
    kind, name = role
    if kind == "operation":
        return form.network.operations[name].shapes
    return (name[1],) if kind == "sum" else ((form.network.num_classes,),)


def _compute(form: DenseForm, role: Role, params: Params, inputs, noise: Noise | None):
    kind, name = role
    if kind != "operation":
        return inputs[0]
    network = form.network
    shared, key, rate = network.operations[name], None, None
    if noise is not None:
        key = noise.of(network, network.canonical[name])
        if noise.drop_path is not None and shared.drop_path:
            rate = noise.drop_path * shared.drop_path
    return apply_group(shared.operation, network.parameters(params, name), inputs, key, rate)
