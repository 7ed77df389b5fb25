"""Counting visits: how often a walk may take the decisions of a loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.sparse import csgraph, csr_array

from jaxnas.spaces.errors import SpaceError

if TYPE_CHECKING:
    from jaxnas.spaces.graph import Decision


class VisitRules(NamedTuple):
    """For each decision: its loop, those of it that are counted, its cap, and what it resets."""

    loops: list[tuple[int, ...]]
    counted: list[tuple[int, ...]]
    caps: list[int | None]
    resets: list[tuple[int, ...]]


def visit_rules(decisions: tuple[Decision, ...], loops, edges, order) -> VisitRules:
    """Checks `max_visits` and `per`; raises `SpaceError` naming the decision at fault."""
    caps = [decision.max_visits for decision in decisions]
    _check_caps(decisions, loops, edges, caps)
    resets: list[tuple[int, ...]] = [() for _ in decisions]
    for i, decision in enumerate(decisions):
        chain, outer = [decision.name], decision.per
        while outer is not None:
            if order.get(outer) not in loops[i] or outer in chain:
                raise SpaceError(
                    f"decision {decision.name!r}: 'per' leads to {outer!r}, which is not another "
                    "decision of its loop: name one that a walk passes between its visits."
                )
            chain.append(outer)
            outer = decisions[order[outer]].per
        if decision.per is not None and caps[i] is not None:
            resets[order[decision.per]] += (i,)
    counted = [tuple(m for m in members if caps[m] is not None) for members in loops]
    return VisitRules(loops, counted, caps, resets)


def _check_caps(decisions: tuple[Decision, ...], loops, edges, caps) -> None:
    """Every cycle needs a decision whose visits are counted, or walks would have no end."""
    free = [i for i, cap in enumerate(caps) if cap is None and loops[i]]
    pairs = [(i, j) for i in free for j in edges[i] if j in free]
    if not pairs:
        return
    shape = (len(decisions),) * 2
    graph = csr_array((np.ones(len(pairs)), tuple(np.array(pairs).T)), shape=shape)
    _, component = csgraph.connected_components(graph, directed=True, connection="strong")
    for i, j in pairs:
        if component[i] == component[j]:
            raise SpaceError(
                f"decision {decisions[i].name!r} can be taken again without end: give 'max_visits' "
                "to it, or to another decision of its loop."
            )


def enter(target: int, visits: tuple[int, ...], source: int | None, rules: VisitRules):
    """The state on arriving at `target`, or `None` if its visit cap forbids it."""
    counted = rules.counted[target]
    if not rules.loops[target]:
        return (target, ())
    same_loop = source is not None and rules.loops[source] == rules.loops[target]
    counts = list(visits) if same_loop else [0] * len(counted)
    cap = rules.caps[target]
    if cap is not None:
        position = counted.index(target)
        counts[position] += 1
        if counts[position] > cap:
            return None
    for inner in rules.resets[target]:
        counts[counted.index(inner)] = 0
    return (target, tuple(counts))


def visit_number(state, rules: VisitRules) -> int:
    """The number of the visit that a state is; see `Automaton.visit`."""
    vertex, counts = state
    counted = rules.counted[vertex]
    return counts[counted.index(vertex)] - 1 if vertex in counted and counts else sum(counts)
