"""Accuracy and cost as one reward, with the cost of a child from a table of its operations.

Source: Tan et al. 2019, "MnasNet: platform-aware neural architecture search for mobile"
(arXiv:1807.11626), section 3.1: `accuracy * (cost / target)^w` with `w = -0.07` on both sides of
the target, where doubling the cost is worth 5% of the accuracy.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from jaxnas.objectives.latency import LatencyTable
from jaxnas.supernets import Network, make_plan
from jaxnas.supernets.expressions import APPLY


def child_costs(table: LatencyTable, network: Network, architectures: Any) -> np.ndarray:
    """The cost `[N]` of children `[N, T]`: the sum over the operations that each one applies.

    Args:
      table: the costs of the network's operations.
      network: the network.
      architectures: of its space.

    Example:
      >>> child_costs(flops_table(network), network, architectures)  # doctest: +SKIP
    """
    plans = [make_plan(network, [architecture]) for architecture in np.asarray(architectures)]
    return np.array(
        [sum(table.costs[e.key] for e in plan.instructions if e.kind == APPLY) for plan in plans]
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Efficiency:
    """The reward `accuracy * (cost / target)^exponent` of children of one network.

    Attributes:
      network: the network.
      table: the costs of its operations.
      target: the cost at which the reward is the accuracy, in the table's unit.
      exponent: below 0 where costs are bad (-0.07 in the paper).

    Raises:
      ValueError: the table is of another network, or the target is not above 0.

    Example:
      >>> Efficiency(network, flops_table(network), 2e6).rewards([0.9], child)  # doctest: +SKIP
    """

    network: Network
    table: LatencyTable
    target: float
    exponent: float = -0.07

    def __post_init__(self):
        self.table.check(self.network)
        if not self.target > 0:
            raise ValueError(f"the target cost is {self.target}: give a number above 0.")

    def costs(self, architectures: Any) -> np.ndarray:
        """The costs `[N]` of children `[N, T]`."""
        return child_costs(self.table, self.network, architectures)

    def rewards(self, accuracies: Any, architectures: Any) -> np.ndarray:
        """The rewards `float32 [N]` of children `[N, T]`; NaN for a child whose accuracy is NaN."""
        factors = (self.costs(architectures) / self.target) ** self.exponent
        return np.asarray(accuracies, np.float32) * factors.astype(np.float32)
