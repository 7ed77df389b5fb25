"""The window of latencies that InstaNAS rewards, which shrinks in the course of a search.

Source: the authors' code of Cheng et al. 2018 (arXiv:1811.10201), `search/search.py`; the paper has
both ends move, the code only the upper one.
"""

from __future__ import annotations

import dataclasses
import math
import warnings

import jax
import numpy as np

from jaxnas.objectives.latency import LatencyTable, bounds
from jaxnas.supernets import Network, make_routing
from jaxnas.supernets.routing import MAX_WAYS
from jaxnas.supernets.segments import all_actions, columns, segments_of


@dataclasses.dataclass(frozen=True)
class WindowSchedule:
    """A window of searched costs: its lower end stays, its upper end sinks linearly.

    Attributes:
      lower: the lower end.
      start: the upper end at the start of the search.
      end: the upper end at its end.

    Raises:
      ValueError: the window is empty at its start or at its end.
    """

    lower: float
    start: float
    end: float

    def __post_init__(self):
        for name, upper in (("start", self.start), ("end", self.end)):
            if not self.lower < upper:
                raise ValueError(
                    f"the latency window is empty at the {name} of the search: its lower end is "
                    f"{self.lower:.4g}, its upper end {upper:.4g}. Give a larger upper end, or a "
                    "network whose default module is cheap by this table (counted in FLOPs, a "
                    "basic block is not)."
                )

    def at(self, progress: jax.Array | float) -> tuple[jax.Array | float, jax.Array | float]:
        """The lower and the upper end, at a share `progress` in [0, 1] of the search."""
        return self.lower, self.start + (self.end - self.start) * progress


def published_window(
    table: LatencyTable,
    network: Network,
    *,
    baseline: str = "inverted_residual_3x3_6",
    start: float = 0.7,
    end: float = 0.5,
    lower: float | None = None,
) -> WindowSchedule:
    """The published window: from no module to 0.7 of all, shrinking to half of the baseline.

    Args:
      table: the costs; a `UserWarning` is given where the controller costs more than the baseline.
      network: the network, over a space of bits.
      baseline: the module that makes the baseline in each block.
      start: the upper end at the start, as a share of the cost of all modules.
      end: the upper end at the end, as a share of the baseline.
      lower: the lower end, as a share of the baseline; the cost of no module by default.

    Raises:
      ValueError: the window is empty at some time, no architecture lies in it, or the table is of
        another network.
    """
    costs = bounds(table, network, baseline)
    if table.controller > costs["baseline"]:
        warnings.warn(
            f"the controller costs {table.controller:.4g} {table.unit}, more than the baseline's "
            f"{costs['baseline']:.4g}: choosing cannot pay. Make the controller smaller.",
            stacklevel=2,
        )
    low = costs["nothing"] if lower is None else lower * costs["baseline"]
    window = WindowSchedule(low, start * costs["everything"], end * costs["baseline"])
    for upper in (window.start, window.end):
        _check_reachable(table, network, low, upper)
    return window


_CELLS = 4096


def _check_reachable(table: LatencyTable, network: Network, lower: float, upper: float) -> None:
    """Raises `ValueError` where no architecture's searched cost lies inside a window.

    The sums that blocks can make are marked on a grid of `_CELLS` up to the window's upper end;
    what lies within two cells of its lower end, where the reward is as good as none, does not
    count.
    """
    reachable, step = np.zeros(_CELLS + 1, bool), upper / _CELLS
    reachable[0] = True
    for costs in _costs_by_block(table, network):
        shifts = np.unique(np.rint(costs / step).astype(int))
        sums = [np.roll(reachable, n) & (np.arange(len(reachable)) >= n) for n in shifts]
        reachable = np.logical_or.reduce(sums)
    if not reachable[math.floor(lower / step) + 2 :].any():
        raise ValueError(
            f"no architecture can meet the latency window from {lower:.4g} to {upper:.4g} "
            f"{table.unit}: all cost less or more. Move its ends (latency.lower, latency.start, "
            "latency.end)."
        )


def _costs_by_block(table: LatencyTable, network: Network) -> list[np.ndarray]:
    """The searched costs of all ways through each block, above the cheapest; and those together."""
    off = np.zeros((1, network.space.max_length), np.int32)
    base = float(table.searched(make_routing(network, off))[0])
    found, least = [], base
    for segment in segments_of(network):
        if not segment.decisions:
            continue
        ways = all_actions(network.space, segment, MAX_WAYS)
        rows = np.repeat(off, len(ways), axis=0)
        rows[:, list(columns(network.space, segment))] = ways
        costs = np.asarray(table.searched(make_routing(network, rows)), float)
        found.append(costs - costs.min())
        least += costs.min() - base
    return [*found, np.array([least])]
