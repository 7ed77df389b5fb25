"""From a design, made of parts, to the graph of decisions that it means."""

from __future__ import annotations

import dataclasses
import functools

from jaxnas.spaces.automaton import DONE, loops_of, resolve_edges
from jaxnas.spaces.errors import SpaceError
from jaxnas.spaces.graph import END, Decision, SearchSpace
from jaxnas.spaces.parts import Branch, Loop, Part, Sequence, decisions_of, sequence


def compose(name: str, *parts: Part) -> SearchSpace:
    """Makes a search space of parts that are decided on one after the other.

    A part is a `Decision`, a `branch`, a `loop`, an `optional`, a `sequence`, or another
    `SearchSpace`. One decision may stand in several places: where the same follows it, it is one
    vertex of the graph, which all of them share; otherwise name the copies by `within`.

    Args:
      name: the name of the space.
      parts: the parts, each with its decisions' names unique in the whole design.

    Raises:
      SpaceError: naming the decision at fault.

    Example:
      >>> space = compose(
      ...     "network",
      ...     loop(Decision("width", ("16", "32")), Decision("act", ("relu", "tanh")), at_most=3),
      ...     branch("optimizer", {
      ...         "sgd": Decision("sgd_rate", ("0.1", "0.3", "1")),
      ...         "adam": Decision("adam_rate", ("0.001", "0.01")),
      ...     }),
      ... )
      >>> space.count()  # (4 + 16 + 64) * (3 + 2)
      420
    """
    design = sequence(*parts)
    vertices: dict[str, Decision] = {}
    start = _lower(design, _Place(name, END, vertices))
    if start == END:
        raise SpaceError(f"space {name!r} has no decisions: give at least one.")
    order = dict.fromkeys(decision.name for decision in decisions_of(design))
    return SearchSpace(name, tuple(vertices[n] for n in order), start=start)


@dataclasses.dataclass(frozen=True)
class _Place:
    """Where a part stands.

    Attributes:
      space: the name of the whole.
      following: the vertex after the part.
      vertices: the vertices so far; new ones are added.
      loop: the `more` of the innermost loop that this place is in.
    """

    space: str
    following: str
    vertices: dict[str, Decision]
    loop: str | None = None

    def add(self, decision: Decision) -> str:
        """Adds a vertex, unless it is there already; returns its name."""
        there = self.vertices.setdefault(decision.name, decision)
        if there != decision:
            raise SpaceError(
                f"decision {decision.name!r} stands at two places of space {self.space!r}, and "
                "differs or is not followed by the same: tell the places apart with "
                "within('first', ...) and within('second', ...)."
            )
        return decision.name

    def followed(self, decision: Decision, following: str | tuple[str, ...]) -> Decision:
        # In a loop the rounds are counted where they end, and nowhere else.
        return dataclasses.replace(
            decision, next=following, max_visits=1 if self.loop is None else None
        )


@functools.singledispatch
def _lower(part: Part, place: _Place) -> str:
    """Adds the vertices of a part; returns the name of the first."""
    raise SpaceError(f"{part!r} is no part of a design.")


@_lower.register
def _(part: Decision, place: _Place) -> str:
    return place.add(place.followed(part, place.following))


@_lower.register
def _(part: Sequence, place: _Place) -> str:
    for inner in reversed(part.parts):
        place = dataclasses.replace(place, following=_lower(inner, place))
    return place.following


@_lower.register
def _(part: Branch, place: _Place) -> str:
    targets = tuple(_lower(inner, place) for inner in part.parts)
    return place.add(place.followed(part.decision, targets))


@_lower.register
def _(part: Loop, place: _Place) -> str:
    more = part.more.name
    inside = dataclasses.replace(place, following=more, loop=more)
    first = _lower(part.body, inside)
    if first == more:
        raise SpaceError(f"loop {more!r} of space {place.space!r} has no decision in its body.")
    place.add(dataclasses.replace(part.more, next=(place.following, first), per=place.loop))
    return first


@_lower.register
def _(part: SearchSpace, place: _Place) -> str:
    decisions = part.decisions
    edges = resolve_edges(part.name, decisions, part.start)
    loops = loops_of(part.name, decisions, edges, part.vertex_index[part.start])
    for decision, targets, members in zip(decisions, edges, loops, strict=True):
        names = tuple(place.following if t == DONE else decisions[t].name for t in targets)
        following = names[0] if len(set(names)) == 1 else names
        if members:  # Its own loop, counted anew in each round of the one around it.
            per = None if decision.max_visits is None else decision.per or place.loop
            place.add(dataclasses.replace(decision, next=following, per=per))
        else:
            place.add(place.followed(decision, following))
    return part.start
