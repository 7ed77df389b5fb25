"""The configuration of a search in which every image gets its own architecture (InstaNAS).

Source: Cheng et al. 2018, "InstaNAS: instance-aware neural architecture search"
(arXiv:1811.10201), section 3; the authors' settings are the defaults where they have some.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any, ClassVar, Literal

from jaxnas.config import DataConfig, OptimizerConfig, TrainConfig
from jaxnas.config_checks import check_seed, one_of, real, reals, whole, whole_numbers
from jaxnas.data.augment import Augmentation
from jaxnas.network_configs import MobileNetConfig


@dataclasses.dataclass(frozen=True)
class ControllerConfig:
    """The policy that reads the image, and how it is trained.

    Attributes:
      name: `small_resnet` (the authors' code) or `large_kernels` (the paper's text).
      channels: of its layers or stages; its cost is part of every latency.
      kernel: of `large_kernels`.
      learning_rate: of Adam.
      entropy: the weight of the entropy bonus.
      shaping: see `jaxnas.policies.bits.log_probs`.
      right: the reward of a correct image at the best latency.
      exponent: the power of the latency's parabola.
      samples: architectures that are drawn for each image of an update.
      baseline: what their rewards are compared with: that of the image's `greedy` architecture
        (the authors), or of its `others` (see `jaxnas.instance.policy_update`; ours for images).
      information: the weight of a bonus for bits that say something of the image (the same file;
        Krause et al. 2010; not in InstaNAS).
      enough: the nats of information, of all bits together, beyond which it pays no more (ours).
      start: `random`, or `classifier`: it learns the classes during pretraining (ours; see
        `jaxnas.instance.controller_start`).
    """

    name: Literal["small_resnet", "large_kernels"] = "small_resnet"
    channels: tuple[int, ...] = (16, 32, 64)
    kernel: int = 7
    learning_rate: float = 5e-4
    entropy: float = 0.8
    shaping: float = 0.8
    right: float = 30.0
    exponent: float = 1.0
    samples: int = 1
    baseline: Literal["greedy", "others"] = "greedy"
    information: float = 0.0
    enough: float = 1.0
    start: Literal["random", "classifier"] = "random"

    def __post_init__(self):
        if isinstance(self.channels, list):  # from JSON
            object.__setattr__(self, "channels", tuple(self.channels))
        one_of("controller", self, "name", "small_resnet", "large_kernels")
        whole_numbers("controller", self, 1, "channels")
        whole("controller", self, 1, "kernel")
        real("controller", self, 0, math.inf, "learning_rate", above=True)
        one_of("controller", self, "start", "random", "classifier")
        check_update("controller", self)


def check_update(section: str, options: Any) -> None:
    """Checks the fields of options that rewards and the update of a policy read.

    Raises:
      ValueError: one is out of range; the message names it.
    """
    real(section, options, 0, math.inf, "right", "exponent", above=True)
    real(section, options, 0, math.inf, "entropy")
    real(section, options, 0.5, 1, "shaping", above=True)
    whole(section, options, 1, "samples")
    one_of(section, options, "baseline", "greedy", "others")
    real(section, options, 0, math.inf, "information", "enough")
    if options.baseline == "others" and options.samples < 2:
        raise ValueError(
            f"{section}.baseline is 'others', but {section}.samples is 1: an image then has no "
            "other architectures. Give 2 samples or more, or the baseline 'greedy'."
        )


@dataclasses.dataclass(frozen=True)
class LatencyConfig:
    """What operations cost, and which latencies are rewarded.

    Attributes:
      table: `FLOPs`; `measured`, on this device at the start of the run; or the path of a table's
        JSON (`jaxnas.runtime.latency.save_latency`).
      baseline: the module whose network is the yardstick of the window.
      start: the upper end of the window at first, as a share of the cost of all modules.
      end: its upper end at last, as a share of the baseline.
      lower: its lower end, as a share of the baseline; the cost of no module by default.
    """

    table: str = "FLOPs"
    baseline: str = "inverted_residual_3x3_6"
    start: float = 0.7
    end: float = 0.5
    lower: float | None = None

    def __post_init__(self):
        real("latency", self, 0, math.inf, "start", "end", above=True)
        real("latency", self, 0, math.inf, "lower")


@dataclasses.dataclass(frozen=True)
class StageConfig:
    """One stage of training the shared weights.

    Attributes:
      epochs: passes over the training data.
      batch_size: images per step.
      optimizer: of the shared weights; it starts anew with each stage.
      augmentation: of the training images.
    """

    epochs: int = 10
    batch_size: int = 64
    optimizer: OptimizerConfig = OptimizerConfig()
    augmentation: Augmentation = Augmentation()

    # Not a field: the section of `InstanceConfig`, for messages.
    section: ClassVar[str] = "stage"

    def __post_init__(self):
        whole(self.section, self, 1, "epochs", "batch_size")


@dataclasses.dataclass(frozen=True)
class PretrainConfig(StageConfig):
    """Pretraining under modules that are dropped at random.

    Attributes:
      whole: the share of the stage, at its start, with all modules on.
      keep: the probability with which a module is kept at the end; it sinks linearly from 1.
    """

    whole: float = 0.5
    keep: float = 0.5

    section: ClassVar[str] = "pretrain"

    def __post_init__(self):
        super().__post_init__()
        real(self.section, self, 0, 1, "whole", "keep")


@dataclasses.dataclass(frozen=True)
class FinetuneConfig(StageConfig):
    """Fine-tuning under the greedy policy.

    Attributes:
      permuted: the share of the stage, from its start, in which images train under each other's
        architectures too: an image's is another image's with a probability that sinks linearly
        from 1 to 0 (ours; the authors' code has 0). What only few images choose then learns from
        more of them.
    """

    permuted: float = 0.0

    section: ClassVar[str] = "finetune"

    def __post_init__(self):
        super().__post_init__()
        real(self.section, self, 0, 1, "permuted")


@dataclasses.dataclass(frozen=True)
class InstanceSearchConfig(StageConfig):
    """The joint search: in each epoch policy updates, then a pass that trains the weights.

    Attributes:
      policy_updates: policy updates per epoch, on validation images.
      reward_batch_size: images per policy update.
      points: Pareto points: states of the search, evenly spread over it and its last one among
        them, of which each is fine-tuned.
      recalibration_batches: training batches on which moments are measured after the weights
        changed.
    """

    policy_updates: int = 30
    reward_batch_size: int = 32
    points: int = 3
    recalibration_batches: int = 8

    section: ClassVar[str] = "search"

    def __post_init__(self):
        super().__post_init__()
        whole(self.section, self, 1, "policy_updates", "reward_batch_size", "points")
        whole(self.section, self, 1, "recalibration_batches")
        if self.points > self.epochs:
            raise ValueError(
                f"search.points is {self.points}, but search.epochs is {self.epochs}: give no more "
                "points than epochs."
            )


@dataclasses.dataclass(frozen=True)
class InstanceConfig:
    """An experiment in which every image gets its own architecture.

    Attributes:
      name: the name of the configuration.
      network: the meta-graph.
      paper: what it follows.
      expected: the result that a run should come near, with its source.
      hardware: what that needs.
      time: how long it takes there.
      data: which data.
      controller: the policy.
      latency: what operations cost, and which latencies are rewarded.
      pretrain: the first stage.
      search: the second.
      finetune: the third, for each Pareto point.
      widths: the widths of MobileNetV2 that are trained for comparison, 1.0 among them.
      train: how those are trained: the same budget, to be fair.
      static_candidates: the architectures among which the best one for all images is looked for.
      seed: of everything.
    """

    name: str
    network: MobileNetConfig = MobileNetConfig()
    paper: str = ""
    expected: str = ""
    hardware: str = ""
    time: str = ""
    data: DataConfig = DataConfig()
    controller: ControllerConfig = ControllerConfig()
    latency: LatencyConfig = LatencyConfig()
    pretrain: PretrainConfig = PretrainConfig()
    search: InstanceSearchConfig = InstanceSearchConfig()
    finetune: FinetuneConfig = FinetuneConfig()
    widths: tuple[float, ...] = (1.0,)
    train: TrainConfig = TrainConfig()
    static_candidates: int = 200
    seed: int = 0

    def __post_init__(self):
        check_seed(self)
        if isinstance(self.widths, list):  # from JSON
            object.__setattr__(self, "widths", tuple(self.widths))
        whole("config", self, 1, "static_candidates")
        reals("config", self, 0, "widths")
        if 1.0 not in self.widths:
            raise ValueError(
                f"widths is {self.widths}: 1.0 must be among them, against which latencies are "
                "compared."
            )
