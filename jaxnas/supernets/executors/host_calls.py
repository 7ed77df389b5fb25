"""Calls of programs that both sweeps of the host executor make, and on how many threads."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax

from jaxnas.supernets.executors import programs, side_by_side
from jaxnas.supernets.executors.ahead_of_time import Run
from jaxnas.supernets.executors.program import Program
from jaxnas.supernets.expressions import Expression
from jaxnas.supernets.network import Shared
from jaxnas.supernets.ops.operation import Params
from jaxnas.supernets.plan import Plan

_TERMS = 8


@dataclasses.dataclass(frozen=True)
class Calls:
    """Calls programs, from one thread or from several that each have a core.

    Attributes:
      threads: how many run the applications of a plan.
      alone: whether a program keeps to the core of its thread.
    """

    threads: int = 1
    alone: bool = False

    def __call__(self, program: Program, *args: Any) -> Any:
        """What the program returns."""
        return (program.on_one_core if self.alone else program)(*args)


def choose_calls(plan: Plan, images: jax.Array, others: Any) -> Calls:
    """A thread for each core where applications are worth it, on a CPU that is one device.

    Where there are fewer applications to run at once than cores, each may use several.

    Args:
      plan: the plan.
      images: `[B, H, W, C]`.
      others: the other arrays that a sweep reads.
    """
    work = plan.work["unique"]
    if work.flops * len(images) < side_by_side.LEAST_FLOPS * work.applications:
        return Calls()
    devices = images.devices() if not traced(images) and isinstance(images, jax.Array) else ()
    one_cpu = len(devices) == 1 and next(iter(devices)).platform == "cpu"
    if not one_cpu or traced(others):
        return Calls()
    cores = side_by_side.cores()
    return Calls(cores, alone=1 < cores <= plan.width)


def traced(arrays: Any) -> bool:
    """Whether a transformation traces any of the arrays."""
    return any(isinstance(x, jax.core.Tracer) for x in jax.tree.leaves(arrays))


def rows_of(params: Params, run: Run) -> Callable[[int, int], Params]:
    """A function from a signature's index and a row to the parameters there, each taken once."""
    taken: dict[tuple[int, int], Params] = {}

    def row_of(group: int, row: int) -> Params:
        if (group, row) not in taken:
            taken[group, row] = take(params[group], row, run)
        return taken[group, row]

    return row_of


def locate(plan: Plan, instruction: Expression) -> tuple[Shared, int, int]:
    """The operation of an application, its signature's index and its row in the stack."""
    return plan.network.operations[instruction.key], *plan.network.rows[instruction.key]


def take(stack: Params, row: int, run: Run) -> Params:
    """One row of a stack of parameters or of cotangents."""
    return run(programs.take_row, stack, row) if jax.tree.leaves(stack) else stack


def accumulate(gradient: Params, row: int, share: Params, run: Run) -> Params:
    """A stack of gradients with a share added to one row; the stack is used up."""
    return run(programs.add_row, gradient, row, share) if jax.tree.leaves(gradient) else gradient


def add_up(terms: list[jax.Array], run: Run) -> jax.Array:
    """Adds in groups of few terms, so that there are few programs however many terms."""
    while len(terms) > 1:
        groups = [terms[i : i + _TERMS] for i in range(0, len(terms), _TERMS)]
        terms = [group[0] if len(group) == 1 else run(programs.add, group) for group in groups]
    return terms[0]
