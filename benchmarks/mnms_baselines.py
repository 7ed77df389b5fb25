"""What `mnms.py` compares with: REINFORCE, chance, and the order of the other tasks."""

from __future__ import annotations

import numpy as np
import optax
import text_networks
from mnms_arms import PLAIN
from mnms_search import HIDDEN, INIT_SCALE
from mnms_study import Trials, allowed
from text_networks import Table

from jaxnas.policies import lstm
from jaxnas.searchers import Searcher, random, reinforce


def plain_searchers() -> dict[str, Searcher]:
    """REINFORCE without a memory on the same kind of controller, with its defaults, and chance."""
    space = text_networks.space()
    options = {"init_scale": INIT_SCALE, "head_scale": 0.0, "skip_connection": True}
    controller = lstm(space, hidden=HIDDEN, **options)
    return {
        "scratch": reinforce(controller, optax.adam(PLAIN.rate), memory=0),
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


def random_order(table: Table, seeds: int, trials: int) -> Trials:
    """Architectures in random order, none twice."""
    positions = np.empty((len(table.tasks), seeds, trials), int)
    for h, s in np.ndindex(positions.shape[:2]):
        generator = np.random.default_rng([h, s])
        positions[h, s] = generator.permutation(table.validation.shape[1])[:trials]
    return Trials(
        positions, table.validation[np.arange(len(table.tasks))[:, None, None], positions]
    )
