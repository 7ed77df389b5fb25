"""Instructions of a plan that can be executed side by side, in calls of few sizes."""

from __future__ import annotations

import dataclasses
import functools
import graphlib
from collections.abc import Iterator

import numpy as np

from jaxnas.supernets.executors.layout import lay_out
from jaxnas.supernets.expressions import APPLY, Expression
from jaxnas.supernets.ops.operation import Shape
from jaxnas.supernets.plan import Plan

_LARGEST = 64


@dataclasses.dataclass(frozen=True)
class Call:
    """Instructions that one call executes: `G` applications of one shared operation, or sums.

    Attributes:
      instruction: one of them; the others have the same kind, operation and shapes.
      members: `G` positions in the plan.
      inputs: `int32 [P, G]`, the places of what they read, among the values of a shape.
      output: `int32 [G]`, the places of what they write.
    """

    instruction: Expression
    members: tuple[int, ...]
    inputs: np.ndarray
    output: np.ndarray


@dataclasses.dataclass(frozen=True)
class Schedule:
    """The calls of a plan in order.

    Attributes:
      calls: the calls.
      places: for each shape, how many values of that shape need a place at once.
      logits: `int32 [A]`, the places of the children's logits.
    """

    calls: tuple[Call, ...]
    places: dict[Shape, int]
    logits: np.ndarray


@functools.lru_cache(maxsize=32)
def make_schedule(plan: Plan) -> Schedule:
    """Groups the instructions of a plan.

    All applications of one shared operation form a group where no child applies it to something
    that was computed by it; otherwise those of one depth do. A group is called in powers of two,
    so that few sizes are compiled and nothing is computed in vain.
    """
    groups = list(_groups(plan, _levels(plan)))
    places, sizes = _place(plan, groups)
    calls = tuple(
        Call(
            plan.instructions[group[0]],
            tuple(group),
            np.array([[places[i] for i in plan.instructions[m].inputs] for m in group], np.int32).T,
            np.array([places[m] for m in group], np.int32),
        )
        for group in groups
    )
    logits = np.array([places[i] for i in plan.outputs.tolist()], np.int32)
    return Schedule(calls, sizes, logits)


def _levels(plan: Plan) -> list[int]:
    """The depth of each instruction; applications of one operation have one depth if they can."""
    units = [e.key if e.kind == APPLY else i for i, e in enumerate(plan.instructions)]
    try:
        return _depths(plan, units)
    except graphlib.CycleError:
        return _depths(plan, list(range(len(units))))


def _depths(plan: Plan, units: list) -> list[int]:
    reads: dict = {}
    for unit, instruction in zip(units, plan.instructions, strict=True):
        reads.setdefault(unit, set()).update(units[i] for i in instruction.inputs)
    depth: dict = {}
    for unit in graphlib.TopologicalSorter(reads).static_order():
        depth[unit] = 1 + max((depth[u] for u in reads[unit]), default=0)
    return [depth[unit] for unit in units]


def _groups(plan: Plan, levels: list[int]) -> Iterator[list[int]]:
    """Positions of instructions by depth, then by what they do, in powers of two."""
    found: dict = {}
    for position in sorted(range(len(levels)), key=levels.__getitem__):
        kind, key, inputs, shape = plan.instructions[position]
        found.setdefault((levels[position], kind, key, len(inputs), shape), []).append(position)
    for members in found.values():
        while members:
            size = min(1 << (len(members).bit_length() - 1), _LARGEST)
            yield members[:size]
            members = members[size:]


def _place(plan: Plan, groups: list[list[int]]) -> tuple[list[int], dict[Shape, int]]:
    """The place of each value among those of its shape, and how many places a shape needs."""
    written: dict[Shape, list[int]] = {}
    frees: dict[Shape, list[list[int]]] = {}
    waiting: dict[Shape, list[int]] = {}
    index: dict[int, int] = {}
    for group, dead in zip(groups, _last_reads(plan, groups), strict=True):
        for value in dead:
            waiting.setdefault(plan.instructions[value].shape, []).append(index[value])
        for member in group:
            shape = plan.instructions[member].shape
            index[member] = len(written.setdefault(shape, []))
            written[shape].append(member)
            frees.setdefault(shape, []).append(waiting.pop(shape, []))
    layouts = {shape: lay_out([1] * len(v), frees[shape]) for shape, v in written.items()}
    places = [layouts[e.shape].offsets[index[i]] for i, e in enumerate(plan.instructions)]
    return places, {shape: layout.size for shape, layout in layouts.items()}


def _last_reads(plan: Plan, groups: list[list[int]]) -> list[list[int]]:
    """For each group, the values that no later one reads; logits are kept."""
    last: dict[int, int] = {}
    for number, group in enumerate(groups):
        for member in group:
            last |= dict.fromkeys(plan.instructions[member].inputs, number)
    kept, dead = set(plan.outputs.tolist()), [[] for _ in groups]  # type: tuple[set, list[list]]
    for value, number in last.items():
        if value not in kept:
            dead[number].append(value)
    return dead
