"""Decisions that point at earlier nodes of the network: skip connections and cell inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jaxnas.spaces.errors import SpaceError

if TYPE_CHECKING:
    from jaxnas.spaces.graph import Decision, SearchSpace


def node_names(decisions: tuple[Decision, ...]) -> tuple[str, ...]:
    """All nodes that decisions make or point at, in order of first mention."""
    names: dict[str, None] = {}
    for decision in decisions:
        for node in (*(decision.points_at or ()), decision.node):
            if node is not None:
                names.setdefault(node)
    return tuple(names)


def check_pointers(space: SearchSpace) -> None:
    """Raises `SpaceError` where a decision points at a node that cannot be there yet.

    A node that no decision makes is there from the start (the input of a cell, the stem).
    """
    made_by = {d.node: d.name for d in space.decisions if d.node is not None}
    if len(made_by) < sum(d.node is not None for d in space.decisions):
        raise SpaceError(f"space {space.name!r}: two decisions make the same node.")
    pointing = [d for d in space.decisions if d.points_at is not None]
    if not pointing:
        return
    before = _ancestors(space)
    for decision in pointing:
        for node in decision.points_at or ():
            maker = made_by.get(node) if node is not None else None
            if maker is not None and space.vertex_index[maker] not in before[decision.name]:
                raise SpaceError(
                    f"decision {decision.name!r} points at node {node!r}, which is only complete "
                    f"after decision {maker!r}: point at earlier nodes only."
                )


def _ancestors(space: SearchSpace) -> dict[str, set[int]]:
    """For each decision, the decisions that some walk passes before it."""
    automaton = space.automaton
    parents: list[set[int]] = [set() for _ in automaton.vertex]
    for state, row in enumerate(automaton.next_state):
        for target in row[row >= 0]:
            parents[target].add(state)
    before: dict[str, set[int]] = {d.name: set() for d in space.decisions}
    for state, vertex in enumerate(automaton.vertex):
        seen, stack = set(parents[state]), list(parents[state])
        while stack:
            for parent in parents[stack.pop()] - seen:
                seen.add(parent)
                stack.append(parent)
        before[space.decisions[vertex].name] |= {int(automaton.vertex[s]) for s in seen}
    return before
