"""The routed executor as pure functions: one that measures moments, and one under `jax.grad`."""

from __future__ import annotations

from typing import Any

import jax

from jaxnas.supernets.executors.routed import Run, forward
from jaxnas.supernets.executors.routed_backward import backward
from jaxnas.supernets.executors.statistics import Measured, Statistics, policy_of
from jaxnas.supernets.network import Key, Network
from jaxnas.supernets.ops.operation import Params
from jaxnas.supernets.routing import Routing, make_routing


def measure_moments(routing: Routing, params: Params, images: jax.Array) -> Measured:
    """The moments of every operation's normalisations over the images that are routed to it.

    Returns:
      The moments by operation, as statistics, and the number of images behind each. Operations
      that no image chose are in neither.

    Raises:
      ValueError: an image applies an operation with a normalisation more than once.
    """
    record: dict[Key, Any] = {}
    Run(routing, params, images, "batch", None, record=record).forward()
    counts = routing.count()
    return record, {key: counts[key] for key in record}


def apply(
    network: Network,
    params: Params,
    architectures: Any,
    images: jax.Array,
    *,
    statistics: Statistics = "batch",
    chunk: int | None = None,
) -> jax.Array:
    """The logits `[B, K]` of images, each through its own architecture `[B, T]`.

    Pure, inside `jit` and under `jax.grad` by `params`; images, moments and architectures are
    constants of the derivative. Architectures may be traced: see `make_routing`.
    """
    known = not isinstance(architectures, jax.core.Tracer)
    moments = statistics if policy_of(statistics) == "moments" else None
    # What may be traced goes in as an argument: a custom derivative must not close over it.
    given = (None if known else architectures, images, moments)

    def options(given):
        rows, images, moments = given
        routing = make_routing(network, architectures if rows is None else rows)
        return routing, images, statistics if moments is None else moments

    @jax.custom_vjp
    def run(params, given):
        routing, images, statistics = options(given)
        return forward(routing, params, images, statistics=statistics, chunk=chunk)

    def run_forward(params, given):
        routing, images, statistics = options(given)
        kept = Run(routing, params, images, statistics, chunk, keep=True)
        return kept.forward(), (params, given, [entry for *_, entry in kept.tape])

    def run_backward(residuals, cotangent):
        params, given, entries = residuals
        routing, images, statistics = options(given)
        again = Run(routing, params, images, statistics, chunk, keep=True)
        again.tape = [(*at, e) for at, e in zip(again.order(), entries, strict=True)]
        return backward(again, cotangent), None

    run.defvjp(run_forward, run_backward)
    return run(params, given)
