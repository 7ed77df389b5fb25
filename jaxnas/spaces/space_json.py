"""Search spaces as JSON: what a decision says, without what it leaves at its default."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jaxnas.spaces.errors import SpaceError

if TYPE_CHECKING:
    from jaxnas.spaces.graph import Decision, SearchSpace

VERSION = 1


def to_json(space: SearchSpace) -> dict[str, Any]:
    """See `SearchSpace.to_json`."""
    return {
        "name": space.name,
        "version": VERSION,
        "start": space.start,
        "decisions": [_decision_to_json(decision) for decision in space.decisions],
    }


def from_json(encoded: Mapping[str, Any]) -> SearchSpace:
    """See `SearchSpace.from_json`."""
    from jaxnas.spaces.graph import SearchSpace

    if not isinstance(encoded, Mapping) or not isinstance(encoded.get("decisions"), list):
        raise SpaceError("the JSON of a space is a mapping with 'name', 'version', 'decisions'.")
    if encoded.get("version") != VERSION:
        raise SpaceError(
            f"the space has version {encoded.get('version')!r}; this jaxnas reads {VERSION}."
        )
    _check_keys("the space", encoded, {"name", "version", "start", "decisions"}, {"name"})
    decisions = tuple(_decision_from_json(i, d) for i, d in enumerate(encoded["decisions"]))
    return SearchSpace(encoded["name"], decisions, start=encoded.get("start", ""))


def _decision_to_json(decision: Decision) -> dict[str, Any]:
    values = {}
    for field in dataclasses.fields(decision):
        value = getattr(decision, field.name)
        if value != field.default:
            values[field.name] = list(value) if isinstance(value, tuple) else value
    return values


def _decision_from_json(index: int, encoded: Any) -> Decision:
    from jaxnas.spaces.graph import Decision

    where = f"decision {index} of the space"
    if not isinstance(encoded, Mapping):
        raise SpaceError(f"{where} is {encoded!r}, not a mapping.")
    known = {field.name for field in dataclasses.fields(Decision)}
    _check_keys(where, encoded, known, {"name", "actions"})
    return Decision(**encoded)


def _check_keys(where: str, encoded: Mapping[str, Any], known: set[str], needed: set[str]) -> None:
    for key in needed - set(encoded):
        raise SpaceError(f"{where} lacks {key!r}.")
    for key in set(encoded) - known:
        near = difflib.get_close_matches(str(key), sorted(known), 1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise SpaceError(f"{where} has {key!r}, which means nothing there{hint}.")
