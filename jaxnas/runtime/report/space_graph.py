"""A search space as a picture: decisions are vertices, actions are edges."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from jaxnas.runtime.report.drawing import draw_panels
from jaxnas.runtime.report.graphs import readable
from jaxnas.spaces import END, Decision, SearchSpace

LABEL_CHARACTERS = 34


def draw_space(
    space: SearchSpace, probabilities: Mapping[str, Sequence[float]] | None = None
) -> Figure:
    """Draws a search space as the graph of its decisions.

    Args:
      space: the space.
      probabilities: for some or all decisions, the probability of each action, written on the
        edges.
    """
    return draw_panels(drawing_of_space(space, probabilities))


def drawing_of_space(
    space: SearchSpace, probabilities: Mapping[str, Sequence[float]] | None = None
) -> dict[str, Any]:
    """The content of a `drawing.json` for a search space; see `draw_space`."""
    start = "\0start"
    nodes = [{"id": start, "label": "start", "kind": "input"}]
    edges: list[list[str]] = [[start, space.start]]
    for i, decision in enumerate(space.decisions):
        group = decision.group or "decision"
        label = readable(decision.name)
        if (decision.max_visits or 1) > 1:
            label += f"\nat most {decision.max_visits} times"
            label += f"\nper {readable(decision.per)}" if decision.per else ""
        nodes.append({"id": decision.name, "label": label, "kind": "operation", "group": group})
        chances = (probabilities or {}).get(decision.name)
        for target, actions in _targets(space, i, decision).items():
            edges.append([decision.name, target, _label(decision, actions, chances)])
    nodes.append({"id": END, "label": END, "kind": "output"})
    return {"panels": [{"title": readable(space.name), "nodes": nodes, "edges": edges}]}


def _targets(space: SearchSpace, index: int, decision: Decision) -> dict[str, list[int]]:
    """The actions that lead to each vertex."""
    following = decision.next
    if following is None:
        last = index + 1 == len(space.decisions)
        following = END if last else space.decisions[index + 1].name
    if isinstance(following, str):
        following = (following,) * len(decision.actions)
    targets: dict[str, list[int]] = {}
    for action, target in enumerate(following):
        targets.setdefault(target, []).append(action)
    return targets


def _label(decision: Decision, actions: Sequence[int], chances: Sequence[float] | None) -> str:
    texts = []
    for action in actions:
        chance = "" if chances is None else f" {chances[action]:.0%}"
        # A no-break space keeps an action and its probability on one line.
        texts.append((readable(decision.actions[action]) + chance).replace(" ", "\u00a0"))
    return "\n".join(
        textwrap.wrap("\u00a0| ".join(texts), LABEL_CHARACTERS, break_on_hyphens=False)
    )
