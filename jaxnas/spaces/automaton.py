"""Compiles a graph of decisions to tables of ints in which every loop is unrolled to its cap.

A state is a decision together with how often the capped decisions of its loop were visited, so
that the table has no cycles and an action at the visit cap is simply absent. Counting, uniform
sampling, masking and replaying all read the same table. For an acyclic graph a state is a decision.
"""

from __future__ import annotations

import dataclasses
import difflib
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csgraph, csr_array

from jaxnas.spaces.errors import SpaceError
from jaxnas.spaces.visits import enter, visit_number, visit_rules

if TYPE_CHECKING:
    from jaxnas.spaces.graph import Decision

MAX_STATES = 200_000
DONE = -2
"""In `next_state`: the action ends the walk. -1: the action is not there, or would pass a cap."""
_END = "end"


@dataclasses.dataclass(frozen=True, eq=False)
class Automaton:
    """The tables of a space: `S` states (state 0 is the start), `A` actions.

    Attributes:
      next_state: `int32 [S, A]`, the state that an action leads to; `DONE` ends the walk, -1 is
        no action.
      vertex: `int32 [S]`, the decision of each state.
      visit: `int32 [S]`, the number of the visit that a state is, from 0, as the cap counts them
        (anew for each visit of `per`); of a decision without a cap, the sum of the visits that are
        counted in its loop. In nested loops several visits may have the same number.
      completions: the exact number of walks from each state to the end.
      max_length: the number of steps of the longest walk.
      acyclic: whether no decision can be visited twice.
    """

    next_state: np.ndarray
    vertex: np.ndarray
    visit: np.ndarray
    completions: tuple[int, ...]
    max_length: int
    acyclic: bool


def compile_graph(name: str, decisions: tuple[Decision, ...], start: str) -> Automaton:
    """Checks a graph and compiles it; raises `SpaceError` naming the decision at fault."""
    edges = resolve_edges(name, decisions, start)
    order = {decision.name: i for i, decision in enumerate(decisions)}
    loops = loops_of(name, decisions, edges, order[start])
    rules = visit_rules(decisions, loops, edges, order)
    states, table = _unroll(name, edges, rules, order[start])
    keep, completions, longest = _complete(table)
    if not completions[0]:
        raise SpaceError(f"space {name!r}: no walk reaches the end within the visit caps.")
    return _build(decisions, states, table, keep, completions, longest, rules)


def resolve_edges(name: str, decisions: tuple[Decision, ...], start: str) -> list[list[int]]:
    """The target of every action as the index of a decision, or `DONE`."""
    names = [decision.name for decision in decisions]
    repeated = {n for n in names if names.count(n) > 1}
    if repeated:
        raise SpaceError(f"space {name!r}: two decisions are named {sorted(repeated)[0]!r}.")
    index = {n: i for i, n in enumerate(names)} | {_END: DONE}
    if start not in index or start == _END:
        raise SpaceError(f"space {name!r}: the start {start!r} is not one of its decisions.")
    edges = []
    for i, decision in enumerate(decisions):
        following = names[i + 1] if i + 1 < len(names) else _END
        targets = decision.next if decision.next is not None else following
        if isinstance(targets, str):
            targets = (targets,) * len(decision.actions)
        for target in targets:
            if target not in index:
                near = difflib.get_close_matches(str(target), index, 1)
                hint = f" (did you mean {near[0]!r}?)" if near else ""
                raise SpaceError(
                    f"decision {decision.name!r}: 'next' names {target!r}, which is no decision "
                    f"of space {name!r}{hint}."
                )
        edges.append([index[target] for target in targets])
    return edges


def loops_of(
    name: str, decisions: tuple[Decision, ...], edges: list[list[int]], start: int
) -> list[tuple[int, ...]]:
    """The decisions of the loop of each decision (itself alone, outside of loops)."""
    n = len(decisions)
    pairs = [(i, j) for i, targets in enumerate(edges) for j in targets if j != DONE]
    rows, cols = (np.array(pairs).T if pairs else np.zeros((2, 0), int)).astype(int)
    graph = csr_array((np.ones(len(rows)), (rows, cols)), shape=(n, n))
    reached = set(csgraph.breadth_first_order(graph, start, return_predecessors=False).tolist())
    for i, decision in enumerate(decisions):
        if i not in reached:
            raise SpaceError(
                f"decision {decision.name!r} of space {name!r} cannot be reached from "
                f"{decisions[start].name!r}: lead an action to it or leave it out."
            )
    _check_ends(name, decisions, edges, graph)
    _, component = csgraph.connected_components(graph, directed=True, connection="strong")
    self_loops = {i for i, j in pairs if i == j}
    members = [tuple(np.flatnonzero(component == component[i]).tolist()) for i in range(n)]
    return [m if len(m) > 1 or i in self_loops else () for i, m in enumerate(members)]


def _check_ends(name, decisions, edges, graph) -> None:
    ends = [i for i, targets in enumerate(edges) if DONE in targets]
    if not ends:
        raise SpaceError(f"space {name!r} has no end: lead some action to 'end'.")
    backwards = csr_array(graph.T)
    alive: set[int] = set()
    for end in ends:
        alive.update(
            csgraph.breadth_first_order(backwards, end, return_predecessors=False).tolist()
        )
    for i, decision in enumerate(decisions):
        if i not in alive:
            raise SpaceError(
                f"decision {decision.name!r} of space {name!r} never reaches the end: lead one "
                "of its actions, or of those after it, to 'end'."
            )


def _unroll(name, edges, rules, start):
    """All states `(decision, visits of its loop)` in order of discovery, and their targets."""
    first = enter(start, (), None, rules)
    states, table = {first: 0}, []
    queue = [first]
    for vertex, visits in queue:
        row = []
        for target in edges[vertex]:
            state = DONE if target == DONE else enter(target, visits, vertex, rules)
            if state not in (None, DONE) and state not in states:
                states[state] = len(states)
                queue.append(state)
            row.append(
                {None: -1, DONE: DONE}.get(state) if state in (None, DONE) else states[state]
            )
        table.append(row)
        if len(states) > MAX_STATES:
            raise SpaceError(
                f"space {name!r} unrolls to more than {MAX_STATES} states: lower 'max_visits' "
                "of its loops."
            )
    return queue, table


def _complete(table):
    """The number of walks to the end and the longest one, from each state; and states in use."""
    completions, longest = [0] * len(table), [0] * len(table)
    for state in _postorder(table):
        for target in table[state]:
            walks, steps = (1, 1) if target == DONE else (0, 0)
            if target >= 0 and completions[target]:
                walks, steps = completions[target], longest[target] + 1
            completions[state] += walks
            longest[state] = max(longest[state], steps)
    return [count > 0 for count in completions], completions, longest


def _postorder(table):
    done, stack = set(), [(0, False)]
    while stack:
        state, expanded = stack.pop()
        if expanded:
            yield state
        elif state not in done:
            done.add(state)
            stack.append((state, True))
            stack.extend((target, False) for target in table[state] if target >= 0)


def _build(decisions, states, table, keep, completions, longest, rules) -> Automaton:
    position = np.cumsum(keep) - 1
    width = max(len(decision.actions) for decision in decisions)
    rows = []
    for state, row in enumerate(table):
        if keep[state]:
            kept = [t if t < 0 else (int(position[t]) if keep[t] else -1) for t in row]
            rows.append(kept + [-1] * (width - len(kept)))
    kept_states = [state for state, k in zip(states, keep, strict=True) if k]
    return Automaton(
        next_state=np.array(rows, np.int32),
        vertex=np.array([v for v, _ in kept_states], np.int32),
        visit=np.array([visit_number(state, rules) for state in kept_states], np.int32),
        completions=tuple(c for c, k in zip(completions, keep, strict=True) if k),
        max_length=longest[0],
        acyclic=all(not visits for _, visits in states),
    )
