"""What a recurrent policy needs to know of a space, as tables of arrays."""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import jax
import numpy as np

from jaxnas.spaces import Decision, SearchSpace
from jaxnas.spaces.automaton import DONE

Array = jax.Array | np.ndarray
Biases = tuple[tuple[str, tuple[float, ...]], ...]
"""Pairs of a decision and one number for each of its actions."""


class Rows(NamedTuple):
    """What holds at one step; `...` is `[N]`, or nothing where all walks share their state.

    Attributes:
      is_open: `bool [..., A]`, the actions that can be taken.
      head: `int32 [...]`, the output head of the decision.
      visit: `int32 [...]`, the number of the visit, from 0, as `Automaton.visit` has it.
      pointing: `bool [...]`, whether the decision points at nodes.
      nodes: `int32 [..., P]`, the nodes that it points at (`K`, no node, as padding).
      scores: `[..., P, A]`, maps the logits of the nodes to those of the actions.
      picks: `[..., A, P]`, which node each action points at.
      made: `int32 [...]`, the node that the decision makes (`K` if none).
      bias: `[..., A]`, what is added to the logits.
    """

    is_open: Array
    head: Array
    visit: Array
    pointing: Array
    nodes: Array
    scores: Array
    picks: Array
    made: Array
    bias: Array


class Tables(NamedTuple):
    """The tables of a space for a recurrent policy.

    Attributes:
      path: whether all walks are in the same state at each step.
      rows: `Rows` for every state, with `...` = `[S]`; `S = T` for a path.
      next_state: `int32 [S, A]`, as in the automaton of the space.
      num_heads: `G`, one head per decision, or per group.
      step_heads: `int32 [T, M]`, the heads that can be needed at each step.
      slots: `int32 [T, G]`, the position of each head in `step_heads`.
      num_visits: `R`, how many numbers of visits there are.
      num_nodes: `K`; 0 if no decision points.
    """

    path: bool
    rows: Rows
    next_state: np.ndarray
    num_heads: int
    step_heads: np.ndarray
    slots: np.ndarray
    num_visits: int
    num_nodes: int


@functools.lru_cache(maxsize=64)
def make_tables(space: SearchSpace, share_heads: bool, biases: Biases = ()) -> Tables:
    """Builds the tables; `share_heads`: decisions of one group share a head."""
    automaton = space.automaton
    heads = decision_heads(space, share_heads)
    pointers = _pointers(space)
    is_open = automaton.next_state != -1
    per_vertex = (heads, *pointers, bias_table(space, biases))
    head, pointing, nodes, scores, picks, made, bias = (x[automaton.vertex] for x in per_vertex)
    visit = automaton.visit
    rows = Rows(is_open, head, visit, pointing, nodes, scores, picks, made, bias)
    by_step = _states_by_step(automaton.next_state, automaton.max_length)
    step_heads, slots = _step_heads([head[list(states)] for states in by_step], heads.max() + 1)
    together = all(len(states) == 1 for states in by_step)
    ends_early = any((automaton.next_state[s] == DONE).any() for s in by_step[:-1])
    path = together and not ends_early
    num_nodes = len(space.nodes) if pointing.any() else 0
    return Tables(
        path=path,
        rows=rows,
        next_state=automaton.next_state,
        num_heads=int(heads.max()) + 1,
        step_heads=step_heads,
        slots=slots,
        num_visits=int(automaton.visit.max()) + 1,
        num_nodes=num_nodes,
    )


def bias_table(space: SearchSpace, biases: Biases) -> np.ndarray:
    """The biases of each decision `float32 [V, A]`, zero where none are given.

    Raises:
      ValueError: an unknown decision, or not one finite number for each of its actions.
    """
    table = np.zeros((len(space.decisions), space.max_actions), np.float32)
    for name, values in biases:
        if name not in space.vertex_index:
            raise ValueError(f"biases are given for {name!r}, which is no decision of the space.")
        vertex = space.vertex_index[name]
        actions = space.decisions[vertex].actions
        if len(values) != len(actions):
            raise ValueError(
                f"{len(values)} biases are given for decision {name!r}: give one for each of its "
                f"{len(actions)} actions."
            )
        if not all(map(math.isfinite, values)):
            raise ValueError(
                f"the biases of decision {name!r} are {list(values)}: give finite ones, such as "
                "-20 for an action that is hardly ever taken."
            )
        table[vertex, : len(values)] = values
    return table


def decision_heads(space: SearchSpace, share_heads: bool) -> np.ndarray:
    """The head of each decision, `int32 [V]`."""
    keys: dict[str, int] = {}
    heads = []
    for decision in space.decisions:
        shared = share_heads and decision.group is not None
        key = f"group {decision.group}" if shared else f"decision {decision.name}"
        heads.append(keys.setdefault(key, len(keys)))
    return np.array(heads, np.int32)


def _states_by_step(next_state: np.ndarray, length: int) -> list[list[int]]:
    """The states that some walk can be in at each step."""
    by_step: list[list[int]] = [[0]]
    while len(by_step) < length:
        targets = np.unique(next_state[by_step[-1]])
        by_step.append([int(t) for t in targets if t >= 0])
    return by_step


def _step_heads(heads: list[np.ndarray], num_heads: int) -> tuple[np.ndarray, np.ndarray]:
    used = [np.unique(h) for h in heads]
    width = max(len(h) for h in used)
    step_heads = np.zeros((len(used), width), np.int32)
    slots = np.zeros((len(used), num_heads), np.int32)
    for step, h in enumerate(used):
        step_heads[step] = np.resize(h, width)
        slots[step, h] = np.arange(len(h))
    return step_heads, slots


def _pointers(space: SearchSpace) -> tuple[np.ndarray, ...]:
    """`pointing`, `nodes`, `scores`, `picks`, `made` for each decision."""
    index = {node: i for i, node in enumerate(space.nodes)}
    none = len(index)
    targets = [_targets(decision) for decision in space.decisions]
    num, width = len(targets), max(1, *(len(t) for t in targets))
    nodes = np.full((num, width), none, np.int32)
    scores = np.zeros((num, width, space.max_actions), np.float32)
    picks = np.zeros((num, space.max_actions, width), np.float32)
    for v, (decision, names) in enumerate(zip(space.decisions, targets, strict=True)):
        nodes[v, : len(names)] = [index[name] for name in names]
        for action, node in enumerate(decision.points_at or ()):
            if node is not None:
                picks[v, action, names.index(node)] = 1
                scores[v, names.index(node), action] = 1
            elif names:
                scores[v, : len(names), action] = -1 / len(names)
    pointing = np.array([bool(t) for t in targets])
    made = np.array([index.get(d.node or "", none) for d in space.decisions], np.int32)
    return pointing, nodes, scores, picks, made


def _targets(decision: Decision) -> tuple[str, ...]:
    """The different nodes that a decision points at."""
    return tuple(dict.fromkeys(n for n in decision.points_at or () if n is not None))
