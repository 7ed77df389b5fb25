"""Does what `graph_space.py` shows depend on its settings? The same tasks at several others.

Learning rates and entropy weights, the same for every arm; all settings of an arm are one program.

    python benchmarks/graph_sweep.py --json benchmarks/results/graph_sweep.json
"""

from __future__ import annotations

import argparse
import itertools
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
from curves import rewards_seen, seed_keys
from graph_study import BASELINE_DECAY, BATCH, TRIALS, Arm, Task, arms, simulated, trials_to
from record import make_record, write_record

from jaxnas.searchers import reinforce

LEARNING_RATES = (0.02, 0.06)
ENTROPY_WEIGHTS = (0.1, 0.3, 1.0)
SETTINGS = tuple(itertools.product(LEARNING_RATES, ENTROPY_WEIGHTS))
ARMS = ("graph", "static", "static, masked")


def change(state, setting):
    """The first state of a search with other settings."""
    rate, weight = setting
    hyperparams = state.optimizer.hyperparams | {"learning_rate": rate}
    return state._replace(
        optimizer=state.optimizer._replace(hyperparams=hyperparams),
        settings=state.settings._replace(entropy_weight=weight),
    )


def trials_of(task: Task, arm: Arm, seeds: int, trials: int) -> np.ndarray:
    """Trials to the goal, `[settings, kinds, seeds]`."""
    policy, meaning = arm
    optimizer = optax.inject_hyperparams(optax.adam)(learning_rate=LEARNING_RATES[0])
    searcher = reinforce(
        policy, optimizer, baseline_decay=BASELINE_DECAY, entropy_weight=1.0, memory=0
    )
    rewards = rewards_seen(
        searcher,
        lambda architectures, data: task.reward(meaning(architectures), data),
        jnp.tile(seed_keys(seeds), len(task.names)),
        task.data,
        batch=BATCH,
        evaluations=trials,
        settings=tuple(jnp.array(values) for values in zip(*SETTINGS, strict=True)),
        change=change,
    )
    return trials_to(rewards, task.goal)[0].reshape(len(SETTINGS), len(task.names), seeds)


def make_rows(task: Task, seeds: int, trials: int) -> list[dict[str, Any]]:
    """One row for each kind of a task and each setting."""
    every = arms(task.space)
    counts = {name: trials_of(task, every[name], seeds, trials).mean(-1) for name in ARMS}
    rows = []
    for k, kind in enumerate(task.names):
        for s, (rate, weight) in enumerate(SETTINGS):
            mean = {name: float(counts[name][s, k]) for name in ARMS}
            row = {"task": kind, "learning_rate": rate, "entropy_weight": weight, **mean}
            rows.append(row | {"speedup": mean["static"] / mean["graph"]})
            print("  ".join(f"{key} {value}" for key, value in rows[-1].items()), flush=True)
    return rows


def main() -> None:
    """Runs the sweep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--quick", action="store_true", help="3 seeds, 100 trials")
    parser.add_argument("--json", help="where to write the figures")
    arguments = parser.parse_args()
    seeds, trials = (3, 100) if arguments.quick else (arguments.seeds, TRIALS)
    rows = [row for task in simulated(seeds) for row in make_rows(task, seeds, trials)]
    summary: dict[str, Any] = {}
    for task in dict.fromkeys(row["task"] for row in rows):
        ratios = [row["speedup"] for row in rows if row["task"] == task]
        summary |= {f"least_speedup_{task}": min(ratios), f"most_speedup_{task}": max(ratios)}
        # Each arm at the setting that is best for it.
        best = {a: min(row[a] for row in rows if row["task"] == task) for a in ARMS}
        summary[f"speedup_{task}_each_at_its_best"] = best["static"] / best["graph"]
    for key, value in summary.items():
        print(f"{key:<44}{value:.2f}")
    if arguments.json:
        record = make_record("graph_sweep", rows=rows, summary=summary, seeds=seeds)
        write_record(arguments.json, record)


if __name__ == "__main__":
    main()
