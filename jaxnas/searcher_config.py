"""The algorithm that chooses, as plain values."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

from jaxnas.config_checks import one_of, real, whole


@dataclasses.dataclass(frozen=True)
class SearcherConfig:
    """The algorithm that chooses; see `jaxnas.searchers`.

    The defaults are for the noisy, changing rewards of shared weights; those of
    `jaxnas.searchers.reinforce` are for a few hundred exact ones.

    Attributes:
      name: `reinforce`, `evolution` or `random`.
      learning_rate: Adam's, for `reinforce`.
      entropy_weight: of the entropy bonus, for `reinforce`.
      entropy_target: in nats, where the bonus stops, for `reinforce`.
      baseline_decay: of the moving average, for `reinforce`.
      hidden: units of the policy's LSTM.
      layers: of the policy's LSTM.
      accumulate: the policy is updated by the mean of so many gradients, one from each batch of
        rewards: those of several replicas of the controller (Zoph & Le).
      temperature: divides the policy's logits; `None` for none.
      tanh_constant: bounds the policy's logits; `None` for none.
      share_heads: whether decisions of one group share their head, as in ENAS.
      operation_tanh_constant: the bound of decisions that do not point at nodes; `None` for the
        same as of those that do.
      convolution_bias: whether the policy prefers separable convolutions as ENAS's code does; see
        `jaxnas.policies.enas_bias`.
      adam_b1: Adam's decay of the gradient's mean, for `reinforce`.
      adam_epsilon: Adam's epsilon, for `reinforce`.
      normalize_advantage: whether advantages are divided by their standard deviation.
      baseline_start: the baseline before the first batch; `None` for that batch's mean.
      entropy_in_reward: whether the entropy is part of the reward and has no gradient of its own.
      skip_weight: of the penalty on the density of skip connections; 0 for none.
      skip_target: that density.
      population: for `evolution`; the searcher's default if `None`.
    """

    name: Literal["reinforce", "evolution", "random"] = "reinforce"
    learning_rate: float = 0.01
    entropy_weight: float = 1.0
    entropy_target: float = 4.0
    baseline_decay: float = 0.9
    hidden: int = 64
    layers: int = 1
    accumulate: int = 1
    temperature: float | None = None
    tanh_constant: float | None = None
    share_heads: bool = False
    operation_tanh_constant: float | None = None
    convolution_bias: bool = False
    adam_b1: float = 0.9
    adam_epsilon: float = 1e-8
    normalize_advantage: bool = True
    baseline_start: float | None = None
    entropy_in_reward: bool = False
    skip_weight: float = 0.0
    skip_target: float = 0.4
    population: int | None = None

    def __post_init__(self):
        one_of("searcher", self, "name", "reinforce", "evolution", "random")
        positive = ("learning_rate", "temperature", "tanh_constant", "operation_tanh_constant")
        real("searcher", self, 0, math.inf, *positive, "adam_epsilon", above=True)
        real("searcher", self, -math.inf, math.inf, "baseline_start")
        real("searcher", self, 0, math.inf, "skip_weight")
        real("searcher", self, 0, 0.999999, "adam_b1")
        real("searcher", self, 1e-6, 0.999999, "skip_target")
        real("searcher", self, 0, math.inf, "entropy_weight", "entropy_target")
        real("searcher", self, 0, 1, "baseline_decay")
        whole("searcher", self, 1, "hidden", "layers", "accumulate", "population")
