"""The window of latencies that InstaNAS rewards, which shrinks in the course of a search.

Source: the authors' code of Cheng et al. 2018 (arXiv:1811.10201), `search/search.py`; the paper has
both ends move, the code only the upper one.
"""

from __future__ import annotations

import dataclasses
import warnings

import jax

from jaxnas.objectives.latency import LatencyTable, bounds
from jaxnas.supernets import Network


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
) -> WindowSchedule:
    """The published window: from no module to 0.7 of all, shrinking to half of the baseline.

    Args:
      table: the costs; a `UserWarning` is given where the controller costs more than the baseline.
      network: the network, over a space of bits.
      baseline: the module that makes the baseline in each block.
      start: the upper end at the start, as a share of the cost of all modules.
      end: the upper end at the end, as a share of the baseline.

    Raises:
      ValueError: the window is empty at some time, or the table is of another network.
    """
    costs = bounds(table, network, baseline)
    if table.controller > costs["baseline"]:
        warnings.warn(
            f"the controller costs {table.controller:.4g} {table.unit}, more than the baseline's "
            f"{costs['baseline']:.4g}: choosing cannot pay. Make the controller smaller.",
            stacklevel=2,
        )
    return WindowSchedule(costs["nothing"], start * costs["everything"], end * costs["baseline"])
