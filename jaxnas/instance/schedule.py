"""Which step of an instance-aware search does what, as a function of its number.

Source: Cheng et al. 2018, "InstaNAS" (arXiv:1811.10201), section 3, and the authors' code:
pretraining, then in turns an epoch of policy updates and one of weight steps, then fine-tuning.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import NamedTuple

from jaxnas.data.batches import batches_per_epoch
from jaxnas.instance.config import InstanceConfig, StageConfig


class Place(NamedTuple):
    """Where a step lies.

    Attributes:
      phase: `pretrain`, `policy`, `weights` or `finetune`.
      epoch: of its stage; of all points together in fine-tuning.
      number: steps of the phase done before: the position in the order of the images.
      first: whether it begins its stage, in fine-tuning that of its point.
      last: whether it ends its stage; in the search, an epoch.
      point: the point that is taken after it or fine-tuned by it; -1 for none.
    """

    phase: str
    epoch: int
    number: int
    first: bool
    last: bool
    point: int = -1


@dataclasses.dataclass(frozen=True)
class InstanceSchedule:
    """The steps of all stages in their order.

    Attributes:
      config: the epochs and batches of the stages.
      train_size: images in the train split.

    Example:
      >>> InstanceSchedule(config, 1000).place(0).phase  # doctest: +SKIP
      'pretrain'
    """

    config: InstanceConfig
    train_size: int

    def weight_steps(self, stage: StageConfig) -> int:
        """Steps of one epoch of a stage."""
        return batches_per_epoch(self.train_size, stage.batch_size)

    @functools.cached_property
    def stage_steps(self) -> dict[str, int]:
        """The steps of each stage."""
        config = self.config
        epoch = config.search.policy_updates + self.weight_steps(config.search)
        return {
            "pretrain": config.pretrain.epochs * self.weight_steps(config.pretrain),
            "search": config.search.epochs * epoch,
            "finetune": config.search.points
            * config.finetune.epochs
            * self.weight_steps(config.finetune),
        }

    @property
    def total_steps(self) -> int:
        """Steps of all stages."""
        return sum(self.stage_steps.values())

    def permuted(self, number: int) -> float:
        """The share of images under another image's architecture in a step of fine-tuning."""
        config = self.config.finetune
        sinking = config.permuted * config.epochs * self.weight_steps(config)
        return max(0.0, 1 - number / sinking) if sinking else 0.0

    @functools.cached_property
    def point_epochs(self) -> tuple[int, ...]:
        """The epochs of the search after which points are taken."""
        epochs, points = self.config.search.epochs, self.config.search.points
        return tuple((i + 1) * epochs // points - 1 for i in range(points))

    def place(self, step: int) -> Place:
        """Where a step lies; `step` is counted from 0."""
        if step < self.stage_steps["pretrain"]:
            epoch = step // self.weight_steps(self.config.pretrain)
            return Place(
                "pretrain", epoch, step, step == 0, step + 1 == self.stage_steps["pretrain"]
            )
        step -= self.stage_steps["pretrain"]
        if step < self.stage_steps["search"]:
            return self._place_in_search(step)
        step -= self.stage_steps["search"]
        per_epoch = self.weight_steps(self.config.finetune)
        point, within = divmod(step, per_epoch * self.config.finetune.epochs)
        last = within + 1 == per_epoch * self.config.finetune.epochs
        return Place("finetune", step // per_epoch, within, within == 0, last, point)

    def _place_in_search(self, step: int) -> Place:
        updates, weights = self.config.search.policy_updates, self.weight_steps(self.config.search)
        epoch, within = divmod(step, updates + weights)
        if within < updates:
            return Place("policy", epoch, epoch * updates + within, step == 0, False)
        number, last = epoch * weights + within - updates, within + 1 == updates + weights
        taken = last and epoch in self.point_epochs
        point = self.point_epochs.index(epoch) if taken else -1
        return Place("weights", epoch, number, False, last, point)
