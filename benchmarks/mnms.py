"""Does a controller that has searched other tasks find good networks for a new one sooner?

Leave-one-task-out over a table of real trainings (`make_text_table.py`): 576 text classifiers on
eight tasks. Each task is held out once: a controller searches the other ones jointly, is given a
fresh embedding, and searches the one held out. MR, SST-2 and SST-5 share sentences, so none of
them is pretrained on for another. Rewards are validation accuracies. Arms:
  transfer: learned weights and a new embedding are trained, each at a rate of its own;
  transfer, embedding only: learned weights stay as they are;
  transfer, shuffled: pretrained on rewards that stood at the wrong architectures (a control);
  transfer, no embedding: the controller does not know the task, neither before nor after;
  transfer, no normalisation: all tasks share their ranks and one temperature in pretraining;
  scratch, ppo: the same code from random weights;
  scratch: REINFORCE on a controller of the same size; and with its default memory;
  static: architectures in the order of their mean rank on the tasks that transfer pretrains on; it
    knows their whole tables, of which the controller has seen a part;
  random, and in random order without repeats;
  with --plain, transfer and scratch by PPO that repeats itself (`PLAIN`).
PPO, in all arms and in pretraining, tries no network twice for a task, scores rewards by rank and
keeps an entropy; after pretraining, the first trials are the controller's most probable networks
(`mnms_arms.py`). REINFORCE and `random` may repeat; with a memory REINFORCE avoids it.

`jump_start` is the mean reward of the first 50 trials, transfer minus scratch, ppo; `trial_ratio`
the trials until the best reward so far is 95% of the best in the table, transfer over scratch, ppo:
the geometric mean over tasks. It cannot be less than `trial_ratio_least`, that of one trial: where
chance comes near the best soon, 95% of an accuracy says little. So `trial_ratio_top_1_percent`
counts until one of the best 1% is found. `..._over_ARM` is the same against another arm. A search
that does not get there counts with all its trials. `specialisation` is of one joint search of tasks
that conflict (a second table), with the ending `_alike` of those of the first table: see
`mnms_specialisation.py`. Intervals are over seeds, the tasks being fixed; by bootstrap
for ratios.

    python benchmarks/mnms.py --json benchmarks/results/mnms.json
"""

from __future__ import annotations

import argparse
import functools
import time
from typing import Any

import jax
import mnms_baselines
import mnms_search
import numpy as np
import text_networks
from curves import mean_interval
from mnms_arms import ARMS, PLAIN_ARMS
from mnms_specialisation import specialisation
from mnms_study import Study, Trials
from record import make_record, write_record
from text_networks import Table

FIRST = 50
QUICK = ("transfer", "scratch, ppo")
GOALS = ("95 percent of the best", "top 1 percent")


def all_arms(study: Study, plain: bool, quick: bool) -> dict[str, Trials]:
    """What every arm tried; in the quick form two of PPO's."""
    arms = ARMS | (PLAIN_ARMS if plain else {})
    arms = {name: arm for name, arm in arms.items() if not quick or name in QUICK}
    runs: dict[str, Any] = {
        name: functools.partial(study.run_ppo, arm) for name, arm in arms.items()
    }
    for name, searcher in mnms_baselines.plain_searchers().items():
        runs[name] = functools.partial(study.run_plain, searcher)
    for name, run in (
        ("random, no repeats", mnms_baselines.random_order),
        ("static", mnms_baselines.static_warm_start),
    ):
        runs[name] = functools.partial(run, study.table, study.seeds, study.trials)
    results = {}
    for name, run in runs.items():
        clock = time.perf_counter()
        results[name] = run()
        print(f"  {name}: {time.perf_counter() - clock:.1f} seconds", flush=True)
    return results


def goals(table: Table) -> dict[str, np.ndarray]:
    """The reward `[H]` that counts as reached, in two senses."""
    best = table.validation.max(1)
    top = np.sort(table.validation, axis=1)[:, -max(1, table.validation.shape[1] // 100)]
    return dict(zip(GOALS, (0.95 * best, top), strict=True))


def trials_to(rewards: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """The first trial `[H, S]` whose reward reaches the goal `[H]`; all of them if none does."""
    reached = rewards >= goal[:, None, None] - 1e-6
    return np.where(reached.any(-1), reached.argmax(-1) + 1, rewards.shape[-1])


def top_ten_test(table: Table, trials: Trials) -> np.ndarray:
    """The mean test accuracy `[H, S]` of the ten best networks by validation that were tried."""
    result = np.empty(trials.rewards.shape[:2])
    for h, s in np.ndindex(result.shape):
        tried = np.unique(trials.positions[h, s])
        best = tried[np.argsort(-table.validation[h, tried], kind="stable")[:10]]
        result[h, s] = table.test[h, best].mean()
    return result


def make_rows(table: Table, results: dict[str, Trials]) -> list[dict[str, Any]]:
    """One row for each held-out task and arm."""
    rows = []
    for name, trials in results.items():
        top = top_ten_test(table, trials)
        counts = {goal: trials_to(trials.rewards, of) for goal, of in goals(table).items()}
        for h, task in enumerate(table.tasks):
            row = {"task": task, "arm": name}
            row["mean_of_first_50"] = mean_interval(trials.rewards[h, :, :FIRST].mean(-1))
            row |= {f"trials to {goal}": mean_interval(of[h]) for goal, of in counts.items()}
            row["best_validation"] = mean_interval(trials.rewards[h].max(-1))
            row["test_of_top_10"] = mean_interval(top[h])
            rows.append(row)
    return rows


def ratio(ours: np.ndarray, theirs: np.ndarray) -> dict[str, float]:
    """The geometric mean over tasks of ratios of mean trials, `[H, S]` each, with its interval."""

    def mean(drawn: np.ndarray) -> np.ndarray:
        ratios = ours[:, drawn].mean(-1) / theirs[:, drawn].mean(-1)
        return np.exp(np.log(ratios).mean(0))

    seeds = ours.shape[1]
    drawn = np.random.default_rng(0).integers(0, seeds, (10_000, seeds))
    low, high = np.quantile(mean(drawn), [0.025, 0.975])
    return {"value": float(mean(np.arange(seeds)[None])[0]), "low": float(low), "high": float(high)}


def make_summary(table: Table, results: dict[str, Trials]) -> dict[str, Any]:
    """Transfer against every other arm."""
    ours, summary = results["transfer"], {}
    plain = [name for name in results if name not in ("transfer", "scratch, ppo")]
    for name in ("scratch, ppo", *plain):
        over = (
            "" if name == "scratch, ppo" else "_over_" + name.replace(", ", "_").replace(" ", "_")
        )
        firsts = [r.rewards[..., :FIRST].mean((0, 2)) for r in (ours, results[name])]
        summary[f"jump_start{over}"] = mean_interval(firsts[0] - firsts[1])
        for goal, key in zip(GOALS, ("trial_ratio", "trial_ratio_top_1_percent"), strict=True):
            counts = [trials_to(r.rewards, goals(table)[goal]) for r in (ours, results[name])]
            summary[f"{key}{over}"] = ratio(*counts)
            if not over:
                summary[f"{key}_least"] = ratio(np.ones_like(counts[1]), counts[1])
    return dict(sorted(summary.items(), key=lambda item: "_over_" in item[0]))


def agreement(table: Table) -> dict[str, float]:
    """Spearman's correlation of the validation accuracies of each pair of tasks."""
    ranks = np.argsort(np.argsort(table.validation, axis=1), axis=1)
    matrix = np.corrcoef(ranks)
    pairs = [(i, j) for i in range(len(ranks)) for j in range(i)]
    return {f"{table.tasks[j]}, {table.tasks[i]}": float(matrix[i, j]) for i, j in pairs}


def print_rows(table: Table, rows: list[dict[str, Any]]) -> None:
    """Prints a line for each arm, averaged over the held-out tasks."""
    print(f"{'arm':<34}{'first 50':>10}{'to 95%':>9}{'to top 1%':>11}{'top 10 test':>13}")
    for name in dict.fromkeys(row["arm"] for row in rows):
        mine = [row for row in rows if row["arm"] == name]
        keys = ("mean_of_first_50", *(f"trials to {goal}" for goal in GOALS), "test_of_top_10")
        first, near, top, test = (np.mean([row[key]["value"] for row in mine]) for key in keys)
        print(f"{name:<34}{first:>10.4f}{near:>9.1f}{top:>11.1f}{test:>13.4f}")


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", default=str(text_networks.TABLE), help="of make_text_table.py")
    parser.add_argument(
        "--conflicting", default=str(text_networks.CONFLICTING_TABLE), help="the same of the other"
    )
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument(
        "--quick", action="store_true", help="2 seeds, few batches and arms, little optimised"
    )
    parser.add_argument("--plain", action="store_true", help="PPO that repeats itself too")
    parser.add_argument("--json", help="where to write the figures")
    arguments = parser.parse_args()
    if arguments.seeds < 2:
        parser.error("--seeds must be at least 2 for an interval")
    table, conflicting = map(text_networks.load_table, (arguments.table, arguments.conflicting))
    seeds = 2 if arguments.quick else arguments.seeds
    if arguments.quick:  # Nearly all of its time is compilation.
        jax.config.update("jax_disable_most_optimizations", True)
    sizes = (20, 60) if arguments.quick else (mnms_search.PRETRAINING, mnms_search.TRIALS)
    study, other = Study(table, seeds, *sizes), Study(conflicting, seeds, *sizes)
    results = all_arms(study, arguments.plain, arguments.quick)
    rows = make_rows(table, results)
    print_rows(table, rows)
    summary = make_summary(table, results) | specialisation(other)
    if not arguments.quick:
        summary |= specialisation(study, "_alike")
    summary["rank_correlation"] = agreement(table)
    summary["rank_correlation_conflicting"] = agreement(conflicting)
    for key, value in summary.items():
        if "value" in value:
            print(f"{key:<58}{value['value']:8.4f} [{value['low']:.4f}, {value['high']:.4f}]")
    record = make_record("mnms", rows=rows, summary=summary, seeds=seeds)
    print(f"{record['seconds']} seconds in all, compilation included")
    if arguments.json:
        write_record(arguments.json, record)


if __name__ == "__main__":
    main()
