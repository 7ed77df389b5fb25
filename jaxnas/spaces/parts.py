"""The parts that a design is made of: sequences, branches, loops, and other spaces.

A `Decision` is the smallest part; what follows it comes from where it stands in the design.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from jaxnas.spaces.errors import SpaceError
from jaxnas.spaces.graph import Decision, SearchSpace


@dataclasses.dataclass(frozen=True)
class Sequence:
    """Parts, one after the other; see `sequence`."""

    parts: tuple[Part, ...]


@dataclasses.dataclass(frozen=True)
class Branch:
    """A decision each of whose actions leads through its own part; see `branch`."""

    decision: Decision
    parts: tuple[Part, ...]


@dataclasses.dataclass(frozen=True)
class Loop:
    """A part that is walked through again until the decision `more` says "stop"; see `loop`."""

    body: Part
    more: Decision


Part = Decision | SearchSpace | Sequence | Branch | Loop
"""What `compose` makes a space of."""


def sequence(*parts: Part) -> Sequence:
    """Parts one after the other.

    Example:
      >>> sequence(Decision("width", ("16", "32")), Decision("act", ("relu", "tanh")))
    """
    for part in parts:
        check_part(part)
    return Sequence(parts)


def branch(name: str, parts: Mapping[str, Part | None], *, group: str | None = None) -> Branch:
    """A decision each of whose actions opens its own part; all meet again after the branch.

    Args:
      name: the name of the decision.
      parts: what each action leads to; `None` for nothing.
      group: as in `Decision`.

    Example:
      >>> rates = Decision("sgd_rate", ("0.1", "0.3"))
      >>> branch("optimizer", {"sgd": rates, "closed_form": None})
    """
    filled = tuple(sequence() if part is None else part for part in parts.values())
    for part in filled:
        check_part(part)
    return Branch(Decision(name, tuple(parts), group=group), filled)


def optional(name: str, *parts: Part) -> Branch:
    """A decision "no" or "yes"; the parts are decided on only after "yes".

    Example:
      >>> optional("dropout", Decision("rate", ("0.1", "0.5")))
    """
    return branch(name, {"no": None, "yes": sequence(*parts)})


def loop(*parts: Part, at_most: int, more: str = "more") -> Loop:
    """Parts that are decided on again and again, at most so many times, at least once.

    After each round the decision `more` is "stop" or "again"; after the last only "stop" is open.
    Loops may stand in loops: the rounds of the inner one are counted anew in each of the outer.

    Args:
      parts: the body.
      at_most: the largest number of rounds.
      more: the name of the decision after each round.

    Example:
      >>> loop(Decision("layer", ("conv", "pool")), at_most=8)
    """
    if at_most < 1:
        raise SpaceError(f"loop {more!r}: 'at_most' is {at_most}; it must be >= 1.")
    if not parts:
        raise SpaceError(f"loop {more!r} has no body: give at least one part.")
    return Loop(sequence(*parts), Decision(more, ("stop", "again"), max_visits=at_most))


def within(prefix: str, *parts: Part) -> Part:
    """The parts with `prefix/` before the names of their decisions and of the nodes they make.

    So one sub-design can stand in several places. The copies of a decision get one `group` (its
    own, or its name), by which a policy may share their head.

    Example:
      >>> cell = Decision("op", ("conv", "pool"))
      >>> sequence(within("first", cell), within("second", cell)).parts[1].parts[0].name
      'second/op'
    """
    whole = sequence(*parts)
    made = {decision.node for decision in decisions_of(whole)} - {None}
    return _prefixed(prefix, whole, made)


def check_part(part: object) -> None:
    """Raises `SpaceError` for what is no part, or a decision that says itself what follows."""
    if not isinstance(part, Part):
        raise SpaceError(f"{part!r} is no part of a design: give a Decision, a SearchSpace, ...")
    if isinstance(part, Decision) and (part.next is not None or part.max_visits != 1 or part.per):
        raise SpaceError(
            f"decision {part.name!r}: 'next', 'max_visits' and 'per' come from the design: leave "
            "them out, and use branch and loop."
        )


def decisions_of(part: Part) -> Iterator[Decision]:
    """The decisions of a part in the order in which the design names them."""
    if isinstance(part, Decision):
        yield part
    elif isinstance(part, SearchSpace):
        yield from part.decisions
    elif isinstance(part, Loop):
        yield from decisions_of(part.body)
        yield part.more
    else:
        if isinstance(part, Branch):
            yield part.decision
        for inner in part.parts:
            yield from decisions_of(inner)


def _prefixed(prefix: str, part: Part, made: set) -> Part:
    if isinstance(part, Decision):
        return _prefixed_decision(prefix, part, made)
    if isinstance(part, SearchSpace):
        decisions = tuple(_prefixed_decision(prefix, d, made) for d in part.decisions)
        return SearchSpace(part.name, decisions, f"{prefix}/{part.start}")
    if isinstance(part, Loop):
        more = _prefixed_decision(prefix, part.more, made)
        return Loop(_prefixed(prefix, part.body, made), more)
    inner = tuple(_prefixed(prefix, p, made) for p in part.parts)
    if isinstance(part, Branch):
        return Branch(_prefixed_decision(prefix, part.decision, made), inner)
    return Sequence(inner)


def _prefixed_decision(prefix: str, decision: Decision, made: set) -> Decision:
    def node(name: str | None) -> str | None:
        return f"{prefix}/{name}" if name in made else name

    def vertex(name: str) -> str:
        return name if name == "end" else f"{prefix}/{name}"

    following, points_at = decision.next, decision.points_at
    return dataclasses.replace(
        decision,
        name=vertex(decision.name),
        next=vertex(following)
        if isinstance(following, str)
        else following and tuple(vertex(name) for name in following),
        points_at=points_at and tuple(node(name) for name in points_at),
        node=node(decision.node),
        per=decision.per and vertex(decision.per),
        group=decision.group or decision.name,
    )
