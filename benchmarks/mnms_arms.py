"""The arms of `mnms.py` that search by PPO, and the settings of PPO."""

from __future__ import annotations

import dataclasses
import math

from jaxnas.policies.tasks import Centre
from jaxnas.searchers.replay_bank import Scale


@dataclasses.dataclass(frozen=True)
class Settings:
    """Of PPO, for all arms; chosen on simulated tasks (`tune_mnms.py`).

    Attributes:
      rate: the learning rate of a fresh controller and of new embeddings.
      old_rate: that of weights that were learned before.
      entropy_weight: of the policy's entropy; where it follows a target, at the start.
      entropy_target: in nats; infinity for a weight that stays as it is.
      updates: of the learner after each batch of rewards.
      advantage: of a reward.
      candidates: for each trial; 1 for draws that may repeat.
      greedy: so many first trials after a transfer are the most probable candidates.
      centre: what the embedding of a new task lies around.
    """

    rate: float = 0.01
    old_rate: float = 0.01
    entropy_weight: float = 0.2
    entropy_target: float = 2.86
    updates: int = 4
    advantage: Scale = "rank"
    candidates: int = 8
    greedy: int = 10
    centre: Centre = "mean"


@dataclasses.dataclass(frozen=True)
class Arm:
    """How a controller is made ready for a held-out task.

    Attributes:
      pretrained: whether it has searched the other tasks before.
      shuffled: whether their rewards stood at the wrong architectures then: a control.
      embedding: whether it knows which task it searches.
      per_task: whether rewards are normalised task by task.
      frozen: whether what was learned stays as it is after the transfer.
      plain: whether it searches as the paper does, with the settings `PLAIN`.
    """

    pretrained: bool = True
    shuffled: bool = False
    embedding: bool = True
    per_task: bool = True
    frozen: bool = False
    plain: bool = False


SETTINGS = Settings()
PLAIN = Settings(
    rate=0.005,
    old_rate=0.01,
    entropy_weight=0.1,
    entropy_target=math.inf,
    updates=4,
    advantage="std",
    candidates=1,
    greedy=0,
    centre="zero",
)
"""Draws may repeat and the weight of the entropy is fixed, as in the paper; advantages are not."""

ARMS = {
    "transfer": Arm(),
    "transfer, embedding only": Arm(frozen=True),
    "transfer, shuffled": Arm(shuffled=True),
    "transfer, no embedding": Arm(embedding=False),
    "transfer, no normalisation": Arm(per_task=False),
    "scratch, ppo": Arm(pretrained=False),
}
"""The arms that search by PPO; `scratch` is REINFORCE, and `random` and `static` learn nothing."""

PLAIN_ARMS = {
    "transfer, plain": Arm(plain=True),
    "scratch, plain ppo": Arm(pretrained=False, plain=True),
}
