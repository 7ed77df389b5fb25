"""What a child's cost is worth in a search, as plain values."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

from jaxnas.config_checks import one_of, real


@dataclasses.dataclass(frozen=True)
class CostConfig:
    """The cost of a child as a part of its reward; see `jaxnas.objectives.Efficiency`.

    Attributes:
      unit: `none`: rewards are accuracies alone; `FLOPs`: counted; `seconds`: from a table of the
        network's operations, measured on this device on one image before the search.
      target: the cost at which the reward is the accuracy, in this unit; `None` for the median of
        64 uniformly sampled children.
      exponent: of the cost over the target.
    """

    unit: Literal["none", "FLOPs", "seconds"] = "none"
    target: float | None = None
    exponent: float = -0.07

    def __post_init__(self):
        one_of("search.cost", self, "unit", "none", "FLOPs", "seconds")
        real("search.cost", self, 0, math.inf, "target", above=True)
        real("search.cost", self, -math.inf, 0, "exponent")
