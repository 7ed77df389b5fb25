"""Does a graph of decisions need fewer trials than the static sequence that it stands for?

Simulated tasks (`graph_tasks.py`), and a real one: networks for the digits in a loop over layers
and a branch over optimisers (`digit_networks.py`), whose rewards are looked up in a table of
trainings (`make_graph_table.py`). Arms:
  graph: an LSTM policy over the graph; the rounds of a loop share heads and embeddings;
  graph, no visits: the same without the number of the visit as an input;
  static: an LSTM policy over the unrolled sequence, dead decisions in its gradient;
  static, masked: the log-probabilities of dead decisions left out;
  static, shared: one head and embedding for the copies of a decision;
  random: uniform over the architectures of the graph.
All but random learn by REINFORCE with a moving baseline and the settings in `graph_study.py`: those
that `reinforce` had as defaults when this was written, without a memory, as in the paper. They were
not tuned on these tasks, but kept after exploratory runs that also tried larger batches and a
memory; the ratios depend on the settings, and `graph_sweep.py` shows by how much, the negative
control included. The number of the visit became an input because the graph arm fell behind without
it.

A trial is one evaluation. Trials to reach 90% of the best reward are counted until the best reward
so far is there; a search that never gets there counts with all its trials, which makes ratios
against it too small. Ratios are of the means over seeds, intervals by bootstrap over seeds.

    python benchmarks/graph_space.py --json benchmarks/results/graph_space.json
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from curves import mean_interval
from graph_study import (
    HIDDEN,
    TRIALS,
    Arm,
    Task,
    arms,
    parameters,
    real,
    run_arm,
    sampling_seconds,
    simulated,
    trials_to,
)
from record import make_record, write_record


def make_rows(task: Task, name: str, arm: Arm, rewards: np.ndarray) -> list[dict[str, Any]]:
    """One row for each kind of a task."""
    rows = []
    policy, _ = arm
    for kind, of_kind in zip(task.names, rewards, strict=True):
        trials, found = trials_to(of_kind, task.goal)
        best = np.maximum.accumulate(of_kind, axis=-1)
        rows.append(
            {
                "task": kind,
                "arm": name,
                "parameters": parameters(policy),
                "decisions": (task.space if policy is None else policy.space).max_length,
                "trials": mean_interval(trials),
                "median": float(np.median(trials)),
                "reached": float(found.mean()),
                "best_after_100": mean_interval(best[:, : min(100, best.shape[1])][:, -1]),
                "mean_of_last_100": mean_interval(of_kind[:, -100:].mean(-1)),
            }
        )
    return rows


def speedup(static: np.ndarray, graph: np.ndarray) -> dict[str, float]:
    """Mean trials of one arm over those of another `[seeds]`, with a bootstrap 95% interval."""
    # The same seeds have the same tasks, so that they are drawn together.
    drawn = np.random.default_rng(0).integers(0, len(graph), (10_000, len(graph)))
    ratios = static[drawn].mean(1) / graph[drawn].mean(1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return {"value": float(static.mean() / graph.mean()), "low": float(low), "high": float(high)}


def study(tasks: list[Task], seeds: int, trials: int, only: tuple[str, ...] = ()):
    """The rows of all tasks and arms, and by task and arm the trials and the best rewards."""
    rows, counts, curves = [], {}, {}
    for task in tasks:
        for name, arm in arms(task.space).items():
            if only and name not in only:
                continue
            rewards = run_arm(task, arm, seeds, trials)
            rows += make_rows(task, name, arm, rewards)
            for kind, of_kind in zip(task.names, rewards, strict=True):
                counts[kind, name] = trials_to(of_kind, task.goal)[0]
                curves[kind, name] = np.maximum.accumulate(of_kind, axis=-1)
            print_rows(rows[-len(task.names) :])
    return rows, counts, curves


def print_rows(rows: list[dict[str, Any]]) -> None:
    """Prints one line for each row."""
    for row in rows:
        t, best = row["trials"], row["best_after_100"]["value"]
        print(
            f"{row['task']:<11}{row['arm']:<18}{t['value']:8.0f} "
            f"[{t['low']:.0f}, {t['high']:.0f}] trials, median {row['median']:.0f}, reached by "
            f"{row['reached']:.0%}; best after 100: {best:.3f}; {row['parameters']} parameters",
            flush=True,
        )


def make_summary(counts: dict[tuple[str, str], np.ndarray]) -> dict[str, Any]:
    """How many times as many trials as graph each other arm needs; plain keys are of static."""
    summary: dict[str, Any] = {}
    for (task, arm), trials in counts.items():
        if arm != "graph":
            over = "" if arm == "static" else f"_over_{arm.replace(', ', '_').replace(' ', '_')}"
            summary[f"speedup_{task}{over}"] = speedup(trials, counts[task, "graph"])
    return dict(sorted(summary.items(), key=lambda item: "_over_" in item[0]))


def print_summary(summary: dict[str, Any]) -> None:
    """Prints one line for each figure."""
    for key, value in summary.items():
        interval = "{value:.2f} [{low:.2f}, {high:.2f}]"
        text = f"{value:.3f}" if isinstance(value, float) else interval.format(**value)
        print(f"{key:<44}{text}")


def plot(path: str, curves: dict[tuple[str, str], np.ndarray]) -> None:
    """Draws the mean best reward so far over trials, one panel per task."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    tasks = list(dict.fromkeys(task for task, _ in curves))
    figure = Figure(figsize=(3.4 * len(tasks), 3.4))
    FigureCanvasAgg(figure)
    for axis, task in zip(figure.subplots(1, len(tasks), squeeze=False)[0], tasks, strict=True):
        for (of, arm), curve in curves.items():
            if of == task:
                axis.plot(np.arange(1, curve.shape[1] + 1), curve.mean(0), label=arm)
        axis.set(title=task, xlabel="trials", xscale="log")
    figure.axes[0].set_ylabel("best reward so far")
    figure.axes[0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--quick", action="store_true", help="few arms, 10 seeds, 200 trials")
    parser.add_argument("--json", help="where to write the figures")
    parser.add_argument("--plot", help="where to draw them (png)")
    arguments = parser.parse_args()
    if arguments.seeds < 2:
        parser.error("--seeds must be at least 2 for an interval")
    seeds, trials = (10, 200) if arguments.quick else (arguments.seeds, TRIALS)
    only = ("graph", "static", "random") if arguments.quick else ()
    # The table is read first: what is wrong with it is said before any work.
    digits = real(seeds)
    rows, counts, curves = study([*simulated(seeds), digits], seeds, trials, only)
    summary = make_summary(counts)
    summary["sampling_seconds"] = sampling_seconds(HIDDEN)
    summary["sampling_seconds_hidden_64"] = sampling_seconds(64)
    print_summary(summary)
    record = make_record("graph_space", rows=rows, summary=summary, seeds=seeds)
    print(f"{record['seconds']} seconds in all, compilation included")
    if arguments.json:
        write_record(arguments.json, record)
    if arguments.plot:
        plot(arguments.plot, curves)


if __name__ == "__main__":
    main()
