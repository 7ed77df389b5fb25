"""The checks of one decision by itself; those of the graph are made where it is compiled."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, Any

from jaxnas.spaces.errors import SpaceError

if TYPE_CHECKING:
    from jaxnas.spaces.graph import Decision

END = "end"
"""The name of the vertex at which every walk stops."""


def check_text(where: str, field: str, value: Any) -> None:
    """Raises `SpaceError` naming the field unless a value is a string."""
    if not isinstance(value, str):
        raise SpaceError(f"{where}: {field!r} is {value!r}; it must be a string.")


def check_decision(decision: Decision) -> None:
    """Raises `SpaceError` naming the decision and the field that is malformed."""
    where = f"decision {decision.name!r}"
    check_text(where, "name", decision.name)
    if not decision.name or decision.name == END:
        raise SpaceError(f"{where}: the name must be non-empty and not {END!r}.")
    for field in ("node", "group", "per"):
        if getattr(decision, field) is not None:
            check_text(where, field, getattr(decision, field))
    _check_actions(where, decision.actions)
    _check_next(where, decision.next, len(decision.actions))
    _check_points_at(where, decision.points_at, len(decision.actions))
    _check_max_visits(where, decision.max_visits)


def _check_actions(where: str, actions: Any) -> None:
    if not isinstance(actions, tuple) or not actions:
        raise SpaceError(f"{where}: 'actions' must be a non-empty tuple of labels.")
    for label in actions:
        if not isinstance(label, str):
            raise SpaceError(
                f"{where}: 'actions' holds {label!r}; give the label of each action as a string."
            )
    if len(set(actions)) != len(actions):
        raise SpaceError(f"{where}: two actions have the same label in {actions}.")


def _check_next(where: str, value: Any, actions: int) -> None:
    names = value if isinstance(value, tuple) else () if value is None else (value,)
    if not all(isinstance(name, str) for name in names):
        raise SpaceError(
            f"{where}: 'next' is {value!r}; give the name of one decision, or one per action."
        )
    if isinstance(value, tuple):
        _check_length(where, "next", value, actions)


def _check_points_at(where: str, value: Any, actions: int) -> None:
    if value is None:
        return
    if not isinstance(value, tuple) or not all(n is None or isinstance(n, str) for n in value):
        raise SpaceError(
            f"{where}: 'points_at' is {value!r}; give the name of a node, or None, for each action."
        )
    _check_length(where, "points_at", value, actions)


def _check_length(where: str, field: str, value: tuple, actions: int) -> None:
    if len(value) != actions:
        raise SpaceError(
            f"{where}: {field!r} has {len(value)} entries for {actions} "
            "actions: give one entry per action."
        )


def _check_max_visits(where: str, value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, numbers.Integral) or isinstance(value, bool):
        raise SpaceError(f"{where}: 'max_visits' is {value!r}; it must be a whole number or None.")
    if value < 1:
        raise SpaceError(f"{where}: 'max_visits' is {value}; it must be >= 1.")
