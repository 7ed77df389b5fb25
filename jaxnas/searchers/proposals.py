"""What to evaluate next: draws from a policy of several tasks that their banks do not hold yet.

A child that is trained with the same recipe again tells nothing new, so that none is proposed twice
for one task. Candidates are looked through in this order: draws from the policy; neighbours of
those (one decision taken otherwise), the more probable ones mostly first, so that a policy that
has settled goes on in the order of what it has learned; and other architectures of the space: all
of a small one, and uniform draws of a large one.

Source: Kool et al. 2019, "Stochastic beams and where to find them" (arXiv:1903.06059), for the
order by log-probabilities with Gumbel noise, which samples without replacement.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.policies import Policy
from jaxnas.searchers.memory import hash_architectures
from jaxnas.searchers.mutation import mutate
from jaxnas.searchers.replay_bank import ReplayBank
from jaxnas.spaces import SearchSpace

_SMALL = 2048
"""Spaces of up to so many architectures are looked through as a whole."""

_FIRST, _LAST = 1e6, -1e30
"""The order of draws from the policy, before all others, and of what comes after all others."""


class _Pool(NamedTuple):
    """Candidates, `C` of them; of equal architectures the first is taken."""

    architectures: jax.Array  # int32 [C, T]
    tasks: jax.Array  # int32 [C]
    order: jax.Array  # [C], the highest first
    log_prob: jax.Array  # [C], of the policy


class _Taken(NamedTuple):
    """What the rows before have got."""

    hashes: jax.Array  # uint32 [N]
    tasks: jax.Array  # int32 [N]; -1 for a row that is still to come


def propose(
    policy: Policy,
    params: Any,
    bank: ReplayBank,
    key: jax.Array,
    tasks: jax.Array,
    candidates: int,
    greedy: jax.Array,
) -> jax.Array:
    """One architecture `int32 [N, T]` for each of `N` rows, new to the row's task.

    Args:
      policy: made by `jaxnas.policies.with_tasks`.
      params: of the policy.
      bank: the trials of each task; what it has forgotten is new again.
      key: a PRNG key; it is consumed.
      tasks: `int32 [N]`, of each row.
      candidates: draws from the policy for each row, and as many neighbours.
      greedy: `bool [N]`, rows that get the most probable of all candidates of their task.

    Returns:
      Different architectures for the rows of one task, none of which its bank holds: always, where
      the space has some left and at most 2048 architectures; else where a candidate is new. A row
      without any new candidate gets a draw from the policy.
    """
    pool_key, rest_key = jax.random.split(key)
    seen, filled = _hashes(bank)
    pool = _pool(policy, params, pool_key, jnp.repeat(tasks, candidates))
    rest = _rest(policy.space, rest_key, len(pool.tasks) // 2)
    hashes = hash_architectures(jnp.concatenate([pool.architectures, rest]))
    ours, theirs = hashes[: len(pool.tasks)], hashes[len(pool.tasks) :]
    known = _among(ours[:, None], seen[pool.tasks], filled[pool.tasks])[:, 0]
    theirs = jnp.broadcast_to(theirs, (len(tasks), len(rest)))
    rest_known = _among(theirs, seen[tasks], filled[tasks])

    def choose(taken: _Taken, row):
        task, number, is_greedy, closed = row
        order = jnp.where(is_greedy, pool.log_prob, pool.order)
        order = jnp.where((pool.tasks == task) & ~known, order, -jnp.inf)
        order = jnp.concatenate([order, jnp.where(closed, -jnp.inf, _LAST)])
        used = (hashes[:, None] == taken.hashes) & (taken.tasks == task)
        order = jnp.where(used.any(-1), -jnp.inf, order)
        best = jnp.argmax(order)
        place = jnp.where(order[best] > -jnp.inf, best, number * candidates)
        taken = _Taken(taken.hashes.at[number].set(hashes[place]), taken.tasks.at[number].set(task))
        return taken, place

    none = _Taken(jnp.zeros(len(tasks), jnp.uint32), jnp.full(len(tasks), -1, jnp.int32))
    rows = (tasks, jnp.arange(len(tasks)), greedy, rest_known)
    places = jax.lax.scan(choose, none, rows)[1]
    return jnp.concatenate([pool.architectures, rest])[places]


def _pool(policy: Policy, params: Any, key: jax.Array, tasks: jax.Array) -> _Pool:
    """Draws from the policy for tasks `[D]`, and a neighbour of each."""
    sample_key, mutate_key, noise_key = jax.random.split(key, 3)
    drawn = policy.sample(params, sample_key, len(tasks), tasks)
    near = mutate(policy.space, mutate_key, drawn.architectures)
    log_prob = policy.log_prob(params, near, tasks)
    # Draws come as they were drawn, before all neighbours; these by Gumbel top-k.
    first = _FIRST - jnp.arange(len(tasks), dtype=log_prob.dtype)
    noisy = log_prob + jax.random.gumbel(noise_key, log_prob.shape, log_prob.dtype)
    return _Pool(
        jnp.concatenate([drawn.architectures, near]),
        jnp.concatenate([tasks, tasks]),
        jnp.concatenate([first, noisy]),
        jnp.concatenate([drawn.log_prob, log_prob]),
    )


def _hashes(bank: ReplayBank) -> tuple[jax.Array, jax.Array]:
    """The hashes `[K, M]` of a bank's architectures, and which places hold one."""
    length = bank.architectures.shape[-1]
    hashes = hash_architectures(bank.architectures.reshape(-1, length))
    filled = jnp.arange(bank.rewards.shape[1]) < bank.stored[:, None]
    return hashes.reshape(bank.rewards.shape), filled


def _among(hashes: jax.Array, seen: jax.Array, filled: jax.Array) -> jax.Array:
    """Which hashes `[N, C]` are among the filled ones of `seen` `[N, M]`: `bool [N, C]`."""
    return ((hashes[..., None] == seen[:, None]) & filled[:, None]).any(-1)


def _rest(space: SearchSpace, key: jax.Array, num: int) -> jax.Array:
    """All architectures of a small space in random order; `num` uniform ones of a large one."""
    if space.count() > _SMALL:
        return space.sample(key, num)
    return jax.random.permutation(key, jnp.asarray(_everything(space)))


@functools.lru_cache(maxsize=16)
def _everything(space: SearchSpace) -> np.ndarray:
    """All architectures, without JAX: it may be called while a program is traced."""
    return np.stack([space.unrank(position) for position in range(space.count())])
