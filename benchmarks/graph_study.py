"""The tasks and the arms of `graph_space.py`, and how one arm searches one task."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from typing import Any

import digit_networks
import graph_tasks
import jax
import jax.numpy as jnp
import numpy as np
import optax
from curves import rewards_seen, seed_keys

from jaxnas.policies import Policy, lstm, masked
from jaxnas.searchers import Searcher, random, reinforce
from jaxnas.spaces import Decision, SearchSpace, compose, loop, rank, unroll

HIDDEN, INIT_SCALE = 16, 0.3
LEARNING_RATE, BASELINE_DECAY, ENTROPY_WEIGHT = 0.06, 0.7, 1.0
BATCH = 1
TRIALS = 2000
FIRST_TASK = 1000
"""Tasks have other seeds than searches."""
LENGTH_OF_WALKS, NUMBER_OF_WALKS = 50, 10_000


@dataclasses.dataclass(frozen=True)
class Task:
    """A space with a reward.

    Attributes:
      names: the names of its kinds, each of which every seed searches.
      space: a graph.
      reward: `(architectures [N, T], data) -> [N]`, written in JAX.
      data: what `reward` gets, with leading axis `[kinds * seeds]`.
      goal: the reward that counts as reached.
    """

    names: tuple[str, ...]
    space: SearchSpace
    reward: Callable[[jax.Array, Any], jax.Array]
    data: Any
    goal: float


def simulated(seeds: int) -> list[Task]:
    """The simulated tasks, a new hidden design for each seed, the same for all arms."""
    keys = seed_keys(seeds, FIRST_TASK)
    kinds = [
        jax.vmap(lambda key, kind=kind: graph_tasks.iterative_task(kind, key))(keys)
        for kind in graph_tasks.ITERATIVE_KINDS
    ]
    iterative = jax.tree.map(lambda *parts: jnp.concatenate(parts), *kinds)
    branching = jax.vmap(graph_tasks.branching_task)(keys)
    return [
        Task(
            graph_tasks.ITERATIVE_KINDS,
            graph_tasks.iterative_space(),
            graph_tasks.iterative_reward,
            iterative,
            0.9,
        ),
        Task(
            ("branching",),
            graph_tasks.branching_space(),
            graph_tasks.branching_reward,
            branching,
            0.9,
        ),
    ]


def real(seeds: int) -> Task:
    """The digits: the goal is one of the best 1% of all networks."""
    space = digit_networks.space()
    with np.load(digit_networks.TABLE) as file:
        about, right = json.loads(str(file["about"])), file["right"]
    if about["space"] != space.to_json() or len(right) != space.count():
        raise SystemExit("the table is of another space: run benchmarks/make_graph_table.py.")
    accuracy = right[..., 0].mean(-1) / 397
    table = jnp.asarray(accuracy, jnp.float32)
    goal = float(np.sort(np.asarray(table))[-(len(accuracy) // 100)])

    def reward(architectures, _):
        return table[rank(space, architectures)]

    return Task(("digits",), space, reward, jnp.zeros(seeds), goal)


Arm = tuple[Policy | None, Callable[[Any], Any]]
"""A policy, and what its architectures mean in the graph."""


def arms(space: SearchSpace) -> dict[str, Arm]:
    """The policies that are compared; `None` is random search."""
    unrolled = unroll(space)
    size = {"hidden": HIDDEN, "init_scale": INIT_SCALE}
    static = lstm(unrolled.space, **size)
    result: dict[str, Arm] = {
        "graph": (lstm(space, **size), lambda a: a),
        "static": (static, unrolled.to_walk),
        "static, masked": (masked(static, unrolled.live), unrolled.to_walk),
        "random": (None, lambda a: a),
    }
    if not space.acyclic:  # Without loops no decision has copies to share.
        without = lstm(space, visit_inputs=False, **size)
        shared = lstm(unrolled.space, share_heads=True, **size)
        result["graph, no visits"] = (without, lambda a: a)
        result["static, shared"] = (shared, unrolled.to_walk)
    return result


def searcher_of(space: SearchSpace, policy: Policy | None) -> Searcher:
    """REINFORCE alone, or random search."""
    if policy is None:
        return random(space)
    return reinforce(
        policy,
        optax.adam(LEARNING_RATE),
        baseline_decay=BASELINE_DECAY,
        entropy_weight=ENTROPY_WEIGHT,
        memory=0,
    )


def run_arm(task: Task, arm: Arm, seeds: int, trials: int) -> np.ndarray:
    """The rewards `[kinds, seeds, trials]` of all searches of one arm, in one program."""
    policy, meaning = arm
    rewards = rewards_seen(
        searcher_of(task.space, policy),
        lambda architectures, data: task.reward(meaning(architectures), data),
        jnp.tile(seed_keys(seeds), len(task.names)),
        task.data,
        batch=BATCH,
        evaluations=trials,
    )
    return rewards.reshape(len(task.names), seeds, trials)


def trials_to(rewards: np.ndarray, goal: float) -> tuple[np.ndarray, np.ndarray]:
    """The first trial `[...]` with a reward of at least `goal`, and whether there is one."""
    reached = rewards >= goal - 1e-6
    found = reached.any(-1)
    return np.where(found, reached.argmax(-1) + 1, rewards.shape[-1]), found


def parameters(policy: Policy | None) -> int:
    """The number of parameters of a policy."""
    if policy is None:
        return 0
    return sum(x.size for x in jax.tree.leaves(jax.eval_shape(policy.init, jax.random.key(0))))


def sampling_seconds(hidden: int, repeats: int = 7) -> float:
    """Seconds to draw 10,000 walks of 50 steps with their log-probabilities; the median."""
    rounds = LENGTH_OF_WALKS // 2
    space = compose("walks", loop(Decision("layer", tuple("abcdef")), at_most=rounds))
    policy = lstm(space, hidden=hidden, init_scale=INIT_SCALE)
    params = policy.init(jax.random.key(0))
    seconds = []
    for key in jax.random.split(jax.random.key(1), repeats + 1):
        start = time.perf_counter()
        jax.block_until_ready(policy.sample(params, key, NUMBER_OF_WALKS))
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds[1:]))
