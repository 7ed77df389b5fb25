"""The options of off-policy PPO, and their checks; each error names the option."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal

import jax
import optax

from jaxnas.policies import Policy
from jaxnas.searchers.replay_bank import Scale

Ratio = Literal["actor", "behavior"]
"""What the learner's probabilities are divided by."""


@dataclasses.dataclass(frozen=True)
class PPOConfig:
    """The arguments of `jaxnas.searchers.ppo`, hashable, so that equal ones share programs.

    `numbers` are those of `PPOSettings`, in its order.
    """

    policy: Policy
    tasks: int
    optimizer: optax.GradientTransformation
    numbers: tuple[float, ...]
    advantage: Scale
    per_task: bool
    ratio: Ratio
    candidates: int
    bank: int
    replay: int
    updates: int
    sync_every: int
    follows_entropy: bool

    def __post_init__(self):
        names = ("clip", "baseline_decay", "entropy_weight", "entropy_target", "greedy")
        clip, decay, weight, target, greedy = self.numbers
        least = {"tasks": 1, "candidates": 1, "bank": 1, "replay": 1, "updates": 1, "sync_every": 1}
        for name, low in least.items():
            _check(name, getattr(self, name), getattr(self, name) >= low, f">= {low}")
        checks = (clip > 0, 0 <= decay < 1, weight >= 0, target >= 0, greedy >= 0)
        ranges = ("> 0", "in [0, 1)", ">= 0", ">= 0", ">= 0")
        for name, value, right, said in zip(names, self.numbers, checks, ranges, strict=True):
            _check(name, value, right, said)
        if self.advantage not in ("rank", "std", "baseline", "none"):
            raise ValueError(
                f"'advantage' is {self.advantage!r}: give 'rank', 'std', 'baseline' or 'none'."
            )
        if self.ratio not in ("actor", "behavior"):
            raise ValueError(f"'ratio' is {self.ratio!r}: give 'actor' or 'behavior'.")


def _check(name: str, value: float, right: bool, said: str) -> None:
    if not right or math.isnan(value):
        raise ValueError(f"{name!r} is {value}; it must be {said}.")


def check_policy(policy: Policy, tasks: int) -> None:
    """Raises `ValueError` if the policy was made for another number of tasks."""
    params = jax.eval_shape(policy.init, jax.random.key(0))
    embeddings = params.get("tasks") if isinstance(params, dict) else None
    if embeddings is not None and len(embeddings.shape) and embeddings.shape[0] != tasks:
        raise ValueError(
            f"'tasks' is {tasks}, but the policy is of {embeddings.shape[0]}: give "
            "'with_tasks' and 'ppo' the same number."
        )
