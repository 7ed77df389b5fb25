"""How the arms of `mnms.py` search every held-out task with all seeds at once."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import text_networks
from curves import seed_keys
from mnms_arms import PLAIN, SETTINGS, Arm, Settings
from mnms_search import (
    BATCH,
    INIT_SCALE,
    Found,
    Start,
    policy_for,
    search_all,
    search_plainly,
    searcher_for,
)
from text_networks import Table

from jaxnas.policies import Policy, new_task
from jaxnas.policies.tasks import Centre
from jaxnas.searchers import Searcher


class Trials(NamedTuple):
    """What an arm tried, `H` held-out tasks and `S` seeds.

    Attributes:
      positions: `int [H, S, trials]`, of the architectures in the table.
      rewards: `[H, S, trials]`, their validation accuracies.
    """

    positions: np.ndarray
    rewards: np.ndarray


def allowed(tasks: tuple[str, ...]) -> np.ndarray:
    """Which tasks may be used to pretrain for each: `bool [H, K]`."""
    leaking = [[{a, b} <= text_networks.LEAKING for b in tasks] for a in tasks]
    return ~(np.array(leaking) | np.eye(len(tasks), dtype=bool))


class Study:
    """Runs the arms; what arms have in common is pretrained once.

    Attributes:
      table: the accuracies.
      seeds: `S`.
      pretraining: batches of joint pretraining.
      trials: of each search.
      settings: of PPO.
    """

    def __init__(
        self,
        table: Table,
        seeds: int,
        pretraining: int,
        trials: int,
        settings: Settings = SETTINGS,
    ):
        self.table, self.seeds = table, seeds
        self.pretraining, self.trials, self.settings = pretraining, trials, settings
        self.tables = jnp.asarray(table.validation, jnp.float32)
        self.keys = seed_keys(seeds)
        self._learned: dict[tuple[Any, ...], dict[str, Any]] = {}

    def run_ppo(self, arm: Arm) -> Trials:
        """What an arm that searches by PPO tried."""
        found = [self._search_held_out(arm, h) for h in range(len(self.tables))]
        positions, rewards = (
            np.stack([np.asarray(getattr(f, name)) for f in found])
            for name in ("positions", "rewards")
        )
        shape = (len(found), self.seeds, self.trials)
        return Trials(positions.reshape(shape), rewards.reshape(shape))

    def run_plain(self, searcher: Searcher) -> Trials:
        """What a searcher that starts anew tried."""
        found = search_plainly(searcher, self.trials, self.keys, self.tables)
        return Trials(*map(np.asarray, found))

    def joint_rewards(self, arm: Arm) -> np.ndarray:
        """What one fresh controller tried for all tasks, `[S, K, N]`; minus infinity elsewhere."""
        is_open = np.ones(len(self.tables), bool)
        params = _shown(arm, _fresh(policy_for(len(self.tables)), self.keys))
        _, found = self._run(arm, self.keys, params, self.tables, is_open, self.pretraining)
        seen = np.full((self.seeds, *self.tables.shape), -np.inf)
        rows = np.arange(self.seeds)[:, None, None]
        seen[rows, np.asarray(found.tasks)[..., None], found.positions] = found.rewards
        return seen

    def _search_held_out(self, arm: Arm, held_out: int) -> Found:
        """The search of one held-out task, of all seeds."""
        keys = _of_task(seed_keys(self.seeds, 1000), held_out)
        if arm.pretrained:
            is_open_before = allowed(self.table.tasks)[held_out]
            learned = self._pretrained(arm, held_out)
            params = _new_tasks(learned, keys, is_open_before, self._settings(arm).centre)
        else:
            params = _fresh(policy_for(len(self.tables)), keys)
        is_open = np.arange(len(self.tables)) == held_out
        batches = self.trials // BATCH
        search = dataclasses.replace(arm, per_task=True)
        return self._run(search, keys, _shown(arm, params), self.tables, is_open, batches)[1]

    def _pretrained(self, arm: Arm, held_out: int) -> dict[str, Any]:
        """What a controller has learned of the other tasks, of all seeds."""
        settings = dataclasses.replace(self._settings(arm), old_rate=0.0, greedy=0, centre="zero")
        kind = (arm.shuffled, arm.embedding, arm.per_task, settings, held_out)
        if kind not in self._learned:
            learner = dataclasses.replace(arm, pretrained=False)
            tables = _shuffled(self.keys, self.tables) if arm.shuffled else self.tables
            params = _shown(arm, _fresh(policy_for(len(self.tables)), self.keys))
            is_open = allowed(self.table.tasks)[held_out]
            found = self._run(learner, self.keys, params, tables, is_open, self.pretraining)
            self._learned[kind] = found[0]
        return self._learned[kind]

    def _settings(self, arm: Arm) -> Settings:
        return PLAIN if arm.plain else self.settings

    def _run(self, arm: Arm, keys, params, tables, is_open, batches: int):
        """One call of the program: learned parameters and trials, all seeds `[S]`."""
        settings = self._settings(arm)
        old_rate = 0.0 if arm.frozen else settings.old_rate
        rates = {
            "tasks": settings.rate if arm.embedding else 0.0,
            "policy": old_rate if arm.pretrained else settings.rate,
        }

        def of_each(number: float) -> jax.Array:
            return jnp.full(self.seeds, number, jnp.float32)

        tables = jnp.broadcast_to(tables, (self.seeds, *self.tables.shape))
        is_open = jnp.broadcast_to(is_open, (self.seeds, len(is_open)))
        most = max(self.pretraining, self.trials // BATCH)
        searcher = searcher_for(len(self.tables), arm.per_task, _static(settings))
        greedy = settings.greedy if arm.pretrained else 0
        given = (rates, settings.entropy_weight, settings.entropy_target, greedy)
        numbers = jax.tree.map(of_each, given)
        starts = Start(keys, params, *numbers, tables, is_open)
        learned, found = search_all(searcher, most, jnp.int32(batches), starts)
        return learned, Found(*(np.asarray(x)[:, :batches] for x in found))


def _static(settings: Settings) -> Settings:
    """What of the settings the program depends on; the rest is data."""
    target = 1.0 if math.isfinite(settings.entropy_target) else math.inf
    numbers = {"rate": 0.0, "old_rate": 0.0, "entropy_weight": 0.0, "greedy": 0, "centre": "zero"}
    return dataclasses.replace(settings, entropy_target=target, **numbers)


@functools.partial(jax.jit, static_argnums=0)
def _fresh(policy: Policy, keys: jax.Array) -> dict[str, Any]:
    """Parameters of controllers that have learned nothing."""
    return jax.vmap(policy.init)(keys)


@functools.partial(jax.jit, static_argnums=3)
def _new_tasks(params: dict[str, Any], keys: jax.Array, known: jax.Array, centre: Centre):
    """Learned parameters with a fresh embedding in the place of every task's.

    The mean is that of the tasks that were known: `bool [K]`.
    """
    number = params["tasks"].shape[1]
    where = jnp.asarray(known, params["tasks"].dtype)[:, None]
    mean = (params["tasks"] * where).sum(1, keepdims=True) / where.sum()
    learned = params | {"tasks": mean}
    options = {"tasks": number, "centre": centre, "scale": INIT_SCALE if centre == "zero" else 0.0}
    return jax.vmap(lambda p, key: new_task(p, key, **options))(learned, keys)


def _shown(arm: Arm, params: dict[str, Any]) -> dict[str, Any]:
    """Without an embedding all tasks are one to the controller."""
    return params if arm.embedding else params | {"tasks": jnp.zeros_like(params["tasks"])}


@jax.jit
def _of_task(keys: jax.Array, task: int) -> jax.Array:
    """Keys `[S]` of one task's searches."""
    return jax.vmap(lambda key: jax.random.fold_in(key, task))(keys)


@jax.jit
def _shuffled(keys: jax.Array, tables: jax.Array) -> jax.Array:
    """The rewards of each task at the wrong architectures, other ones for each seed `[S, K, N]`."""

    def one(key: jax.Array) -> jax.Array:
        return jax.vmap(jax.random.permutation)(jax.random.split(key, len(tables)), tables)

    return jax.vmap(one)(keys)
