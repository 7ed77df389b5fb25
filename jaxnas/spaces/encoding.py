"""Architectures as JSON that a person can read, and spaces as tables of text."""

from __future__ import annotations

import decimal
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxnas.spaces.automaton import DONE
from jaxnas.spaces.errors import SpaceError

if TYPE_CHECKING:
    from jaxnas.spaces.graph import SearchSpace

VERSION = 1


class Choices(Mapping[str, int]):
    """The actions of one architecture by the name of the decision.

    `choices[name]` is the action of a decision's first visit; `choices.visits(name)` are the
    actions of all its visits in order, empty if the walk does not pass it.
    """

    def __init__(self, walk: tuple[tuple[str, int], ...]):
        self.walk = walk
        self._visits: dict[str, list[int]] = {}
        for name, action in walk:
            self._visits.setdefault(name, []).append(action)

    def __getitem__(self, name: str) -> int:
        return self._visits[name][0]

    def visits(self, name: str) -> tuple[int, ...]:
        """The actions taken at each visit of a decision."""
        return tuple(self._visits.get(name, ()))

    def __iter__(self) -> Iterator[str]:
        return iter(self._visits)

    def __len__(self) -> int:
        return len(self._visits)


def choices(space: SearchSpace, architecture: Any) -> Choices:
    """See `SearchSpace.choices`. The architecture is taken to be valid."""
    table, vertex = space.automaton.next_state, space.automaton.vertex
    state, walk = 0, []
    for action in np.asarray(architecture).tolist():
        if state == DONE:
            break
        walk.append((space.decisions[vertex[state]].name, action))
        state = int(table[state, action])
    return Choices(tuple(walk))


def encode(space: SearchSpace, architecture: Any) -> dict[str, Any]:
    """See `SearchSpace.encode`."""
    walk = choices(space, space.validate(architecture)).walk
    actions = {decision.name: decision.actions for decision in space.decisions}
    pairs = [[name, actions[name][action]] for name, action in walk]
    return {"space": space.name, "version": VERSION, "walk": pairs}


def decode(space: SearchSpace, encoded: Mapping[str, Any]) -> np.ndarray:
    """See `SearchSpace.decode`."""
    _check_header(space, encoded)
    actions: list[int] = []
    state = 0
    for step, pair in enumerate(encoded["walk"]):
        if state == DONE:
            raise SpaceError(f"the walk of space {space.name!r} goes on after its end: {pair}.")
        decision = space.decisions[space.automaton.vertex[state]]
        actions.append(_action(space, decision, step, pair))
        state = int(space.automaton.next_state[state, actions[-1]])
        if state == -1:
            raise SpaceError(f"step {step} of the walk passes a visit cap: {pair}.")
    if state != DONE:
        raise SpaceError(f"the walk of space {space.name!r} stops before the end.")
    return np.array(actions + [-1] * (space.max_length - len(actions)), np.int32)


def _check_header(space: SearchSpace, encoded: Mapping[str, Any]) -> None:
    if not isinstance(encoded, Mapping) or not isinstance(encoded.get("walk"), list):
        raise SpaceError("an encoded architecture is a mapping with 'space', 'version', 'walk'.")
    if encoded.get("space") != space.name:
        raise SpaceError(
            f"the architecture belongs to space {encoded.get('space')!r}, not to {space.name!r}."
        )
    if encoded.get("version") != VERSION:
        raise SpaceError(
            f"the encoding has version {encoded.get('version')!r}; this jaxnas reads {VERSION}."
        )


def _action(space: SearchSpace, decision, step: int, pair: Any) -> int:
    if not isinstance(pair, (list, tuple)) or len(pair) != 2:
        raise SpaceError(f"step {step} of the walk is {pair!r}, not [decision, action].")
    name, action = pair
    if name != decision.name:
        raise SpaceError(
            f"step {step} of the walk is decision {name!r}; space {space.name!r} asks "
            f"{decision.name!r} there."
        )
    if action not in decision.actions:
        raise SpaceError(
            f"decision {name!r} has no action {action!r}; it has {list(decision.actions)}."
        )
    return decision.actions.index(action)


def count_text(count: int) -> str:
    """A number of architectures for people: exact below 10^9, else rounded, at any size.

    Example:
      >>> count_text(14641), count_text(5**500)
      ('14,641', '3.055e+349')
    """
    # Not as a float, which ends at 10^308.
    return f"{count:,}" if abs(count) < 10**9 else f"{decimal.Decimal(count):.3e}"


def describe(space: SearchSpace) -> str:
    """See `SearchSpace.describe`."""
    lines = [
        f"space {space.name}: {count_text(space.count())} architectures, "
        f"{len(space.decisions)} decisions, walks of up to "
        f"{space.max_length} steps, {'acyclic' if space.acyclic else 'with loops'}"
    ]
    width = max(len(decision.name) for decision in space.decisions)
    for decision in space.decisions:
        target = decision.next
        leads = (
            "" if target is None else f" -> {target if isinstance(target, str) else list(target)}"
        )
        per = f" per visit of {decision.per}" if decision.per else ""
        cap = (
            f" (at most {decision.max_visits} visits{per})"
            if (decision.max_visits or 1) > 1
            else ""
        )
        lines.append(f"  {decision.name:<{width}}  {' | '.join(decision.actions)}{leads}{cap}")
    return "\n".join(lines)
