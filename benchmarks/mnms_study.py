"""The arms of `mnms.py`, and how one arm searches all held-out tasks with all seeds at once."""

from __future__ import annotations

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import text_networks
from curves import seed_keys
from text_networks import Table

from jaxnas.policies import Policy, lstm, new_task, with_tasks
from jaxnas.searchers import Searcher, ppo, random, reinforce, transfer, transfer_optimizer
from jaxnas.spaces import rank

HIDDEN, EMBEDDING, INIT_SCALE = 24, 12, 0.3
RATE, OLD_RATE = 0.01, 0.003
"""Learning rates of a fresh controller and new embeddings, and of weights that were learned."""
BATCH = 5
PRETRAINING, TRIALS = 400, 300
"""Batches of joint pretraining, and trials of the search on a held-out task."""
UPDATES, REPLAY = 2, 32


@dataclasses.dataclass(frozen=True)
class Arm:
    """How a controller is made ready for a held-out task.

    Attributes:
      pretrained: whether it has searched the other tasks before.
      shuffled: whether their rewards stood at the wrong architectures then: a control.
      embedding: whether it knows which task it searches.
      per_task: whether rewards are normalised task by task.
      old_rate: the learning rate of what was learned; 0 leaves it as it is.
    """

    pretrained: bool = True
    shuffled: bool = False
    embedding: bool = True
    per_task: bool = True
    old_rate: float = OLD_RATE


ARMS = {
    "transfer": Arm(),
    "transfer, embedding only": Arm(old_rate=0.0),
    "transfer, shuffled": Arm(shuffled=True),
    "transfer, no embedding": Arm(embedding=False),
    "transfer, no normalisation": Arm(per_task=False),
    "scratch, ppo": Arm(pretrained=False),
}
"""The arms that search by PPO; `scratch` is REINFORCE, and `random` and `static` learn nothing."""


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


def policy_for(tasks: int, embedding: bool) -> Policy:
    """The controller; without an embedding all tasks are one to it."""
    options = {"init_scale": INIT_SCALE, "head_scale": 0.0, "skip_connection": True}
    inner = lstm(text_networks.space(), hidden=HIDDEN, context_size=EMBEDDING, **options)
    return with_tasks(inner, tasks, scale=INIT_SCALE if embedding else 0.0)


@functools.lru_cache(maxsize=64)
def searcher_for(tasks: int, embedding: bool, per_task: bool, old_rate: float) -> Searcher:
    """PPO for several tasks, with learning rates of its own for what was learned before."""
    rates = {
        "tasks": optax.adam(RATE) if embedding else optax.set_to_zero(),
        "policy": optax.adam(old_rate) if old_rate else optax.set_to_zero(),
    }
    optimizer = optax.partition(rates, {"tasks": "tasks", "policy": "policy"})
    if embedding and old_rate != RATE:
        optimizer = transfer_optimizer(RATE, old_rate)
    options = {"updates": UPDATES, "replay": REPLAY, "sync_every": 1}
    return ppo(
        policy_for(tasks, embedding), tasks, optimizer, per_task=per_task, bank=TRIALS, **options
    )


def evaluate(table: jax.Array, architectures: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The positions and the rewards of architectures in a table `[N]`."""
    positions = rank(text_networks.space(), architectures)
    return positions, table[positions]


def joint_search(searcher: Searcher, key, tables, is_open, steps: int):
    """Searches the open ones of `K` tasks, `tables` `[K, N]`, a random one in each batch.

    Returns:
      The last state, and positions and rewards `[K, N]`: the rewards of what was tried for a task,
      minus infinity elsewhere.
    """
    key, first = jax.random.split(key)
    logits = jnp.where(is_open, 0.0, -jnp.inf)

    def step(carry, key):
        state, seen = carry
        task = jax.random.categorical(key, logits).astype(jnp.int32)
        tasks = jnp.full((BATCH,), task)
        state, architectures = searcher.ask(state, BATCH, tasks)
        positions, rewards = evaluate(tables[task], architectures)
        state, _ = searcher.tell(state, architectures, rewards, tasks)
        return (state, seen.at[tasks, positions].set(rewards)), None

    start = (searcher.init(first), jnp.full_like(tables, -jnp.inf))
    (state, seen), _ = jax.lax.scan(step, start, jax.random.split(key, steps))
    return state, seen


def one_search(searcher: Searcher, state, table: jax.Array, trials: int):
    """Searches one task; positions and rewards `[trials]`."""

    def step(state, _):
        state, architectures = searcher.ask(state, BATCH)
        positions, rewards = evaluate(table, architectures)
        state, _ = searcher.tell(state, architectures, rewards)
        return state, (positions, rewards)

    _, seen = jax.lax.scan(step, state, length=trials // BATCH)
    return tuple(x.reshape(-1) for x in seen)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _pretrain(searcher: Searcher, steps: int, keys, tables, is_open):
    """The learned parameters of all held-out tasks `[H]` and seeds `[S]`, `tables` `[S, K, N]`."""

    def one(key, table, is_open):
        return joint_search(searcher, key, table, is_open, steps)[0].learner

    return jax.vmap(jax.vmap(one, (0, 0, None)), (None, None, 0))(keys, tables, is_open)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _search(searcher: Searcher, trials: int, states, tables):
    """Positions and rewards `[H, S, trials]` from states `[H, S]` in tables `[H, N]`."""

    def one(state, table):
        return one_search(searcher, state, table, trials)

    return jax.vmap(jax.vmap(one, (0, None)))(states, tables)


class Study:
    """Runs the arms; what arms have in common is pretrained once.

    Attributes:
      table: the accuracies.
      seeds: `S`.
      pretraining: batches of joint pretraining.
      trials: of each search.
    """

    def __init__(self, table: Table, seeds: int, pretraining: int, trials: int):
        self.table, self.seeds = table, seeds
        self.pretraining, self.trials = pretraining, trials
        self.tables = jnp.asarray(table.validation, jnp.float32)
        self.keys = seed_keys(seeds)
        self._learned: dict[tuple[bool, ...], object] = {}

    def run_ppo(self, arm: Arm) -> Trials:
        """What an arm that searches by PPO tried."""
        rate = arm.old_rate if arm.pretrained else RATE
        alone = searcher_for(1, arm.embedding, True, rate)
        of_task = jax.vmap(lambda key: jax.random.split(key, len(self.tables)), out_axes=1)
        keys = of_task(seed_keys(self.seeds, 1000))
        states = jax.vmap(jax.vmap(alone.init))(keys)
        if arm.pretrained:
            fresh = functools.partial(new_task, scale=INIT_SCALE if arm.embedding else 0.0)
            params = jax.vmap(jax.vmap(fresh))(self._pretrained(arm), keys)
            move = functools.partial(transfer, alone)
            states = jax.vmap(jax.vmap(move))(params, keys)
        return Trials(*map(np.asarray, _search(alone, self.trials, states, self.tables)))

    def run_plain(self, searcher: Searcher) -> Trials:
        """What a searcher that starts anew tried."""
        states = jax.vmap(searcher.init)(self.keys)
        number = len(self.tables)
        states = jax.tree.map(lambda x: jnp.broadcast_to(x, (number, *x.shape)), states)
        return Trials(*map(np.asarray, _search(searcher, self.trials, states, self.tables)))

    def _pretrained(self, arm: Arm) -> object:
        kind = (arm.shuffled, arm.embedding, arm.per_task)
        if kind not in self._learned:
            searcher = searcher_for(len(self.tables), arm.embedding, arm.per_task, RATE)
            tables = jnp.broadcast_to(self.tables, (self.seeds, *self.tables.shape))
            if arm.shuffled:
                tables = jax.vmap(shuffle)(self.keys, tables)
            is_open = jnp.asarray(allowed(self.table.tasks))
            self._learned[kind] = _pretrain(searcher, self.pretraining, self.keys, tables, is_open)
        return self._learned[kind]


def shuffle(key: jax.Array, tables: jax.Array) -> jax.Array:
    """The rewards of each task at the wrong architectures."""
    keys = jax.random.split(key, len(tables))
    return jax.vmap(jax.random.permutation)(keys, tables)


def plain_searchers() -> dict[str, Searcher]:
    """REINFORCE without a memory on the same kind of controller, with its defaults, and chance."""
    space = text_networks.space()
    options = {"init_scale": INIT_SCALE, "head_scale": 0.0, "skip_connection": True}
    controller = lstm(space, hidden=HIDDEN, **options)
    return {
        "scratch": reinforce(controller, optax.adam(RATE), memory=0),
        "scratch, reinforce with memory": reinforce(space),
        "random": random(space),
    }


def static_warm_start(table: Table, seeds: int, trials: int) -> Trials:
    """The architectures by their mean rank on the tasks that are not held out; no seed matters."""
    ranks = np.argsort(np.argsort(-table.validation, axis=1, kind="stable"), axis=1)
    orders = []
    for is_open in allowed(table.tasks):
        mean_rank = ranks[is_open].mean(0)
        orders.append(np.argsort(mean_rank, kind="stable")[:trials])
    positions = np.stack(orders)
    rewards = np.take_along_axis(table.validation, positions, 1)
    return Trials(*(np.repeat(x[:, None], seeds, 1) for x in (positions, rewards)))


def joint_rewards(table: Table, embedding: bool, seeds: int, steps: int) -> np.ndarray:
    """What one controller tried for all tasks at once, `[S, K, N]`; minus infinity for the rest."""
    searcher = searcher_for(len(table.tasks), embedding, True, RATE)
    tables = jnp.asarray(table.validation, jnp.float32)
    everything = jnp.ones(len(table.tasks), bool)

    def search(key):
        return joint_search(searcher, key, tables, everything, steps)[1]

    return np.asarray(jax.jit(jax.vmap(search))(seed_keys(seeds)))
