"""The searches of `mnms.py`: their settings, their arms, and all of one kind as one program.

Joint pretraining and the search of a held-out task are one program: both search the open ones of
all tasks, of which a held-out one is open alone. What arms differ in is data of that program, so
that it is compiled once: learned or fresh weights, learning rates, rewards, which tasks are open.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
import text_networks
from mnms_arms import Settings

from jaxnas.policies import Policy, lstm, with_tasks
from jaxnas.searchers import Searcher, ppo, transfer
from jaxnas.spaces import rank

HIDDEN, EMBEDDING, INIT_SCALE = 24, 12, 0.3
BATCH = 5
PRETRAINING, TRIALS = 400, 300
"""Batches of joint pretraining, and trials of the search on a held-out task."""
REPLAY, BANK = 32, 500


class Start(NamedTuple):
    """What a search by PPO goes out from.

    Attributes:
      key: of the search.
      params: of the controller.
      rates: the learning rates of the embeddings (`tasks`) and of all else (`policy`).
      entropy_weight: of the policy's entropy.
      entropy_target: of the policy.
      greedy: how many first trials are the most probable candidates.
      tables: `[K, N]`, the rewards of each task.
      is_open: `bool [K]`, the tasks that are searched.
    """

    key: jax.Array
    params: dict[str, Any]
    rates: dict[str, jax.Array]
    entropy_weight: jax.Array
    entropy_target: jax.Array
    greedy: jax.Array
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
def searcher_for(tasks: int, per_task: bool, settings: Settings) -> Searcher:
    """PPO for several tasks; the state of its optimiser is that of Adam and the rates."""
    return ppo(
        policy_for(tasks),
        tasks,
        optax.chain(optax.scale_by_adam(), rates_as_data()),
        advantage=settings.advantage,
        per_task=per_task,
        entropy_target=settings.entropy_target,
        candidates=settings.candidates,
        bank=BANK,
        replay=REPLAY,
        updates=settings.updates,
        sync_every=1,
    )


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
        temperature=jnp.full_like(state.temperature, start.entropy_weight),
        settings=state.settings._replace(
            entropy_weight=start.entropy_weight,
            entropy_target=start.entropy_target,
            greedy=start.greedy,
        ),
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
def search_all(searcher: Searcher, most: int, batches: jax.Array, starts: Start):
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
def search_plainly(searcher: Searcher, trials: int, keys: jax.Array, tables: jax.Array):
    """Positions and rewards `[H, S, trials]` for keys `[S]` in tables `[H, N]`."""

    def one(table, key):
        return one_search(searcher, key, table, trials)

    return jax.vmap(jax.vmap(one, (None, 0)), (0, None))(tables, keys)
