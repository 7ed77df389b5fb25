"""The sweep back of the host executor: from cotangents of logits to the gradient of parameters."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

import jax

from jaxnas.supernets.executors import programs, side_by_side
from jaxnas.supernets.executors.ahead_of_time import Run
from jaxnas.supernets.executors.host_calls import accumulate, add_up, locate, take, traced
from jaxnas.supernets.expressions import ADD, APPLY, IMAGES, Expression
from jaxnas.supernets.ops.operation import Params
from jaxnas.supernets.plan import Plan


def backward(
    plan: Plan,
    params: Params,
    pullbacks: dict[int, Any],
    cotangent: jax.Array,
    *,
    run: Run,
) -> Params:
    """One sweep back over the instructions; cotangents of shared values are summed first.

    Sums have the order of the sweep, whichever thread computes their terms.
    """
    tasks = [p for p, e in enumerate(plan.instructions) if e.kind in (APPLY, ADD)][::-1]
    gradient = _Gradient(plan, run(programs.zeros_like, params), tasks, run)
    givers, reads = _givers(plan, tasks)
    shares: dict[tuple[int, int], jax.Array] = {}
    children: dict[int, list[int]] = {}
    for child, position in enumerate(plan.outputs.tolist()):
        children.setdefault(position, []).append(child)

    def pull(task: int) -> list[jax.Array]:
        position = tasks[task]
        terms = [take(cotangent, child, run) for child in children.get(position, ())]
        total = add_up([*terms, *(shares.pop(giver) for giver in givers[position])], run)
        if plan.instructions[position].kind == ADD:
            given = [total] * len(plan.instructions[position].inputs)
        else:
            own, given = run(programs.pull, pullbacks.pop(position), total)
            gradient.add(position, own)
        shares.update({(position, i): share for i, share in enumerate(given)})
        return [total, *given]

    side_by_side.run(reads, pull, 1 if traced((params, cotangent)) else run.threads)
    return gradient.total()


def _givers(plan: Plan, tasks: list[int]) -> tuple[dict[int, list[tuple[int, int]]], list[list]]:
    """Which shares of which readers each value gets, and for each task the tasks before it."""
    givers: dict[int, list[tuple[int, int]]] = {position: [] for position in tasks}
    for position in tasks:
        for i, value in enumerate(differentiable(plan, plan.instructions[position])):
            if value in givers:  # Nothing depends on the gradient of zeros.
                givers[value].append((position, i))
    number = {position: task for task, position in enumerate(tasks)}
    return givers, [[number[reader] for reader, _ in givers[position]] for position in tasks]


class _Gradient:
    """The gradient of all parameters; shares of one row are added in the order of the sweep."""

    def __init__(self, plan: Plan, zeros: Params, tasks: list[int], run: Run):
        self._plan, self._stacks, self._run = plan, list(zeros), run
        self._missing: dict[tuple[int, int], deque[int]] = {}
        self._shares: dict[int, Params] = {}
        # One for each stack: adding is work, which the other threads need not wait for.
        self._locks = [threading.Lock() for _ in self._stacks]
        for position in tasks:
            if plan.instructions[position].kind == APPLY:
                place = locate(plan, plan.instructions[position])[1:]
                self._missing.setdefault(place, deque()).append(position)

    def add(self, position: int, share: Params) -> None:
        """Adds the share of one application, or keeps it until those before it are there."""
        _, group, row = locate(self._plan, self._plan.instructions[position])
        missing = self._missing[group, row]
        with self._locks[group]:
            self._shares[position] = share
            while missing and missing[0] in self._shares:
                first = self._shares.pop(missing.popleft())
                self._stacks[group] = accumulate(self._stacks[group], row, first, self._run)

    def total(self) -> Params:
        """The gradient, once all shares are added."""
        return tuple(self._stacks)


def differentiable(plan: Plan, instruction: Expression) -> tuple[int, ...]:
    """The inputs whose cotangents are needed: all of a sum, all but the images otherwise."""
    if instruction.kind == ADD:
        return instruction.inputs
    return tuple(i for i in instruction.inputs if plan.instructions[i].kind != IMAGES)
