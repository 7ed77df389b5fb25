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

from typing import Any

import jax
import jax.numpy as jnp

from jaxnas.policies import Policy
from jaxnas.searchers.memory import hash_architectures
from jaxnas.searchers.mutation import mutate
from jaxnas.searchers.replay_bank import ReplayBank
from jaxnas.spaces import SearchSpace

_SMALL = 2048
"""Spaces of up to so many architectures are looked through as a whole."""


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
    space = policy.space
    sample_key, mutate_key, noise_key, rest_key = jax.random.split(key, 4)
    of = jnp.repeat(tasks, candidates)
    drawn = policy.sample(params, sample_key, len(of), of)
    near = mutate(space, mutate_key, drawn.architectures)
    near_log_prob = policy.log_prob(params, near, of)
    noise = jax.random.gumbel(noise_key, near_log_prob.shape, near_log_prob.dtype)
    pool = jnp.concatenate([drawn.architectures, near])
    # Draws come as they were drawn, before all neighbours; these by Gumbel top-k.
    first = jnp.arange(len(of), 0, -1, dtype=noise.dtype) + 1e6
    score = jnp.concatenate([first, near_log_prob + noise])
    greedy_score = jnp.concatenate([drawn.log_prob, near_log_prob])
    owner = jnp.concatenate([of, of])
    seen = hash_architectures(bank.architectures.reshape(-1, space.max_length))
    seen = seen.reshape(bank.rewards.shape)
    filled = jnp.arange(seen.shape[1]) < bank.stored[:, None]
    rest, hashes = _rest(space, rest_key, len(of)), hash_architectures(pool)
    rest_hashes = hash_architectures(rest)
    known = _among(hashes[:, None], seen[owner], filled[owner])[:, 0]
    rest_known = _among(
        jnp.broadcast_to(rest_hashes, (len(tasks), len(rest))), seen[tasks], filled[tasks]
    )
    everything = jnp.concatenate([pool, rest])
    every_hash = jnp.concatenate([hashes, rest_hashes])

    def choose(taken, row):
        task, number, is_greedy, its_rest_known = row
        ours = (owner == task) & ~known
        order = jnp.where(is_greedy, greedy_score, score)
        order = jnp.where(ours, order, -jnp.inf)
        later = jnp.where(its_rest_known, -jnp.inf, -1e30)
        order = jnp.concatenate([order, later])
        used = ((every_hash[:, None] == taken[0]) & (taken[1] == task)).any(-1)
        order = jnp.where(used, -jnp.inf, order)
        best = jnp.argmax(order)
        best = jnp.where(order[best] > -jnp.inf, best, number * candidates)
        taken = (taken[0].at[number].set(every_hash[best]), taken[1].at[number].set(task))
        return taken, everything[best]

    none = (jnp.zeros(len(tasks), jnp.uint32), jnp.full(len(tasks), -1, jnp.int32))
    rows = (tasks, jnp.arange(len(tasks)), greedy, rest_known)
    return jax.lax.scan(choose, none, rows)[1]


def _among(hashes: jax.Array, seen: jax.Array, filled: jax.Array) -> jax.Array:
    """Which hashes `[N, C]` are among the filled ones of `seen` `[N, M]`: `bool [N, C]`."""
    return ((hashes[..., None] == seen[:, None]) & filled[:, None]).any(-1)


def _rest(space: SearchSpace, key: jax.Array, num: int) -> jax.Array:
    """All architectures of a small space in random order; `num` uniform ones of a large one."""
    if space.count() > _SMALL:
        return space.sample(key, num)
    with jax.ensure_compile_time_eval():
        everything = space.all_architectures(_SMALL)
    return jax.random.permutation(key, jnp.asarray(everything))
