"""The configuration of a search whose children are all trained from scratch."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal

from jaxnas.children import NasRLConv, nasrl_conv
from jaxnas.config import DataConfig
from jaxnas.config_checks import check_seed, real, whole, whole_numbers
from jaxnas.data.augment import NO_AUGMENTATION, Augmentation
from jaxnas.searcher_config import SearcherConfig
from jaxnas.spaces.nasrl_conv import depth_after


@dataclasses.dataclass(frozen=True)
class DepthConfig:
    """The paper's depth schedule; see `jaxnas.spaces.nasrl_conv.depth_after`.

    Attributes:
      start: layers at first.
      every: the searcher's samples between two steps.
      step: layers added at each.
    """

    start: int = 6
    every: int = 1600
    step: int = 2

    def __post_init__(self):
        whole("children.depth", self, 1, "start", "every", "step")

    def after(self, samples: int) -> int:
        """The layers of children after so many samples."""
        return depth_after(samples, start=self.start, every=self.every, step=self.step)


@dataclasses.dataclass(frozen=True)
class NasRLConvConfig:
    """NAS-RL's convolutional children; see `jaxnas.children.nasrl_conv`.

    With `depth` children are shallow at first, and `layers` is the most that they may have.
    """

    kind: Literal["nasrl_conv"] = "nasrl_conv"
    layers: int = 6
    heights: tuple[int, ...] = (1, 3, 5, 7)
    widths: tuple[int, ...] = (1, 3, 5, 7)
    filters: tuple[int, ...] = (24, 36, 48, 64)
    strides: tuple[int, ...] | None = None
    skips: bool = True
    most_classes: int = 8
    block: int = 1
    pools: tuple[int, ...] | None = None
    depth: DepthConfig | None = None

    def __post_init__(self):
        for name in ("heights", "widths", "filters", "strides", "pools"):
            if isinstance(getattr(self, name), list):  # from JSON
                object.__setattr__(self, name, tuple(getattr(self, name)))
            if getattr(self, name) is not None:
                whole_numbers("children", self, 1, name)
        whole("children", self, 1, "layers", "most_classes", "block")

    def build(self, image_shape: tuple[int, int, int], num_classes: int) -> NasRLConv:
        """The children for images of a shape."""
        options = dataclasses.asdict(self)
        del options["kind"], options["depth"]
        return nasrl_conv(image_shape, num_classes, **options)


@dataclasses.dataclass(frozen=True)
class ChildTrainingConfig:
    """Training the children of a population: Nesterov momentum at a constant learning rate.

    Attributes:
      epochs: passes over the training data.
      scored: a child's value is the best of the last so many epochs (the paper: 5 of 50).
      batch_size: images per step.
      score_batch_size: validation images at once, by whose own statistics children are normalised;
        the whole split where it is smaller. What fills no batch is left out.
      learning_rate: of every child.
      momentum: of the Nesterov kind.
      weight_decay: the coefficient `c` of the gradient's `c w`.
      augmentation: of the training images.
    """

    epochs: int = 50
    scored: int = 5
    batch_size: int = 128
    score_batch_size: int = 500
    learning_rate: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 1e-4
    augmentation: Augmentation = NO_AUGMENTATION

    def __post_init__(self):
        whole("training", self, 1, "epochs", "scored", "batch_size", "score_batch_size")
        real("training", self, 0, math.inf, "learning_rate", above=True)
        real("training", self, 0, math.inf, "weight_decay")
        real("training", self, 0, 0.999999, "momentum")
        if self.scored > self.epochs:
            raise ValueError(
                f"training.scored is {self.scored}, but training.epochs is {self.epochs}: score "
                "no more epochs than there are."
            )


@dataclasses.dataclass(frozen=True)
class PopulationSizes:
    """How many children a search trains.

    Attributes:
      samples: children that the searcher has trained in all.
      batch: children trained at once and told to the searcher together.
      random: uniformly drawn children trained beside each batch: the random arm, at the same cost
        where it is equal to `batch`.
      chunk: children in one compiled program; all of a batch by default.
    """

    samples: int = 12_800
    batch: int = 8
    random: int = 8
    chunk: int | None = None

    def __post_init__(self):
        whole("search", self, 1, "samples", "batch", "chunk")
        whole("search", self, 0, "random")


@dataclasses.dataclass(frozen=True)
class PopulationSearchConfig(PopulationSizes):
    """The search; see `PopulationSizes`.

    Attributes:
      power: the reward is the value to this power (the paper: 3, of the accuracy).
    """

    power: float = 3.0

    def __post_init__(self):
        super().__post_init__()
        real("search", self, 0, math.inf, "power", above=True)


@dataclasses.dataclass(frozen=True)
class FinalConfig:
    """The best children of either arm, trained again and for longer.

    Attributes:
      best: how many of the searcher's best different children.
      random: how many of the random arm's best different ones.
      epochs: passes over the training data.
    """

    best: int = 3
    random: int = 3
    epochs: int = 100

    def __post_init__(self):
        whole("final", self, 1, "best", "epochs")
        whole("final", self, 0, "random")


@dataclasses.dataclass(frozen=True)
class PopulationConfig:
    """An experiment; the fields that `jaxnas.Config` has too mean the same.

    Attributes:
      name: the name of the configuration.
      children: which children.
      paper: what it follows.
      expected: the result that a run should come near, with its source.
      hardware: what that needs.
      time: how long it takes there.
      data: which data.
      searcher: the algorithm that chooses.
      search: how many children.
      training: of the children in the search.
      final: of the best ones after it.
      seed: of everything.
    """

    name: str
    children: NasRLConvConfig
    paper: str = ""
    expected: str = ""
    hardware: str = ""
    time: str = ""
    data: DataConfig = DataConfig()
    searcher: SearcherConfig = SearcherConfig()
    search: PopulationSearchConfig = PopulationSearchConfig()
    training: ChildTrainingConfig = ChildTrainingConfig()
    final: FinalConfig = FinalConfig()
    seed: int = 0

    def __post_init__(self):
        check_seed(self)
        depth, layers = self.children.depth, self.children.layers
        if depth is None:
            return
        last = (self.search.samples - 1) // self.search.batch * self.search.batch
        if depth.after(last) > layers:
            raise ValueError(
                f"children.depth reaches {depth.after(last)} layers in {self.search.samples} "
                f"samples, but children.layers is {layers}: give children.layers="
                f"{depth.after(last)}, or a slower schedule."
            )
        if self.searcher.name == "evolution":
            raise ValueError(
                "searcher.name is evolution, which changes whole architectures: with "
                "children.depth take reinforce or random."
            )


def is_population(values: dict[str, Any]) -> bool:
    """Whether stored values are those of a `PopulationConfig`."""
    return "children" in values
