"""Whether one controller that searches all tasks at once finds for each what is best for it.

Two readings of the single network that all tasks share, both measured on test accuracy:
  of the whole table: the one with the best mean validation accuracy of all networks, which no
    search was given and every task's validation set has had a say in;
  of the same trials: of the networks that this very search tried on every task (or on as many as
    any), the one with the best mean reward.
The best that any search could do is that of the whole table: each task's best network of all.

Tasks that conflict are those of the second table: four sets with 50 and with 2,000 training texts.
It was made after the first one, of tasks of one size, had turned out to rank the networks alike, so
that nothing is gained there even by the best network of each task (`specialisation_ceiling_alike`).

`joint_reward_by_embedding` is what knowing the task adds to the mean reward of all that the joint
search tries.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from curves import mean_interval
from mnms_arms import Arm
from mnms_study import Study
from text_networks import Table


def shared_of(seen: np.ndarray) -> np.ndarray:
    """The network `[S]` with the best mean reward of those that were tried on the most tasks.

    Args:
      seen: `[S, K, N]`, the rewards; minus infinity where a network was not tried.
    """
    tried = np.isfinite(seen)
    count = tried.sum(1)
    mean = np.where(tried, seen, 0.0).sum(1) / np.maximum(count, 1)
    return np.where(count == count.max(1, keepdims=True), mean, -np.inf).argmax(1)


def gains(table: Table, own: np.ndarray, shared: np.ndarray) -> np.ndarray:
    """Test accuracies `[S, K]` of each task's own networks `[S, K]` above those of `[S]`."""
    tasks = np.arange(len(table.tasks))
    return table.test[tasks, own] - table.test[:, shared].T


def specialisation(study: Study, ending: str = "") -> dict[str, Any]:
    """The figures of both readings; without an embedding beside them.

    Args:
      study: of the tasks that are searched jointly.
      ending: of the figures' names.
    """
    table, summary = study.table, {}
    best_of_all = np.full(study.seeds, table.validation.mean(0).argmax())
    ceiling = np.tile(table.validation.argmax(1), (study.seeds, 1))
    summary["specialisation_ceiling"] = mean_interval(gains(table, ceiling, best_of_all).mean(1))
    means = {}
    for end, embedding in (("", True), ("_no_embedding", False)):
        seen = study.joint_rewards(Arm(pretrained=False, embedding=embedding))
        own, shared = seen.argmax(-1), shared_of(seen)
        readings = {"": best_of_all, "_same_trials": shared}
        for reading, network in readings.items():
            gain, key = gains(table, own, network), f"specialisation{reading}{end}"
            summary[key] = mean_interval(gain.mean(1))
            for i, task in enumerate(table.tasks):
                summary[f"{key}_{task}"] = mean_interval(gain[:, i])
        different = np.array([len(np.unique(of_seed)) for of_seed in own])
        summary[f"different_best{end}"] = mean_interval(different)
        tried = np.isfinite(np.take_along_axis(seen, shared[:, None, None], 2)).sum((1, 2))
        summary[f"shared_tried_on{end}"] = mean_interval(tried)
        means[end] = mean_reward(seen)
    summary["joint_reward_by_embedding"] = mean_interval(means[""] - means["_no_embedding"])
    return {key + ending: value for key, value in summary.items()}


def mean_reward(seen: np.ndarray) -> np.ndarray:
    """The mean reward `[S]` of all that was tried; each task that was searched weighs the same."""
    count = np.isfinite(seen).sum(-1)
    means = np.where(np.isfinite(seen), seen, 0.0).sum(-1) / np.maximum(count, 1)
    return means.sum(-1) / (count > 0).sum(-1)
