"""Latency tables measured on this device, and their files."""

from __future__ import annotations

import json
import pathlib
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.objectives.latency import LatencyTable
from jaxnas.policies import InstancePolicy
from jaxnas.runtime.errors import ConfigError
from jaxnas.runtime.files import write_json
from jaxnas.runtime.machine import machine
from jaxnas.supernets import Network
from jaxnas.supernets.ops import Context, Operation
from jaxnas.supernets.ops.operation import Shape

MIN_REPEATS = 50
DEVICE = ("processor", "device", "backend")
"""What must agree between the machine of a table and this one."""


def measure_latency(
    network: Network, policy: InstancePolicy | None = None, *, repeats: int = MIN_REPEATS
) -> LatencyTable:
    """Measures every operation of a network on one image, by itself, on this device.

    Each entry is the median of the repeats after a first, compiling call, with the time of one call
    in it; normalisation is by given moments, as in inference. Operations of one signature are
    measured once.

    Args:
      network: the network.
      policy: the policy whose controller is measured too.
      repeats: timed calls of each operation, at least 50.

    Raises:
      ConfigError: fewer repeats.
    """
    if repeats < MIN_REPEATS:
        raise ConfigError(f"repeats is {repeats}: give at least {MIN_REPEATS}.")
    found = {
        signature: _measure(*_program(*signature), repeats) for signature in network.signatures
    }
    times = {key: found[shared.signature] for key, shared in network.operations.items()}
    controller = 0.0
    if policy is not None:
        call = _program(policy.controller, (policy.image_shape,))
        controller = _measure(*call, repeats)[0]
    costs = {key: median for key, (median, _) in times.items()}
    spread = {key: width for key, (_, width) in times.items()}
    return LatencyTable(network.name, "seconds", costs, spread, controller, machine())


def _program(
    operation: Operation, shapes: tuple[Shape, ...]
) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """One application of an operation to one image of ones, and its arguments."""
    inputs = [jnp.ones((1, *shape)) for shape in shapes]

    def record(params):
        context = Context(record={})
        operation.apply(params, *inputs, context=context)
        return context.record

    params = jax.eval_shape(lambda key: operation.init(key, *shapes), jax.random.key(0))
    moments = jax.eval_shape(record, params)
    ones = [jax.tree.map(lambda leaf: jnp.ones(leaf.shape), tree) for tree in (params, moments)]

    def run(params, moments, inputs):
        return operation.apply(params, *inputs, context=Context(moments=moments))

    return jax.jit(run), (*ones, inputs)


def _measure(
    call: Callable[..., Any], arguments: tuple[Any, ...], repeats: int
) -> tuple[float, float]:
    """The median and the interquartile range of the seconds of a call."""
    jax.block_until_ready(call(*arguments))
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(call(*arguments))
        seconds.append(time.perf_counter() - start)
    low, median, high = statistics.quantiles(seconds, n=4)
    return median, high - low


def save_latency(path: str | pathlib.Path, table: LatencyTable) -> None:
    """Writes a table with the machine that it was measured on, as JSON."""
    write_json(path, table.to_json())


def load_latency(path: str | pathlib.Path, network: Network) -> LatencyTable:
    """Reads a table for a network on this device.

    Raises:
      ConfigError: the file cannot be read or is no table, or the table is of another network or
        was measured on another device.
    """
    try:
        table = LatencyTable.from_json(json.loads(pathlib.Path(path).read_text()))
        table.check(network)
    except (OSError, ValueError) as error:
        raise ConfigError(f"latency table {path}: {error}") from error
    here = machine()
    for name in DEVICE if table.machine else ():
        if table.machine.get(name) != here[name]:
            raise ConfigError(
                f"latency table {path} was measured on {name} {table.machine.get(name)!r}; this "
                f"is {here[name]!r}: measure one here."
            )
    return table
