"""The configuration of a search for recurrent cells: language models, all trained from scratch."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal

from jaxnas.children.recurrent import NO_DROPOUT, Dropout, GatedCell, LanguageModel, TreeCell
from jaxnas.children.recurrent.gated_cells import STEPS
from jaxnas.children.recurrent.language_model import Cell
from jaxnas.config_checks import check_seed, one_of, real, whole
from jaxnas.population_config import FinalConfig, PopulationSizes
from jaxnas.searcher_config import SearcherConfig


@dataclasses.dataclass(frozen=True)
class RecurrentConfig:
    """Language models of NAS-RL's cells; see `jaxnas.children.recurrent`.

    Attributes:
      kind: names these children in stored configurations.
      base: the leaves of the cell's tree, a power of two (the paper: 8).
      extended: whether nodes may also take the maximum and the sine.
      hidden: units of the embedding and of each layer.
      layers: how many layers of the cell stand on each other.
      tied: whether the softmax has the embedding's weights.
      dropout: variational, in training only.
      init_scale: weights start uniform in `[-init_scale, init_scale]`.
    """

    kind: Literal["recurrent"] = "recurrent"
    base: int = 8
    extended: bool = False
    hidden: int = 740
    layers: int = 2
    tied: bool = False
    dropout: Dropout = NO_DROPOUT
    init_scale: float = 0.05

    def __post_init__(self):
        whole("children", self, 1, "base", "hidden", "layers")
        real("children", self, 0, math.inf, "init_scale", above=True)
        TreeCell(self.base)  # raises where the base is not a power of two

    def build(self, vocabulary: int) -> LanguageModel:
        """The children for a vocabulary of so many kinds of tokens."""
        return self.model(vocabulary, TreeCell(self.base, self.extended), self.hidden)

    def model(self, vocabulary: int, cell: Cell, hidden: int) -> LanguageModel:
        """The language model of any cell, with the rest as it is here."""
        return LanguageModel(
            vocabulary, hidden, cell, self.layers, self.tied, self.dropout, self.init_scale
        )

    def baseline(self, vocabulary: int, kind: str) -> LanguageModel:
        """The model of a `GatedCell` with the hidden units of nearest to as many parameters."""
        budget, cell = self.build(vocabulary).count_parameters(), GatedCell(kind)

        def size(hidden: int) -> int:
            return self.model(vocabulary, cell, hidden).count_parameters()

        low, high = 1, 2
        while size(high) < budget:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if size(middle) < budget else (low, middle)
        hidden = min((low, high), key=lambda h: abs(size(h) - budget))
        return self.model(vocabulary, cell, hidden)


@dataclasses.dataclass(frozen=True)
class TextDataConfig:
    """Which text.

    Attributes:
      source: `python_docs` (embedded), `ptb:FOLDER` or `text:FILE`; see `jaxnas.data.load_text`.
      level: a token is a `word` or a `character`.
      vocabulary: at most so many kinds of tokens; all by default.
    """

    source: str = "python_docs"
    level: Literal["word", "character"] = "character"
    vocabulary: int | None = None

    def __post_init__(self):
        one_of("data", self, "level", "word", "character")
        whole("data", self, 2, "vocabulary")


@dataclasses.dataclass(frozen=True)
class TextTrainingConfig:
    """Training the language models: a cosine from the learning rate to 0, gradients clipped.

    Attributes:
      epochs: of each child (the paper: 35).
      scored: a child's value is the best of the last so many epochs.
      epoch_steps: segments of one epoch; a whole pass over the text by default.
      score_steps: segments of the validation text that are scored, from its start; all by default.
      batch_size: streams of text that are read side by side.
      steps: tokens of a segment: how far gradients flow back.
      optimizer: `sgd` without momentum, or `adam`.
      learning_rate: of every child, at the start.
      clip: the largest global norm of a gradient.
      weight_decay: the coefficient `c` of the gradient's `c w`.
    """

    epochs: int = 35
    scored: int = 1
    epoch_steps: int | None = None
    score_steps: int | None = None
    batch_size: int = 20
    steps: int = 35
    optimizer: Literal["sgd", "adam"] = "sgd"
    learning_rate: float = 1.0
    clip: float = 5.0
    weight_decay: float = 0.0

    def __post_init__(self):
        whole("training", self, 1, "epochs", "scored", "epoch_steps", "score_steps")
        whole("training", self, 1, "batch_size", "steps")
        one_of("training", self, "optimizer", "sgd", "adam")
        real("training", self, 0, math.inf, "learning_rate", "clip", above=True)
        real("training", self, 0, math.inf, "weight_decay")
        if self.scored > self.epochs:
            raise ValueError(
                f"training.scored is {self.scored}, but training.epochs is {self.epochs}: score "
                "no more epochs than there are."
            )


@dataclasses.dataclass(frozen=True)
class TextSearchConfig(PopulationSizes):
    """The search; see `PopulationSizes`.

    Attributes:
      reward_scale: `c` of the reward `c / (validation perplexity)^2` (the paper: 80).
    """

    reward_scale: float = 80.0

    def __post_init__(self):
        super().__post_init__()
        real("search", self, 0, math.inf, "reward_scale", above=True)


@dataclasses.dataclass(frozen=True)
class TextFinalConfig(FinalConfig):
    """The best cells of either arm, trained again and for longer; see `FinalConfig`.

    Attributes:
      baselines: cells that are trained beside them in the same recipe, at the hidden units of
        nearest to as many parameters: `lstm`, `gru`.
    """

    baselines: tuple[str, ...] = ("lstm", "gru")

    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "baselines", tuple(self.baselines))  # a list, from JSON
        if unknown := sorted(set(self.baselines) - set(STEPS)):
            raise ValueError(f"final.baselines has {unknown}: give some of {sorted(STEPS)}.")


@dataclasses.dataclass(frozen=True)
class TextPopulationConfig:
    """An experiment on text; the fields that `PopulationConfig` has too mean the same."""

    name: str
    children: RecurrentConfig
    paper: str = ""
    expected: str = ""
    hardware: str = ""
    time: str = ""
    data: TextDataConfig = TextDataConfig()
    searcher: SearcherConfig = SearcherConfig()
    search: TextSearchConfig = TextSearchConfig()
    training: TextTrainingConfig = TextTrainingConfig()
    final: TextFinalConfig = TextFinalConfig()
    seed: int = 0

    def __post_init__(self):
        check_seed(self)


def is_text_population(values: dict[str, Any]) -> bool:
    """Whether stored values are those of a `TextPopulationConfig`."""
    children = values.get("children")
    return isinstance(children, dict) and children.get("kind") == "recurrent"
