"""Chooses the settings of `mnms.py` on simulated tasks.

Eight tasks over the space of the table: landscapes of `landscapes.py`, half of whose variance all
tasks share, at levels and spreads of their own. PPO's settings are those with which the search
from scratch does best, so that no arm has a weak opponent; the learning rate of old weights after
transfer is chosen then. The score is the mean reward of all trials and of the best one so far, in
standard deviations above the task's mean. No table of trained networks is read here.

    python benchmarks/tune_mnms.py --json benchmarks/results/tune_mnms.json
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import landscapes
import mnms_search
import mnms_study
import numpy as np
import text_networks
from mnms_search import ARMS
from mnms_study import Study
from record import make_record, write_record
from text_networks import Table

TASKS, SHARED = 8, 0.5
"""How many simulated tasks there are, and the share of their variance that they have in common."""
UPDATES = (2, 4)
RATES = (0.005, 0.01, 0.02)
ENTROPIES = (0.02, 0.05, 0.1)
OLD_RATES = (0.0, 0.001, 0.003, 0.01)
FIRST_LANDSCAPE = 1000


def simulated_table(number: int) -> Table:
    """Accuracies of simulated tasks; those of the test are the same."""
    space = text_networks.space()
    architectures = jnp.asarray(space.all_architectures())

    def scores(key: jax.Array) -> jax.Array:
        rewards = landscapes.reward(space, architectures, landscapes.make_landscape(space, key))
        return jax.scipy.special.logit(rewards)

    keys = jax.random.split(jax.random.key(FIRST_LANDSCAPE + number), TASKS + 1)
    own = jax.jit(jax.vmap(scores))(keys)
    own = (own - own.mean(1, keepdims=True)) / own.std(1, keepdims=True)
    mixed = SHARED**0.5 * own[0] + (1 - SHARED) ** 0.5 * own[1:]
    # Easy and hard tasks, of large and of small differences.
    level = jnp.linspace(-0.5, 2.0, TASKS)[:, None]
    spread = jnp.tile(jnp.array([0.3, 1.0]), TASKS // 2)[:, None]
    table = np.asarray(jax.nn.sigmoid(level + spread * mixed), np.float64)
    return Table(tuple(f"simulated {i}" for i in range(TASKS)), table, table, {})


def score(table: Table, trials: mnms_study.Trials) -> dict[str, float]:
    """How good the trials were, in standard deviations of the tasks."""
    mean, spread = (getattr(table.validation, name)(1)[:, None, None] for name in ("mean", "std"))
    standard = (trials.rewards - mean) / spread
    best = np.maximum.accumulate(standard, -1)
    return {
        "score": float(standard.mean() + best.mean()) / 2,
        "first_50": float(standard[..., :50].mean()),
        "all": float(standard.mean()),
        "best_so_far": float(best.mean()),
    }


def measure(
    tables: list[Table], seeds: int, sizes: tuple[int, int], arm: str, **settings: Any
) -> dict[str, Any]:
    """The row of an arm with settings in the place of those of `mnms_search`."""
    rows = []
    for table in tables:
        study = Study(table, seeds, *sizes, mnms_search.Settings(**settings))
        rows.append(score(table, study.run_ppo(ARMS[arm])))
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    row = {"arm": arm, **settings, **{name: round(value, 4) for name, value in means.items()}}
    print(row, flush=True)
    return row


def main() -> None:
    """Sweeps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--tables", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one table, 2 seeds, few settings")
    parser.add_argument("--json", help="where to write the rows")
    arguments = parser.parse_args()
    quick = arguments.quick
    tables = [simulated_table(i) for i in range(1 if quick else arguments.tables)]
    seeds = 2 if quick else arguments.seeds
    sizes = (20, 60) if quick else (mnms_search.PRETRAINING, mnms_search.TRIALS)
    grid = itertools.product(UPDATES, RATES, ENTROPIES)
    rows = [
        measure(tables, seeds, sizes, "scratch, ppo", updates=u, rate=r, entropy_weight=e)
        for u, r, e in itertools.islice(grid, 1 if quick else None)
    ]
    best = max(rows, key=lambda row: row["score"])
    chosen = {name: best[name] for name in ("updates", "rate", "entropy_weight")}
    for old_rate in OLD_RATES[: 1 if quick else None]:
        rows.append(measure(tables, seeds, sizes, "transfer", **chosen, old_rate=old_rate))
    best = max((row for row in rows if row["arm"] == "transfer"), key=lambda row: row["score"])
    names = [field.name for field in dataclasses.fields(mnms_search.Settings)]
    summary = {f"best_{name}": best[name] for name in names}
    print(summary)
    if arguments.json:
        record = make_record("tune_mnms", rows=rows, summary=summary, seeds=seeds)
        write_record(arguments.json, record)


if __name__ == "__main__":
    main()
