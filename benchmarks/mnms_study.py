"""The arms of `mnms.py`, and how one arm searches with all seeds at once.

Joint pretraining and the search of a held-out task are one program: both search the open ones of
all tasks, of which a held-out one is open alone. What arms differ in is data of that program, so
that it is compiled once: learned or fresh weights, learning rates, rewards, which tasks are open.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import text_networks
from curves import seed_keys
from text_networks import Table

from jaxnas.policies import Policy, lstm, new_task, with_tasks
from jaxnas.searchers import Searcher, ppo, random, reinforce, transfer
from jaxnas.spaces import rank

HIDDEN, EMBEDDING, INIT_SCALE = 24, 12, 0.3
BATCH = 5
PRETRAINING, TRIALS = 400, 300
"""Batches of joint pretraining, and trials of the search on a held-out task."""
REPLAY = 32


@dataclasses.dataclass(frozen=True)
class Settings:
    """Of PPO, for all arms; chosen on simulated tasks (`tune_mnms.py`).

    Attributes:
      rate: the learning rate of a fresh controller and of new embeddings.
      old_rate: that of weights that were learned before.
      entropy_weight: of the policy's entropy.
      updates: of the learner after each batch of rewards.
    """

    rate: float = 0.005
    old_rate: float = 0.01
    entropy_weight: float = 0.1
    updates: int = 4


@dataclasses.dataclass(frozen=True)
class Arm:
    """How a controller is made ready for a held-out task.

    Attributes:
      pretrained: whether it has searched the other tasks before.
      shuffled: whether their rewards stood at the wrong architectures then: a control.
      embedding: whether it knows which task it searches.
      per_task: whether rewards are normalised task by task.
      frozen: whether what was learned stays as it is after the transfer.
    """

    pretrained: bool = True
    shuffled: bool = False
    embedding: bool = True
    per_task: bool = True
    frozen: bool = False


SETTINGS = Settings()

ARMS = {
    "transfer": Arm(),
    "transfer, embedding only": Arm(frozen=True),
    "transfer, shuffled": Arm(shuffled=True),
    "transfer, no embedding": Arm(embedding=False),
    "transfer, no normalisation": Arm(per_task=False),
    "scratch, ppo": Arm(pretrained=False),
}
"""The arms that search by PPO; `scratch` is REINFORCE, and `random` and `static` learn nothing."""


class Start(NamedTuple):
    """What a search by PPO goes out from.

    Attributes:
      key: of the search.
      params: of the controller.
      rates: the learning rates of the embeddings (`tasks`) and of all else (`policy`).
      entropy_weight: of the policy's entropy.
      tables: `[K, N]`, the rewards of each task.
      is_open: `bool [K]`, the tasks that are searched.
    """

    key: jax.Array
    params: dict[str, Any]
    rates: dict[str, jax.Array]
    entropy_weight: jax.Array
    tables: jax.Array
    is_open: jax.Array


class Found(NamedTuple):
    """The trials of a search of several tasks, `B` batches.

    Attributes:
      tasks: `int [B]`, of each batch.
      positions: `int [B, BATCH]`, of the architectures in the table.
      rewards: `[B, BATCH]`.
    """

    tasks: jax.Array
    positions: jax.Array
    rewards: jax.Array


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


@functools.cache
def policy_for(tasks: int) -> Policy:
    """The controller."""
    options = {"init_scale": INIT_SCALE, "head_scale": 0.0, "skip_connection": True}
    inner = lstm(text_networks.space(), hidden=HIDDEN, context_size=EMBEDDING, **options)
    return with_tasks(inner, tasks, scale=INIT_SCALE)


def rates_as_data() -> optax.GradientTransformation:
    """Multiplies what Adam wants by rates that stand in the state: other rates, same program."""

    def init(params: dict[str, Any]) -> dict[str, jax.Array]:
        return {name: jnp.float32(0) for name in params}

    def update(updates, rates, params=None):
        del params
        scaled = {
            name: jax.tree.map(lambda x, rate=rates[name]: -rate * x, updates[name])
            for name in rates
        }
        return scaled, rates

    return optax.GradientTransformation(init, update)


@functools.cache
def searcher_for(tasks: int, per_task: bool, updates: int) -> Searcher:
    """PPO for several tasks; the state of its optimiser is that of Adam and the rates."""
    optimizer = optax.chain(optax.scale_by_adam(), rates_as_data())
    options = {"updates": updates, "replay": REPLAY, "sync_every": 1}
    return ppo(policy_for(tasks), tasks, optimizer, per_task=per_task, bank=TRIALS, **options)


def evaluate(table: jax.Array, architectures: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The positions and the rewards of architectures in a table `[N]`."""
    positions = rank(text_networks.space(), architectures)
    return positions, table[positions]


def search_from(searcher: Searcher, most: int, batches: jax.Array, start: Start):
    """Searches the open tasks, a random one in each batch.

    Args:
      searcher: of all tasks.
      most: `B`, the most batches that any search has.
      batches: how many this one has; the rest of `Found` is 0.
      start: what the search goes out from.

    Returns:
      The learned parameters, and the trials.
    """
    key, first = jax.random.split(start.key)
    logits = jnp.where(start.is_open, 0.0, -jnp.inf)
    state = transfer(searcher, start.params, first)
    state = state._replace(
        optimizer=(state.optimizer[0], start.rates),
        settings=state.settings._replace(entropy_weight=start.entropy_weight),
    )

    def step(i, carry):
        state, found = carry
        task = jax.random.categorical(jax.random.fold_in(key, i), logits).astype(jnp.int32)
        tasks = jnp.full((BATCH,), task)
        state, architectures = searcher.ask(state, BATCH, tasks)
        seen = (task, *evaluate(start.tables[task], architectures))
        state, _ = searcher.tell(state, architectures, seen[2], tasks)
        return state, Found(*(all_.at[i].set(new) for all_, new in zip(found, seen, strict=True)))

    shape = (most, BATCH)
    nothing = Found(jnp.zeros(most, jnp.int32), jnp.zeros(shape, jnp.int32), jnp.zeros(shape))
    state, found = jax.lax.fori_loop(0, batches, step, (state, nothing))
    return state.learner, found


@functools.partial(jax.jit, static_argnums=(0, 1))
def _search_all(searcher: Searcher, most: int, batches: jax.Array, starts: Start):
    """`search_from` for all seeds, the leading axis `[S]` of `starts`."""
    return jax.vmap(lambda start: search_from(searcher, most, batches, start))(starts)


def one_search(searcher: Searcher, key: jax.Array, table: jax.Array, trials: int):
    """Searches one task without a controller for several; positions and rewards `[trials]`."""

    def step(state, _):
        state, architectures = searcher.ask(state, BATCH)
        positions, rewards = evaluate(table, architectures)
        state, _ = searcher.tell(state, architectures, rewards)
        return state, (positions, rewards)

    _, seen = jax.lax.scan(step, searcher.init(key), length=trials // BATCH)
    return tuple(x.reshape(-1) for x in seen)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _search_plainly(searcher: Searcher, trials: int, keys: jax.Array, tables: jax.Array):
    """Positions and rewards `[H, S, trials]` for keys `[S]` in tables `[H, N]`."""

    def one(table, key):
        return one_search(searcher, key, table, trials)

    return jax.vmap(jax.vmap(one, (None, 0)), (0, None))(tables, keys)


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
        found = _search_plainly(searcher, self.trials, self.keys, self.tables)
        return Trials(*map(np.asarray, found))

    def joint_rewards(self, embedding: bool) -> np.ndarray:
        """What one controller tried for all tasks, `[S, K, N]`; minus infinity elsewhere."""
        arm = Arm(pretrained=False, embedding=embedding)
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
            params = _new_tasks(self._pretrained(arm, held_out), keys)
        else:
            params = _fresh(policy_for(len(self.tables)), keys)
        is_open = np.arange(len(self.tables)) == held_out
        batches = self.trials // BATCH
        search = dataclasses.replace(arm, per_task=True)
        return self._run(search, keys, _shown(arm, params), self.tables, is_open, batches)[1]

    def _pretrained(self, arm: Arm, held_out: int) -> dict[str, Any]:
        """What a controller has learned of the other tasks, of all seeds."""
        kind = (arm.shuffled, arm.embedding, arm.per_task, held_out)
        if kind not in self._learned:
            learner = dataclasses.replace(arm, pretrained=False)
            tables = _shuffled(self.keys, self.tables) if arm.shuffled else self.tables
            params = _shown(arm, _fresh(policy_for(len(self.tables)), self.keys))
            is_open = allowed(self.table.tasks)[held_out]
            found = self._run(learner, self.keys, params, tables, is_open, self.pretraining)
            self._learned[kind] = found[0]
        return self._learned[kind]

    def _run(self, arm: Arm, keys, params, tables, is_open, batches: int):
        """One call of the program: learned parameters and trials, all seeds `[S]`."""
        settings = self.settings
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
        searcher = searcher_for(len(self.tables), arm.per_task, settings.updates)
        numbers = jax.tree.map(of_each, (rates, settings.entropy_weight))
        starts = Start(keys, params, *numbers, tables, is_open)
        learned, found = _search_all(searcher, most, jnp.int32(batches), starts)
        return learned, Found(*(np.asarray(x)[:, :batches] for x in found))


@functools.partial(jax.jit, static_argnums=0)
def _fresh(policy: Policy, keys: jax.Array) -> dict[str, Any]:
    """Parameters of controllers that have learned nothing."""
    return jax.vmap(policy.init)(keys)


@jax.jit
def _new_tasks(params: dict[str, Any], keys: jax.Array) -> dict[str, Any]:
    """Learned parameters with a fresh embedding in the place of every task's."""
    number = params["tasks"].shape[1]
    return jax.vmap(lambda p, key: new_task(p, key, tasks=number, scale=INIT_SCALE))(params, keys)


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


def plain_searchers() -> dict[str, Searcher]:
    """REINFORCE without a memory on the same kind of controller, with its defaults, and chance."""
    space = text_networks.space()
    options = {"init_scale": INIT_SCALE, "head_scale": 0.0, "skip_connection": True}
    controller = lstm(space, hidden=HIDDEN, **options)
    return {
        "scratch": reinforce(controller, optax.adam(SETTINGS.rate), memory=0),
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
