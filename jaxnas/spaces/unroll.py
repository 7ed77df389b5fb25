"""A graph of decisions as the padded sequence that a static search space needs instead.

The sequence asks every decision of every round of every loop and of every branch, in one fixed
order; decisions that the walk does not pass are dead. De Laroussilhe et al. 2018 (arXiv:1812.10666)
compare a graph space with such a static one.
"""

from __future__ import annotations

import dataclasses
import functools
import heapq
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.spaces.automaton import DONE
from jaxnas.spaces.graph import Decision, SearchSpace
from jaxnas.spaces.nesting import loop_heads


class Slot(NamedTuple):
    """A place in the static sequence: a decision, and the round of each loop that it is in."""

    vertex: int
    rounds: tuple[int, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Unrolled:
    """A graph space beside its static form; `T` and `L` are the lengths of their architectures.

    Attributes:
      graph: the space that was unrolled.
      space: its static form, a path of `L` decisions. Copies of a decision are one `group`.
      next_place: `int32 [P, A]`, where each action of the graph leads; `DONE` ends the walk. A
        place is a state of the graph together with its slot.
      slot: `int32 [P]`, the position of each place in the static sequence.
      graph_action: `int32 [P, A]`, the action of the graph that a static action means there. One
        that is closed there means the next open one.
      static_action: `int32 [P, A]`, the inverse.
    """

    graph: SearchSpace
    space: SearchSpace
    next_place: np.ndarray
    slot: np.ndarray
    graph_action: np.ndarray
    static_action: np.ndarray

    def to_walk(self, static: Any) -> jax.Array:
        """The architectures of the graph `int32 [N, T]` that static ones `[N, L]` mean."""
        return _follow(self, jnp.asarray(static, jnp.int32))[0]

    def live(self, static: Any) -> jax.Array:
        """Which decisions of static architectures `[N, L]` matter: `bool [N, L]`."""
        return _follow(self, jnp.asarray(static, jnp.int32))[1]

    def to_static(self, architectures: Any, dead: Any = 0) -> jax.Array:
        """Static architectures `int32 [N, L]` that mean those of the graph `[N, T]`.

        Args:
          architectures: of the graph.
          dead: what dead decisions get, `int` or `int32 [N, L]`.
        """
        return _fill(self, jnp.asarray(architectures, jnp.int32), jnp.asarray(dead, jnp.int32))


@functools.lru_cache(maxsize=64)
def unroll(space: SearchSpace) -> Unrolled:
    """Makes the static form of a space.

    A decision outside of loops stands in it once; one in a loop once for each round, as `NAME#1`,
    `NAME#2`, ... It has the actions that are open in some walk.

    Example:
      >>> more = Decision("layer", ("conv", "pool"))
      >>> unrolled = unroll(compose("net", loop(more, at_most=2)))
      >>> [decision.name for decision in unrolled.space.decisions]
      ['layer#1', 'more#1', 'layer#2', 'more#2']
      >>> unrolled.to_walk([[1, 0, 1, 0]])  # stops after the first round
      Array([[ 1,  0, -1, -1]], dtype=int32)
    """
    slots, table = _places(space)
    order = {slot: i for i, slot in enumerate(_sorted_slots(slots, table))}
    is_open: dict[Slot, np.ndarray] = {}
    for slot, row in zip(slots, table, strict=True):
        is_open[slot] = is_open.get(slot, np.zeros(len(row), bool)) | (row != -1)
    decisions = tuple(_copy(space, slot, is_open[slot]) for slot in order)
    labels = [np.flatnonzero(is_open[slot]) for slot in slots]
    to_graph, to_static = np.zeros_like(table), np.zeros_like(table)
    for place, (row, actions) in enumerate(zip(table, labels, strict=True)):
        opened = np.flatnonzero(row != -1)
        following = np.searchsorted(opened, actions) % len(opened)
        to_graph[place, : len(actions)] = opened[following]
        to_static[place, actions] = np.arange(len(actions))
    position = np.array([order[slot] for slot in slots], np.int32)
    static = SearchSpace(f"{space.name}_unrolled", decisions)
    return Unrolled(space, static, table, position, to_graph, to_static)


def _places(space: SearchSpace) -> tuple[list[Slot], np.ndarray]:
    """The slot of each place, and where its actions lead: `int32 [P, A]`."""
    automaton = space.automaton
    edges: list[set[int]] = [set() for _ in space.decisions]
    for state, row in enumerate(automaton.next_state):
        edges[automaton.vertex[state]].update(automaton.vertex[row[row >= 0]].tolist())
    start = int(automaton.vertex[0])
    heads = loop_heads([tuple(sorted(targets)) for targets in edges], start)
    first = (0, _arrive(heads, None, start))
    places, queue, table = {first: 0}, [first], []
    for state, slot in queue:
        row = automaton.next_state[state].copy()
        for action in np.flatnonzero(row >= 0):
            target = int(row[action])
            place = (target, _arrive(heads, slot, int(automaton.vertex[target])))
            if place not in places:
                places[place] = len(queue)
                queue.append(place)
            row[action] = places[place]
        table.append(row)
    return [slot for _, slot in queue], np.array(table, np.int32)


def _arrive(heads: list[tuple[int, ...]], source: Slot | None, vertex: int) -> Slot:
    """The slot of a vertex that is reached from another one; at a head a new round begins."""
    rounds = [0] * len(heads[vertex])
    if source is not None:
        pairs = zip(heads[source.vertex], heads[vertex], source.rounds, strict=False)
        for i, (before, now, count) in enumerate(pairs):
            if before != now:
                break
            rounds[i] = count
    if vertex in heads[vertex]:
        rounds[-1] += 1
    return Slot(vertex, tuple(rounds))


def _sorted_slots(slots: list[Slot], table: np.ndarray) -> list[Slot]:
    """The slots in an order in which every walk only goes ahead, close to that of discovery."""
    first: dict[Slot, int] = {}
    for slot in slots:
        first.setdefault(slot, len(first))
    after: dict[Slot, set[Slot]] = {slot: set() for slot in first}
    for slot, row in zip(slots, table, strict=True):
        after[slot].update(slots[target] for target in row[row >= 0])
    waiting = dict.fromkeys(first, 0)
    for targets in after.values():
        for target in targets:
            waiting[target] += 1
    ready = [(first[slot], slot) for slot, count in waiting.items() if count == 0]
    result = []
    while ready:
        _, slot = heapq.heappop(ready)
        result.append(slot)
        for target in after[slot]:
            waiting[target] -= 1
            if not waiting[target]:
                heapq.heappush(ready, (first[target], target))
    return result


def _copy(space: SearchSpace, slot: Slot, is_open: np.ndarray) -> Decision:
    decision = space.decisions[slot.vertex]
    kept = np.flatnonzero(is_open[: len(decision.actions)])
    points_at, node = decision.points_at, decision.node
    name = decision.name
    if slot.rounds:
        # In a loop a node is another one in each round, so that names cannot point at it.
        name, points_at, node = f"{name}#{'.'.join(map(str, slot.rounds))}", None, None
    return Decision(
        name,
        tuple(decision.actions[a] for a in kept),
        points_at=points_at and tuple(points_at[a] for a in kept),
        node=node,
        group=decision.group or decision.name,
    )


@functools.partial(jax.jit, static_argnums=0)
def _follow(unrolled: Unrolled, static: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The walks `[..., T]` that static architectures `[..., L]` mean, and what they read."""
    table, slot = jnp.asarray(unrolled.next_place), jnp.asarray(unrolled.slot)
    meaning = jnp.asarray(unrolled.graph_action)

    def step(carry, _):
        place, live = carry
        walking, here = place >= 0, slot[jnp.maximum(place, 0)]
        chosen = jnp.take_along_axis(static, here[..., None], axis=-1)[..., 0]
        action = meaning[jnp.maximum(place, 0), chosen]
        following = jnp.where(walking, table[jnp.maximum(place, 0), action], DONE)
        reads = walking[..., None] & (here[..., None] == jnp.arange(static.shape[-1]))
        return (following, live | reads), jnp.where(walking, action, -1)

    start = (jnp.zeros(static.shape[:-1], jnp.int32), jnp.zeros(static.shape, bool))
    (_, live), actions = jax.lax.scan(step, start, length=unrolled.graph.max_length)
    return jnp.moveaxis(actions, 0, -1), live


@functools.partial(jax.jit, static_argnums=0)
def _fill(unrolled: Unrolled, architectures: jax.Array, dead: jax.Array) -> jax.Array:
    table, slot = jnp.asarray(unrolled.next_place), jnp.asarray(unrolled.slot)
    meaning = jnp.asarray(unrolled.static_action)
    index = jnp.arange(unrolled.space.max_length)

    def step(carry, action):
        place, static = carry
        here = jnp.maximum(place, 0)
        writes = (place >= 0)[..., None] & (slot[here][..., None] == index)
        action = jnp.maximum(action, 0)
        static = jnp.where(writes, meaning[here, action][..., None], static)
        return (jnp.where(place >= 0, table[here, action], DONE), static), None

    leading = architectures.shape[:-1]
    start = (jnp.zeros(leading, jnp.int32), jnp.broadcast_to(dead, (*leading, len(index))))
    (_, static), _ = jax.lax.scan(step, start, jnp.moveaxis(architectures, -1, 0))
    return static
