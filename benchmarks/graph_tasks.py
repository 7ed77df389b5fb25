"""Simulated design tasks for `graph_space.py`: iterative and branching ones, as spaces and rewards.

The paper (de Laroussilhe et al. 2018) says only that such simulations were made; these are a
reconstruction. The best reward of every task is 1.

Iterative: a loop over layers, each one of 6, at most 8 of them. A hidden design has 4 to 8 layers.
With `n` layers of which `m` are right, the reward is `m / max(n, hidden length)`. Right means
  pattern: the layers, in any order, are those of a hidden collection;
  motif: every layer is the same hidden one;
  control: each layer is a hidden one of its own place, so that iterations have nothing in common.
Branching: one of 4 branches, each with 4 decisions of 6 actions of its own; with a share `s` of
the hidden actions of the branch the reward is `(1 + s) / 2`, times 0.6 unless it is the hidden
best branch.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnas.spaces import Decision, SearchSpace, branch, compose, loop, sequence

LAYERS, LAYER_ACTIONS, SHORTEST = 8, 6, 4
BRANCHES, BRANCH_DECISIONS, BRANCH_ACTIONS = 4, 4, 6
OTHER_BRANCH = 0.6

ITERATIVE_KINDS = ("pattern", "motif", "control")


class IterativeTask(NamedTuple):
    """A hidden design; `[...]` many of them have leading axes.

    Attributes:
      ordered: `bool []`, whether each layer is compared with that of its place.
      length: `int32 []`, the number of hidden layers.
      target: `int32 [8]`, the hidden layers; the first `length` count.
    """

    ordered: jax.Array
    length: jax.Array
    target: jax.Array


class BranchingTask(NamedTuple):
    """The best branch `int32 []`, and the hidden actions `int32 [4, 4]` of every branch."""

    best: jax.Array
    target: jax.Array


def iterative_space() -> SearchSpace:
    """A loop over layers."""
    layer = Decision("layer", tuple("abcdef"[:LAYER_ACTIONS]))
    return compose("iterative", loop(layer, at_most=LAYERS))


def branching_space() -> SearchSpace:
    """A branch whose actions open their own decisions."""
    actions = tuple("abcdef"[:BRANCH_ACTIONS])
    parts = {
        f"branch_{b}": sequence(
            *(Decision(f"branch_{b}/{d}", actions) for d in range(BRANCH_DECISIONS))
        )
        for b in range(BRANCHES)
    }
    return compose("branching", branch("root", parts))


def iterative_task(kind: str, key: jax.Array) -> IterativeTask:
    """Draws the hidden design of one seed."""
    length_key, target_key = jax.random.split(key)
    length = jax.random.randint(length_key, (), SHORTEST, LAYERS + 1)
    target = jax.random.randint(target_key, (LAYERS,), 0, LAYER_ACTIONS)
    if kind == "motif":
        target = jnp.broadcast_to(target[0], target.shape)
    return IterativeTask(jnp.asarray(kind != "pattern"), length, target)


def branching_task(key: jax.Array) -> BranchingTask:
    """Draws the hidden branch and actions of one seed."""
    best_key, target_key = jax.random.split(key)
    best = jax.random.randint(best_key, (), 0, BRANCHES)
    shape = (BRANCHES, BRANCH_DECISIONS)
    return BranchingTask(best, jax.random.randint(target_key, shape, 0, BRANCH_ACTIONS))


def iterative_reward(architectures: jax.Array, task: IterativeTask) -> jax.Array:
    """The reward `[N]` of architectures `[N, 16]` of `iterative_space`."""
    layers = architectures[:, ::2]
    wanted = jnp.arange(LAYERS) < task.length
    in_place = ((layers == task.target) & wanted).sum(-1)
    labels = jnp.arange(LAYER_ACTIONS)
    has = (layers[..., None] == labels).sum(-2)
    needs = ((task.target[:, None] == labels) & wanted[:, None]).sum(0)
    anywhere = jnp.minimum(has, needs).sum(-1)
    right = jnp.where(task.ordered, in_place, anywhere)
    return right / jnp.maximum((layers >= 0).sum(-1), task.length)


def branching_reward(architectures: jax.Array, task: BranchingTask) -> jax.Array:
    """The reward `[N]` of architectures `[N, 5]` of `branching_space`."""
    chosen = architectures[:, 0]
    share = (architectures[:, 1:] == task.target[chosen]).mean(-1)
    return (1 + share) / 2 * jnp.where(chosen == task.best, 1.0, OTHER_BRANCH)
