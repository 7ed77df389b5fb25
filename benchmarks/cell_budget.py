"""What competes in `shufflenas.py`: its arms, their candidates, and what each may spend."""

from __future__ import annotations

import dataclasses
import math
from typing import NamedTuple

import numpy as np

from jaxnas.config import SearchConfig, TrainConfig


class Arm(NamedTuple):
    """Where children come from.

    `search`: a shortlist of a search's children and random ones; `shortlist`: one of random
    children alone, as long; `random`; or the `fixed` one of a family.
    """

    family: str
    source: str


ARMS = {
    "enas": Arm("enas", "search"),
    "enas_published": Arm("enas", "fixed"),
    "shufflenas": Arm("shufflenas", "search"),
    "shufflenet_v2": Arm("shufflenas", "fixed"),
    "random": Arm("shufflenas", "random"),
    "random_shortlist": Arm("shufflenas", "shortlist"),
}


class Candidate(NamedTuple):
    """An architecture `[T]` with the validation accuracies that it was picked by, else NaN.

    Attributes:
      architecture: of its space.
      shared_accuracy: with shared weights.
      short_accuracy: after a short training of its own.
      searched_mean: the mean of the latter over all children of the search in its shortlist.
      random_mean: that over the random ones.
    """

    architecture: np.ndarray
    shared_accuracy: float = math.nan
    short_accuracy: float = math.nan
    searched_mean: float = math.nan
    random_mean: float = math.nan

    def picked_by(self) -> dict[str, float | None]:
        """The accuracies as plain values."""
        values = self._asdict()
        del values["architecture"]
        return {name: None if np.isnan(x) else round(float(x), 4) for name, x in values.items()}


@dataclasses.dataclass(frozen=True)
class Budget:
    """What every arm may spend.

    Attributes:
      nodes: of a cell of ENAS (5, as published), and of a branch of ShuffleNASNets.
      channels: of ENAS's published cells, whose parameters all children are matched to.
      search_channels: of the shared-weight network, by family.
      search: the search, the same for both families.
      samples: children that are ranked by shared weights after it.
      shortlist: how many of the best of those are trained shortly, and how many random children
        beside them, so that shared weights that mislead cannot spoil the whole list.
      short: that training, in the network of the search but with weights of its own.
      trained: how many children of a search, the best ones after the short training, or random
        ones are trained; the best one on validation data is the result of the arm.
      training: the training of one child.
    """

    nodes: tuple[int, int]
    channels: int
    search_channels: dict[str, int]
    search: SearchConfig
    samples: int
    shortlist: tuple[int, int]
    short: TrainConfig
    trained: int
    training: TrainConfig
