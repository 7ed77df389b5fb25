"""The policy as a heat map: decisions down, actions across."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from jaxnas.runtime.report import style
from jaxnas.runtime.report.graphs import readable
from jaxnas.runtime.report.graphs.scene import text_width
from jaxnas.runtime.report.reading import PolicyTable

CELL, ROW, MARGIN = 0.34, 0.2, 0.22
MOST_ROWS, PAGE_WIDTH = 24, 9.6
FONT_SIZE = 8.0


@dataclasses.dataclass(frozen=True)
class Block:
    """Decisions with the same actions, drawn as one table; sizes in inches."""

    rows: tuple[int, ...]
    names: tuple[str, ...]
    actions: tuple[str, ...]

    @property
    def label_width(self) -> float:
        """Room for the names of the decisions."""
        return max(text_width(name, FONT_SIZE) for name in self.names) + 0.12

    @property
    def head(self) -> float:
        """Room for the labels of the actions, which stand upright unless they are short."""
        longest = max(text_width(action, FONT_SIZE) for action in self.actions)
        return 0.2 if longest < CELL - 0.04 else longest + 0.1

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the table with its labels."""
        width = self.label_width + CELL * len(self.actions)
        return width + MARGIN, self.head + ROW * len(self.rows) + MARGIN


def blocks(table: PolicyTable) -> list[Block]:
    """Splits the decisions into tables: by their actions, then into columns of readable length.

    Decisions whose actions begin those of another (pointers at 2, 3, ... earlier nodes) share its
    table.
    """
    groups: dict[tuple[str, ...], list[int]] = {}
    for actions in sorted(set(table.actions), key=len, reverse=True):
        host = next((g for g in groups if g[: len(actions)] == actions), actions)
        rows = [i for i, own in enumerate(table.actions) if own == actions]
        groups[host] = sorted(groups.get(host, []) + rows)
    result = []
    for actions, rows in sorted(groups.items(), key=lambda item: item[1][0]):
        columns = math.ceil(len(rows) / MOST_ROWS)
        for part in np.array_split(rows, columns):
            names = tuple(readable(table.decisions[i]) for i in part)
            labels = tuple(readable(action) for action in actions)
            result.append(Block(tuple(int(i) for i in part), names, labels))
    return result


@style.in_style()
def draw_policy(
    table: PolicyTable | None, chosen: Mapping[str, Sequence[str]] | None = None
) -> Figure | None:
    """Draws the probabilities of a policy.

    Args:
      table: the probabilities; `None` gives `None`.
      chosen: the actions that the final architecture takes at its decisions; marked by dots.

    Returns:
      The figure, `None` when there is nothing to draw.
    """
    if table is None or not table.decisions or not any(table.actions):
        return None
    tables = blocks(table)
    places, width, height = _arrange(tables)
    figure = style.new_figure(width, height + 0.75)
    axes = style.full_axes(figure)
    axes.text(
        MARGIN, 0.22, "Probability of each action under the final policy", weight="bold", size=10
    )
    for block, (left, top) in zip(tables, places, strict=True):
        _draw_block(axes, table, block, (left, top + 0.36), chosen or {})
    _draw_scale(axes, height + 0.46, bool(chosen))
    return figure


def _arrange(tables: Sequence[Block]) -> tuple[list[tuple[float, float]], float, float]:
    """Tables side by side, heads aligned, in shelves no wider than a page."""
    shelves: list[list[int]] = [[]]
    used = MARGIN
    for i, block in enumerate(tables):
        if shelves[-1] and used + block.size[0] > PAGE_WIDTH:
            shelves.append([])
            used = MARGIN
        shelves[-1].append(i)
        used += block.size[0]
    places, widths, top = [], [5.4], 0.0
    for shelf in shelves:
        head = max(tables[i].head for i in shelf)
        left = MARGIN
        for i in shelf:
            places.append((left, top + head - tables[i].head))
            left += tables[i].size[0]
        widths.append(left)
        top += max(head - tables[i].head + tables[i].size[1] for i in shelf)
    return places, max(widths), top


def _draw_block(
    axes: Axes,
    table: PolicyTable,
    block: Block,
    corner: tuple[float, float],
    chosen: Mapping[str, Sequence[str]],
) -> None:
    left, top = corner[0] + block.label_width, corner[1] + block.head
    upright = block.head > 0.2
    for j, action in enumerate(block.actions):
        x = left + CELL * (j + 0.5)
        look: dict[str, Any] = {"rotation": 90} if upright else {}
        axes.text(x, top - 0.06, action, ha="center", va="bottom", size=FONT_SIZE, **look)
    values = table.probabilities[list(block.rows), : len(block.actions)]
    for k, j in np.argwhere(np.isfinite(values)):
        _draw_cell(axes, left + CELL * j, top + ROW * k, values[k, j])
    for k, (row, name) in enumerate(zip(block.rows, block.names, strict=True)):
        middle = top + ROW * (k + 0.5)
        axes.text(left - 0.06, middle, name, ha="right", va="center", size=FONT_SIZE)
        for action in chosen.get(table.decisions[row], ()):
            if action in table.actions[row]:
                j = table.actions[row].index(action)
                _draw_dot(axes, left + CELL * (j + 0.5), middle, values[k, j])


def _draw_cell(axes: Axes, x: float, y: float, probability: float) -> None:
    colour = colormaps["Blues"](float(np.clip(probability, 0.0, 1.0)))
    axes.add_patch(Rectangle((x + 0.01, y + 0.01), CELL - 0.02, ROW - 0.02, facecolor=colour))


def _draw_dot(axes: Axes, x: float, y: float, probability: float) -> None:
    colour = "white" if probability > 0.5 else style.BOX_INK
    axes.plot([x], [y], marker="o", markersize=3.6, color=colour, linestyle="none")


def _draw_scale(axes: Axes, y: float, with_dots: bool) -> None:
    x = MARGIN + 0.1 + 0.03 * np.arange(51)
    for k, edge in enumerate(x[:-1]):
        colour = colormaps["Blues"](k / 49)
        # A little wider than its step: no seams between the shades.
        axes.add_patch(Rectangle((edge, y), 0.035, 0.13, facecolor=colour, linewidth=0))
    for end, text in ((x[0], "0"), (x[-1], "1")):
        axes.text(end, y - 0.03, text, ha="center", va="bottom", size=7.5)
    axes.text(x[-1] + 0.15, y + 0.065, "probability", va="center", size=FONT_SIZE)
    if with_dots:
        axes.plot([x[-1] + 1.25], [y + 0.065], marker="o", markersize=3.6, color=style.INK)
        axes.text(
            x[-1] + 1.35, y + 0.065, "chosen in the architecture shown", va="center", size=FONT_SIZE
        )
