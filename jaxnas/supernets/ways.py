"""The ways through one segment, merged: which shared operation runs where, for which way.

An operation that several ways apply is one step, whatever its input was computed by, so that the
images that take those ways run through it together. A step writes into a slot, a place for one
value of each image; a sum is a slot into which several steps add.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxnas.supernets.expressions import ADD, APPLY, IMAGES, ZEROS, Expressions
from jaxnas.supernets.network import Key, Network
from jaxnas.supernets.ops.operation import Shape
from jaxnas.supernets.segments import Segment, local_choices

INPUT = 0
"""The slot that holds the input of a segment."""


class Step(NamedTuple):
    """One addition to a slot.

    Attributes:
      key: the shared operation that is applied; empty where the source itself is added.
      sources: the slots that it reads.
      target: the slot to which the result is added.
      alone: whether nothing else is added to the target.
    """

    key: Key
    sources: tuple[int, ...]
    target: int
    alone: bool


@dataclasses.dataclass(frozen=True, eq=False)
class Ways:
    """The merged steps of `V` ways through a segment.

    Attributes:
      steps: `S` steps; each reads slots that are complete.
      taken: `bool [V, S]`, which way takes which step.
      shapes: the shape of each slot, without its batch axis.
      output: the slot of the segment's output.
      frees: for each step, the slots that no later one reads.
    """

    steps: tuple[Step, ...]
    taken: np.ndarray
    shapes: tuple[Shape, ...]
    output: int
    frees: tuple[tuple[int, ...], ...]


class _Site(NamedTuple):
    """Where a value stands; the values of different ways at one site share a step.

    The order of sites is one in which every value comes after those that it is computed from:
    `rank` is the latest place in the table of operations on the way to the value.
    """

    rank: int
    depth: int
    key: Key
    shape: Shape
    occurrence: int


_START = _Site(-1, 0, IMAGES, (), 0)
_OUTPUT = _Site(2**31, 0, "output", (), 0)


class _Merge:
    """Collects, over the ways, what each site reads (operations) or adds up (sums)."""

    def __init__(self, network: Network, shape: Shape):
        self.expressions = Expressions(network, shape)
        self.place = {key: i for i, key in enumerate(network.operations)}
        self.reads: dict[_Site, list[dict[int, _Site]]] = {}
        self.terms: dict[_Site, dict[int, Counter[_Site]]] = {_OUTPUT: {}}
        self.output_shape: Shape = shape

    def add(self, way: int, segment: Segment, choices: Any) -> None:
        """Describes one way and merges its values into the sites."""
        numbered = self.expressions
        output = segment.describe(numbered, numbered.images, choices)
        values = {i: numbered.expressions[i] for i in numbered.reachable(output)}
        self.output_shape = values[output].shape
        read = {i for value in values.values() for i in value.inputs}
        summed = values[output].kind in (ADD, ZEROS)
        sites = self._sites(values)
        for number, value in values.items():
            if value.kind == APPLY:
                inputs = self.reads.setdefault(sites[number], [{} for _ in value.inputs])
                for where, i in zip(inputs, value.inputs, strict=True):
                    where[way] = sites[i]
            elif value.kind != IMAGES and (number in read or not summed):
                self._sum(sites[number], way, [sites[i] for i in value.inputs])
        ends = values[output].inputs if summed else (output,)
        self._sum(_OUTPUT, way, [sites[i] for i in ends])

    def _sum(self, site: _Site, way: int, terms: Sequence[_Site]) -> None:
        self.terms.setdefault(site, {})[way] = Counter(terms)

    def _sites(self, values) -> dict[int, _Site]:
        sites: dict[int, _Site] = {}
        seen: Counter[_Site] = Counter()
        for number, (kind, key, inputs, shape) in values.items():
            if kind == IMAGES:
                sites[number] = _START
                continue
            before = [sites[i] for i in inputs]
            rank = max([site.rank for site in before], default=-1)
            depth = 1 + max([site.depth for site in before if site.rank == rank], default=0)
            if kind == APPLY and self.place[key] > rank:
                rank, depth = self.place[key], 0
            site = _Site(rank, depth, key or kind, shape, 0)
            sites[number] = site._replace(occurrence=seen[site])
            seen[site] += 1
        return sites


def merge_ways(network: Network, segment: Segment, shape: Shape, ways: np.ndarray) -> Ways:
    """Merges ways through a segment.

    Args:
      network: the network.
      segment: one of its segments.
      shape: the shape of the segment's input, without its batch axis.
      ways: `int [V, n]`, the actions at the segment's decisions.
    """
    merge = _Merge(network, shape)
    for way, actions in enumerate(ways):
        merge.add(way, segment, local_choices(network.space, segment, actions))
    return _Steps(merge, len(ways)).ways()


class _Steps:
    """Turns merged sites into steps between slots."""

    def __init__(self, merge: _Merge, count: int):
        self.merge, self.count = merge, count
        self.shapes: list[Shape] = [merge.expressions.expressions[merge.expressions.images].shape]
        self.slots: dict[_Site, int] = {_START: INPUT}
        self.steps: list[tuple[Key, tuple[int, ...], int]] = []
        self.taken: list[np.ndarray] = []

    def ways(self) -> Ways:
        direct = self._direct()
        order = sorted({*self.merge.reads, *self.merge.terms})
        for site in order:
            if site in self.merge.terms:
                self._add_up(site, self.merge.terms[site], direct)
                continue
            sources = tuple(
                self._collect(site, position, where)
                for position, where in enumerate(self.merge.reads[site])
            )
            target = self._slot(direct.get(site, site))
            self._emit(site.key, sources, target, self.merge.reads[site][0])
        return self._finish()

    def _direct(self) -> dict[_Site, _Site]:
        """The operations whose results are read by one sum only: they add to it themselves."""
        readers: dict[_Site, list[_Site | None]] = defaultdict(list)
        for where in (w for inputs in self.merge.reads.values() for w in inputs):
            for site in set(where.values()):
                readers[site].append(None)
        for total, terms in self.merge.terms.items():
            most = Counter[_Site]()
            for counter in terms.values():
                most |= counter
            for site, times in most.items():
                readers[site] += [total] * times
        return {
            site: found[0]
            for site, found in readers.items()
            if len(found) == 1 and found[0] is not None and site in self.merge.reads
        }

    def _slot(self, site: _Site) -> int:
        if site not in self.slots:
            self.slots[site] = len(self.shapes)
            self.shapes.append(self.merge.output_shape if site == _OUTPUT else site.shape)
        return self.slots[site]

    def _add_up(self, total: _Site, terms: dict[int, Counter[_Site]], direct) -> None:
        target = self._slot(total)
        sources = dict.fromkeys(site for counter in terms.values() for site in counter)
        for site in (s for s in sources if direct.get(s) != total):
            most = max(counter[site] for counter in terms.values())
            for time in range(most):
                by = [way for way, counter in terms.items() if counter[site] > time]
                self._emit("", (self._slot(site),), target, by)

    def _collect(self, site: _Site, position: int, where: dict[int, _Site]) -> int:
        """The slot that an operation reads; filled from several where ways differ in it."""
        sources = set(where.values())
        if len(sources) == 1:
            return self._slot(sources.pop())
        shape = self._shape(next(iter(sources)))
        collected = site._replace(key=f"{site.key}/input {position}", shape=shape)
        self._add_up(collected, {way: Counter([s]) for way, s in where.items()}, {})
        return self._slot(collected)

    def _shape(self, site: _Site) -> Shape:
        return self.shapes[INPUT] if site == _START else site.shape

    def _emit(self, key: Key, sources: tuple[int, ...], target: int, by) -> None:
        taken = np.zeros(self.count, bool)
        taken[list(by)] = True
        self.steps.append((key, sources, target))
        self.taken.append(taken)

    def _finish(self) -> Ways:
        added = Counter(target for _, _, target in self.steps)
        steps = tuple(Step(*step, alone=added[step[2]] == 1) for step in self.steps)
        output = self._slot(_OUTPUT)
        last = {slot: i for i, step in enumerate(steps) for slot in step.sources}
        frees: list[list[int]] = [[] for _ in steps]
        for slot, i in last.items():
            if slot != output:
                frees[i].append(slot)
        taken = np.stack(self.taken, 1) if steps else np.zeros((self.count, 0), bool)
        return Ways(steps, taken, tuple(self.shapes), output, tuple(map(tuple, frees)))
