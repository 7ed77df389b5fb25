"""REINFORCE against random search over the table of trained cells, as in the paper's figure 6.

Source: Zoph & Le 2017, arXiv:1611.01578, sections 3.2, 4.2 and figure 6.
"""

from __future__ import annotations

import functools
import json
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from curves import mean_interval, seed_keys

from cell_cases import recipe as recipes
from jaxnas.evaluators import tabular
from jaxnas.objectives import perplexity_reward
from jaxnas.policies import lstm
from jaxnas.searchers import Searcher, random, reinforce, run
from jaxnas.spaces import SearchSpace

HIDDEN, INIT_SCALE = 35, 0.08
LEARNING_RATE, BASELINE_DECAY = 5e-3, 0.95
BATCH, SAMPLES = 4, 400
LAST = 50
TOPS = (1, 5, 15)
"""Means of so many best different cells; the first is the best."""


class Found(NamedTuple):
    """What searches saw: rewards and positions of cells in the table, each `[seeds, samples]`."""

    rewards: np.ndarray
    positions: np.ndarray


def read_table() -> tuple[np.ndarray, dict[str, Any]]:
    """The perplexity of every cell, in the order of the space, and how the table was made.

    Raises:
      SystemExit: there is no table, or not of the whole space.
    """
    if not recipes.TABLE.exists():
        raise SystemExit("there is no table: run benchmarks/make_nasrl_cell_table.py.")
    with np.load(recipes.TABLE) as file:
        about, perplexity = json.loads(str(file["about"])), file["perplexity"]
    space = recipes.space()
    if about["space"] != space.to_json() or len(perplexity) != space.count():
        raise SystemExit("the table is of other cells: run benchmarks/make_nasrl_cell_table.py.")
    return perplexity, about


def searchers(space: SearchSpace) -> dict[str, Searcher]:
    """The arms.

    The policy is the paper's: an LSTM of 35 units, Adam, a moving average as baseline, no entropy.
    The paper's learning rate of 5e-4 is for 15,000 samples, ours for 400.
    """
    policy = lstm(space, hidden=HIDDEN, init_scale=INIT_SCALE)
    learner = reinforce(
        policy,
        optax.adam(LEARNING_RATE),
        baseline_decay=BASELINE_DECAY,
        entropy_weight=0.0,
        memory=0,
    )
    return {"policy": learner, "random": random(space)}


def search(perplexity: np.ndarray, searcher: Searcher, seeds: int, samples: int) -> Found:
    """All searches of one arm in one program."""
    space = recipes.space()
    rewards = np.asarray(perplexity_reward(jnp.asarray(perplexity)))
    evaluate = tabular(space, rewards)

    @jax.jit
    @jax.vmap
    def one(key: jax.Array) -> Any:
        searched = functools.partial(run, searcher, evaluate)
        return searched(searcher.init(key), -(-samples // BATCH), BATCH)[1]

    history = one(seed_keys(seeds))
    seen = np.asarray(history.rewards).reshape(seeds, -1)[:, :samples]
    cells = np.asarray(history.architectures).reshape(seeds, -1, space.max_length)[:, :samples]
    shape = [len(decision.actions) for decision in space.decisions]
    return Found(seen, np.ravel_multi_index(tuple(np.moveaxis(cells, -1, 0)), shape))


def top_means(found: Found, number: int, most: int) -> np.ndarray:
    """The mean reward `[seeds]` of the best different cells among the first `number` samples."""
    means = []
    for rewards, positions in zip(found.rewards, found.positions, strict=True):
        _, first = np.unique(positions[:number], return_index=True)
        means.append(np.sort(rewards[first])[-most:].mean())
    return np.array(means)


def compare(found: dict[str, Found]) -> dict[str, Any]:
    """The gaps of the policy over random search, seed by seed, in rewards: 80 / perplexity^2."""
    samples = found["policy"].rewards.shape[1]
    last = [f.rewards[:, -LAST:].mean(1) for f in (found["policy"], found["random"])]
    summary = {"mean_gap": mean_interval(last[0] - last[1])}
    for most in TOPS:
        ours, theirs = (top_means(found[arm], samples, most) for arm in ("policy", "random"))
        name = "best_gap" if most == 1 else f"top_{most}_gap"
        summary[name] = mean_interval(ours - theirs)
    return summary


def rows(found: dict[str, Found]) -> list[dict[str, Any]]:
    """Each arm after 50, 100, ... samples: the mean of the last 50, and of the best cells."""
    result = []
    for arm, seen in found.items():
        number = LAST
        while number <= seen.rewards.shape[1]:
            row: dict[str, Any] = {"arm": arm, "samples": number}
            row["mean_of_last_50"] = mean_interval(seen.rewards[:, number - LAST : number].mean(1))
            for most in TOPS:
                row[f"top_{most}"] = mean_interval(top_means(seen, number, most))
            result.append(row)
            number *= 2
    return result
