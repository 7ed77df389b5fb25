"""A plan: the distinct work of many children, in an order that frees values early.

Exact: a child's output is the one that it has alone. For a chain this is prefix sharing, for cells
and skip connections common-subexpression elimination.
"""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from jaxnas.supernets.cost import operation_flops
from jaxnas.supernets.expressions import APPLY, Expression, Expressions
from jaxnas.supernets.network import Key, Network


@dataclasses.dataclass(frozen=True)
class Work:
    """Applications of operations, and their cost for one image.

    Attributes:
      applications: how many.
      flops: floating-point operations per image, a multiply-accumulate counting as two.
    """

    applications: int
    flops: int


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """The distinct applications of `A` children.

    Attributes:
      network: the network.
      architectures: `int32 [A, T]`.
      instructions: the values to compute, in order; inputs are positions in this tuple.
      outputs: `int64 [A]`, the position of each child's logits.
      frees: for each instruction, the positions that no later one reads.
      raw: per shared operation, how often the children's descriptions apply it; identities and
        zeros are no work.
      live: the same, counting of each child only the distinct applications that its output needs.
    """

    network: Network
    architectures: np.ndarray
    instructions: tuple[Expression, ...]
    outputs: np.ndarray
    frees: tuple[tuple[int, ...], ...]
    raw: Counter[Key]
    live: Counter[Key]

    @property
    def unique(self) -> Counter[Key]:
        """Per shared operation, how often the plan applies it."""
        return Counter(i.key for i in self.instructions if i.kind == APPLY)

    @functools.cached_property
    def work(self) -> dict[str, Work]:
        """The `raw`, `live` and `unique` work of the children."""
        kinds = {"raw": self.raw, "live": self.live, "unique": self.unique}
        return {name: self._work(counter) for name, counter in kinds.items()}

    @functools.cached_property
    def width(self) -> float:
        """How many applications can run at once, in the mean: all over those of the longest way."""
        depths: list[int] = []
        for e in self.instructions:
            before = max((depths[i] for i in e.inputs), default=0)
            depths.append(before + (e.kind == APPLY))
        return self.work["unique"].applications / max(1, *depths)

    def _work(self, counter: Counter[Key]) -> Work:
        flops = sum(
            n * operation_flops(*self.network.operations[key].signature)
            for key, n in counter.items()
        )
        return Work(sum(counter.values()), flops)

    def __str__(self) -> str:
        lines = [f"plan of {len(self.architectures)} children of {self.network.name}"]
        for name, work in self.work.items():
            share = work.flops / max(1, self.work["live"].flops)
            lines.append(
                f"  {name:<6} {work.applications:6d} applications  "
                f"{work.flops / 1e6:10.2f} MFLOP per image  ({share:.2f} of live)"
            )
        for position, (kind, key, inputs, shape) in enumerate(self.instructions):
            reads = ", ".join(f"%{i}" for i in inputs)
            lines.append(f"  %{position} = {key or kind}({reads})  {list(shape)}")
        children = ", ".join(f"%{i}" for i in self.outputs)
        return "\n".join([*lines, f"  children: {children}"])


def make_plan(network: Network, architectures: Any) -> Plan:
    """Numbers the values of sampled children and orders the distinct ones.

    Args:
      network: the network that describes the children.
      architectures: `[A, T]` ints, architectures of `network.space`.

    Raises:
      SpaceError: an architecture does not belong to the space.
      ValueError: there is no architecture.

    Example:
      >>> from jaxnas.supernets import chain
      >>> network = chain(layers=2, channels=4, image_shape=(8, 8, 1), num_classes=10)
      >>> plan = make_plan(network, [[0, 1], [0, 2]])
      >>> plan.work["live"].applications, plan.work["unique"].applications
      (8, 6)
    """
    architectures = network.space.validate(np.atleast_2d(np.asarray(architectures)))
    if not len(architectures):
        raise ValueError("architectures is empty; a plan needs at least one child.")
    distinct, inverse = np.unique(architectures, axis=0, return_inverse=True)
    times = np.bincount(inverse.reshape(-1))
    expressions = Expressions(network)
    order: dict[int, None] = {}
    raw: Counter[Key] = Counter()
    live: Counter[Key] = Counter()
    logits: list[int] = []
    for architecture, n in zip(distinct, times.tolist(), strict=True):
        output, applied = expressions.child(network.space.choices(architecture))
        needed = expressions.reachable(output)
        order.update(dict.fromkeys(needed))
        logits.append(output)
        computed = (expressions.expressions[number] for number in needed)
        _count(raw, applied, n)
        _count(live, (e.key for e in computed if e.kind == APPLY), n)
    outputs = np.array(logits)[inverse.reshape(-1)]
    return _order(network, architectures, expressions, order, outputs, raw, live)


def _count(counter: Counter[Key], keys: Iterable[Key], times: int) -> None:
    for key in keys:
        counter[key] += times


def _order(network, architectures, expressions, order, outputs, raw, live) -> Plan:
    position = {number: i for i, number in enumerate(order)}
    instructions = tuple(
        e._replace(inputs=tuple(position[i] for i in e.inputs))
        for e in (expressions.expressions[number] for number in order)
    )
    outputs = np.array([position[int(number)] for number in outputs])
    return Plan(
        network, architectures, instructions, outputs, liveness(instructions, outputs), raw, live
    )


def liveness(
    instructions: Sequence[Expression], outputs: np.ndarray
) -> tuple[tuple[int, ...], ...]:
    """For each instruction, the values that are not read after it (outputs are kept)."""
    last = {i: position for position, e in enumerate(instructions) for i in e.inputs}
    kept = set(outputs.tolist())
    frees: list[list[int]] = [[] for _ in instructions]
    for value, position in last.items():
        if value not in kept:
            frees[position].append(value)
    return tuple(tuple(values) for values in frees)
