"""The configuration of an experiment: frozen dataclasses of plain values.

Everything that a run depends on stands here, so that a run folder's `config.json` is enough to
repeat it. Files in `configs/` return these; `--set KEY=VALUE` overrides single values.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

from jaxnas.config_checks import check_seed, one_of, real, whole
from jaxnas.cost_config import CostConfig
from jaxnas.data.augment import Augmentation
from jaxnas.network_configs import (
    ChainConfig,
    EnasMacroConfig,
    EnasMicroConfig,
    NasBench201Config,
    NetworkConfig,
    ShuffleNasConfig,
)
from jaxnas.searcher_config import SearcherConfig

__all__ = [
    "Augmentation",
    "ChainConfig",
    "Config",
    "CostConfig",
    "DataConfig",
    "DeriveConfig",
    "EnasMacroConfig",
    "EnasMicroConfig",
    "NasBench201Config",
    "NetworkConfig",
    "OptimizerConfig",
    "SearchConfig",
    "SearcherConfig",
    "ShuffleNasConfig",
    "TrainConfig",
]


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Which data, and how much of it.

    Attributes:
      source: `digits`, `npz:PATH` or `tfds:NAME`.
      train: at most so many training images; all by default.
      validation: at most so many validation images.
      test: at most so many test images.
      validation_fraction: the share of the training images held out where the source has no
        validation split; the source's own default if `None`.
    """

    source: str = "digits"
    train: int | None = None
    validation: int | None = None
    test: int | None = None
    validation_fraction: float | None = None

    def __post_init__(self):
        whole("data", self, 1, "train", "validation", "test")
        real("data", self, 0, 1, "validation_fraction", above=True)


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """SGD with Nesterov momentum and a cosine learning rate: the recipe of ENAS's weights.

    Attributes:
      learning_rate: at the start, or with `one_cycle` the highest.
      final_learning_rate: at the end.
      momentum: of the Nesterov kind.
      weight_decay: the coefficient `c` of the gradient's `c w` (twice that of a `c w^2` loss).
      clip: the largest global norm of a gradient; 0 for none.
      restart_epochs: epochs of the first cosine cycle, each cycle twice as long as the one before;
        0 for one cosine without restarts.
      schedule: `cosine`, down from the start; or `one_cycle`, for trainings of few epochs: up from
        a 25th of `learning_rate` in the first 30% of the steps, and down from there (Smith &
        Topin 2017, arXiv:1708.07120).
    """

    learning_rate: float = 0.05
    final_learning_rate: float = 0.0005
    momentum: float = 0.9
    weight_decay: float = 2e-4
    clip: float = 5.0
    restart_epochs: int = 0
    schedule: Literal["cosine", "one_cycle"] = "cosine"

    def __post_init__(self):
        one_of("optimizer", self, "schedule", "cosine", "one_cycle")
        if self.schedule == "one_cycle" and self.restart_epochs:
            raise ValueError(
                f"optimizer.restart_epochs is {self.restart_epochs}, but optimizer.schedule is "
                "one_cycle, which has no restarts: leave one of them out."
            )
        real("optimizer", self, 0, math.inf, "learning_rate", above=True)
        real("optimizer", self, 0, math.inf, "final_learning_rate", "weight_decay", "clip")
        real("optimizer", self, 0, 0.999999, "momentum")
        whole("optimizer", self, 0, "restart_epochs")


@dataclasses.dataclass(frozen=True)
class SearchConfig:
    """The search over shared weights.

    Attributes:
      epochs: passes over the training data.
      warmup_epochs: passes at the start that train the weights of uniformly sampled children
        only.
      batch_size: images per weight step.
      children: children per weight step, all on the same minibatch; the loss is their mean.
      interleave: `epoch`: all weight steps of an epoch, then all policy updates (ENAS); `step`:
        policy updates spread evenly between the weight steps.
      policy_updates: policy updates per epoch.
      policy_children: children per policy update, all on the same validation minibatch.
      reward_batch_size: validation images per policy update.
      random_children: uniformly sampled children evaluated beside the last policy update of an
        epoch: the random arm of the curves.
      executor: how sampled children are executed, see `jaxnas.supernets.Supernet`.
      optimizer: of the shared weights.
      augmentation: of the training images.
      cost: what the cost of a child is worth in its reward.
    """

    epochs: int = 10
    warmup_epochs: int = 0
    batch_size: int = 128
    children: int = 1
    interleave: Literal["epoch", "step"] = "epoch"
    policy_updates: int = 10
    policy_children: int = 10
    reward_batch_size: int = 128
    random_children: int = 10
    executor: Literal["auto", "host", "compiled", "grouped", "dense", "reference"] = "auto"
    optimizer: OptimizerConfig = OptimizerConfig()
    augmentation: Augmentation = Augmentation()
    cost: CostConfig = CostConfig()

    def __post_init__(self):
        whole("search", self, 0, "warmup_epochs", "policy_updates", "random_children")
        whole("search", self, 1, "epochs", "batch_size", "children")
        whole("search", self, 1, "policy_children", "reward_batch_size")
        one_of("search", self, "interleave", "epoch", "step")
        executors = ("auto", "host", "compiled", "grouped", "dense", "reference")
        one_of("search", self, "executor", *executors)


@dataclasses.dataclass(frozen=True)
class DeriveConfig:
    """From a trained supernet to final children.

    Attributes:
      samples: children sampled from the searcher and ranked by shared weights on validation data.
      retrain: the best so many are trained from scratch; the best of those on validation data is
        the result.
      random: uniformly sampled children trained the same way: the honest baseline.
      latency_repeats: timed calls of each trained child, for 1 image and for 64; 0 for none.
    """

    samples: int = 50
    retrain: int = 3
    random: int = 5
    latency_repeats: int = 20

    def __post_init__(self):
        whole("derive", self, 1, "samples", "retrain")
        whole("derive", self, 0, "random")
        whole("derive", self, 5 if self.latency_repeats else 0, "latency_repeats")


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """Training one child.

    Attributes:
      epochs: passes over the training data.
      batch_size: images per step.
      optimizer: of the weights.
      augmentation: of the training images.
      drop_path: the rate at the end of training and at full depth; it grows with the step.
      label_smoothing: mass moved from the label to all classes.
      auxiliary_weight: of the loss of the network's auxiliary classifier; 0 for none (0.4 in ENAS).
      inherit: start from the shared weights instead of fresh ones.
      recalibration_batches: training batches that the final normalisation moments are measured on.
    """

    epochs: int = 20
    batch_size: int = 128
    optimizer: OptimizerConfig = OptimizerConfig(final_learning_rate=0.0001)
    augmentation: Augmentation = Augmentation()
    drop_path: float = 0.0
    label_smoothing: float = 0.0
    auxiliary_weight: float = 0.0
    inherit: bool = False
    recalibration_batches: int = 8

    def __post_init__(self):
        whole("train", self, 1, "epochs", "batch_size", "recalibration_batches")
        real("train", self, 0, 0.99, "drop_path", "label_smoothing")
        real("train", self, 0, math.inf, "auxiliary_weight")


@dataclasses.dataclass(frozen=True)
class Config:
    """An experiment.

    Attributes:
      name: the name of the configuration.
      paper: what it follows.
      expected: the result that a run should come near, with its source.
      hardware: what that needs.
      time: how long it takes there.
      data: which data.
      network: the shared-weight network.
      final_network: the network that the best children are trained in; the same by default.
      searcher: the algorithm that chooses.
      search: the search over shared weights.
      derive: from the supernet to final children.
      train: training the final children.
      seed: of everything.
    """

    name: str
    network: NetworkConfig
    paper: str = ""
    expected: str = ""
    hardware: str = ""
    time: str = ""
    data: DataConfig = DataConfig()
    final_network: NetworkConfig | None = None
    searcher: SearcherConfig = SearcherConfig()
    search: SearchConfig = SearchConfig()
    derive: DeriveConfig = DeriveConfig()
    train: TrainConfig = TrainConfig()
    seed: int = 0

    def __post_init__(self):
        check_seed(self)
