"""A plan as a few arrays of ints, so that one compiled program serves every plan of like size."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnas.supernets.executors.layout import Layout, bucket, lay_out
from jaxnas.supernets.expressions import ADD, APPLY, IMAGES, ZEROS, Expression
from jaxnas.supernets.network import Network
from jaxnas.supernets.ops.operation import Identity, Shape, Zero
from jaxnas.supernets.plan import Plan, liveness

Array = Any
_LEAST_STEPS = 128
_LEAST_SIZE = 16384


class Branch(NamedTuple):
    """One kind of instruction of a network: what a compiled program has code for.

    Attributes:
      kind: `images`, `zeros`, `apply` or `add`; a sum has two terms.
      group: the signature of the shared operations, for `apply`; -1 otherwise.
      inputs: the shapes of what it reads, without a batch axis.
      output: the shape of what it writes.
    """

    kind: str
    group: int
    inputs: tuple[Shape, ...]
    output: Shape


@functools.lru_cache(maxsize=64)
def branches(network: Network) -> tuple[Branch, ...]:
    """All kinds of instructions that a plan of a network may have."""
    shapes = {tuple(network.image_shape): None, (network.num_classes,): None}
    found = [Branch(IMAGES, -1, (), tuple(network.image_shape))]
    for group, (operation, inputs) in enumerate(network.signatures):
        output = operation.output_shape(*inputs)
        shapes |= dict.fromkeys((*inputs, output))
        if not isinstance(operation, Identity | Zero):
            found.append(Branch(APPLY, group, inputs, output))
    found += [Branch(ADD, -1, (shape, shape), shape) for shape in shapes]
    return (*found, *(Branch(ZEROS, -1, (), shape) for shape in shapes))


class Places(NamedTuple):
    """Where values lie in a block `[B, size]`; offsets `int32`.

    Attributes:
      inputs: `[N, P]`, of what each instruction reads.
      output: `[N]`, of what it writes.
      logits: `[A]`, of the children's logits.
    """

    inputs: Array
    output: Array
    logits: Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Instructions:
    """The instructions of a plan; a pytree that goes through `jit`, `scan` and `shard_map`.

    Attributes:
      network: the network.
      live_size: the length of the block in which `live` are places.
      kept_size: the length of the block in which `kept` are places.
      count: `int32 []`, the number of instructions; arrays of `N` are padded.
      branch: `int32 [N]`, the index in `branches(network)`.
      row: `int32 [N]`, the row in the stack of parameters.
      share: `float [N]`, the share of the drop-path rate.
      first: `bool [N, P]`, whether a sweep back meets this input here for the first time.
      live: places that are used again after the last reading of their values.
      kept: places in which the inputs of operations stay, so that a sweep back finds them.
    """

    network: Network = dataclasses.field(metadata={"static": True})
    live_size: int = dataclasses.field(metadata={"static": True})
    kept_size: int = dataclasses.field(metadata={"static": True})
    count: Array
    branch: Array
    row: Array
    share: Array
    first: Array
    live: Places
    kept: Places


@functools.lru_cache(maxsize=32)
def encode(plan: Plan) -> Instructions:
    """The instructions of a plan, padded so that plans of like size have arrays of one shape."""
    return jax.tree.map(lambda leaf: leaf[0], encode_together([plan]))


def encode_together(plans: Sequence[Plan]) -> Instructions:
    """The instructions of plans of one network, stacked `[S, ...]`.

    One plan for each shard of the children: under `shard_map` each device takes its own. `logits`
    of plans with fewer children than the largest end in repetitions of their last child.
    """
    network, drafts = plans[0].network, [_draft(plan) for plan in plans]
    steps = bucket(max(len(draft.instructions) for draft in drafts), _LEAST_STEPS)
    children = max(len(draft.outputs) for draft in drafts)
    arrays = [_arrays(network, draft, steps, children) for draft in drafts]
    return Instructions(
        network,
        bucket(max(draft.live.size for draft in drafts), _LEAST_SIZE),
        bucket(max(draft.kept.size for draft in drafts), _LEAST_SIZE),
        *jax.tree.map(lambda *leaves: np.stack(leaves), *arrays),
    )


class _Draft(NamedTuple):
    instructions: list[Expression]
    outputs: np.ndarray
    live: Layout
    kept: Layout


def _draft(plan: Plan) -> _Draft:
    instructions, outputs = _with_binary_sums(plan)
    frees = liveness(instructions, outputs)
    read = {i for e in instructions if e.kind == APPLY for i in e.inputs}
    kept = [[value for value in dead if value not in read] for dead in frees]
    sizes = [math.prod(e.shape) for e in instructions]
    return _Draft(instructions, outputs, lay_out(sizes, frees), lay_out(sizes, kept))


def _with_binary_sums(plan: Plan) -> tuple[list[Expression], np.ndarray]:
    """Sums of many terms as sums of two, from the left: one kind of instruction serves all."""
    instructions: list[Expression] = []
    moved: list[int] = []
    for e in plan.instructions:
        inputs = tuple(moved[i] for i in e.inputs)
        if e.kind == ADD:
            for i, term in enumerate(inputs[1:]):
                left = inputs[0] if not i else len(instructions) - 1
                instructions.append(e._replace(inputs=(left, term)))
        else:
            instructions.append(e._replace(inputs=inputs))
        moved.append(len(instructions) - 1)
    return instructions, np.array([moved[i] for i in plan.outputs.tolist()])


def _arrays(network: Network, draft: _Draft, steps: int, children: int) -> tuple[Any, ...]:
    """The data of `Instructions` in order of its fields."""
    branch, row, share = _operations(network, draft.instructions)
    inputs = _inputs(network, draft.instructions)
    first = _first(draft.instructions, draft.outputs, inputs)
    outputs = np.pad(draft.outputs, (0, children - len(draft.outputs)), mode="edge")

    def fill(array: np.ndarray) -> np.ndarray:
        return np.pad(array, ((0, steps - len(array)), *((0, 0),) * (array.ndim - 1)))

    def places(layout: Layout) -> Places:
        offsets = np.array(layout.offsets, np.int32)
        reads = np.where(inputs < 0, 0, offsets[inputs])
        return Places(fill(reads), fill(offsets), offsets[outputs])

    arrays = (fill(array) for array in (branch, row, share, first))
    return (np.int32(len(inputs)), *arrays, places(draft.live), places(draft.kept))


def _operations(network: Network, instructions: Sequence[Expression]) -> tuple[np.ndarray, ...]:
    """The branch, the row and the drop-path share of each instruction."""
    index = {(b.kind, b.group, b.output): i for i, b in enumerate(branches(network))}
    branch, row, share = [], [], []
    for kind, key, _, shape in instructions:
        group, number = network.rows[key] if kind == APPLY else (-1, 0)
        branch.append(index[kind, group, shape])
        row.append(number)
        share.append(network.operations[key].drop_path if kind == APPLY else 0.0)
    return np.array(branch, np.int32), np.array(row, np.int32), np.array(share)


def _inputs(network: Network, instructions: Sequence[Expression]) -> np.ndarray:
    """`[N, P]`, the values that instructions read, -1 where there are fewer than `P`."""
    most = max(len(branch.inputs) for branch in branches(network))
    inputs = np.full((len(instructions), most), -1)
    for i, instruction in enumerate(instructions):
        inputs[i, : len(instruction.inputs)] = instruction.inputs
    return inputs


def _first(instructions, outputs: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """Where a sweep from the last instruction to the first meets a value for the first time."""
    met, first = set(outputs.tolist()), np.zeros(inputs.shape, bool)
    for i in reversed(range(len(instructions))):
        for p, value in enumerate(instructions[i].inputs):
            first[i, p] = value not in met
            met.add(value)
    return first
