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
All learn by REINFORCE with a moving baseline and the settings below: those that `reinforce` had as
defaults when this was written, without its memory and its imitation of the best. They were tuned
neither on these tasks nor for one of the arms. The number of the visit became an input because
the graph arm fell behind without it.

A trial is one evaluation. Trials to reach 90% of the best reward are counted until the best reward
so far is there; a search that never gets there counts with all its trials, which makes ratios
against it too small. Ratios are of the means over seeds, intervals by bootstrap over seeds.

    python benchmarks/graph_space.py --json benchmarks/results/graph_space.json
"""

from __future__ import annotations

import argparse
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
from curves import mean_interval, rewards_seen, seed_keys
from record import make_record, write_record

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
    result: dict[str, Arm] = {"graph": (lstm(space, **size), lambda a: a)}
    if not space.acyclic:
        without = lstm(space, visit_inputs=False, **size)
        result["graph, no visits"] = (without, lambda a: a)
    shared = lstm(unrolled.space, share_heads=True, **size)
    return result | {
        "static": (static, unrolled.to_walk),
        "static, masked": (masked(static, unrolled.live), unrolled.to_walk),
        "static, shared": (shared, unrolled.to_walk),
        "random": (None, lambda a: a),
    }


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
        elite=0,
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


def sampling_seconds(repeats: int = 7) -> float:
    """Seconds to draw 10,000 walks of 50 steps with their log-probabilities; the median."""
    rounds = LENGTH_OF_WALKS // 2
    space = compose("walks", loop(Decision("layer", tuple("abcdef")), at_most=rounds))
    policy = lstm(space, hidden=HIDDEN, init_scale=INIT_SCALE)
    params = policy.init(jax.random.key(0))
    seconds = []
    for key in jax.random.split(jax.random.key(1), repeats + 1):
        start = time.perf_counter()
        jax.block_until_ready(policy.sample(params, key, NUMBER_OF_WALKS))
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds[1:]))


def study(tasks: list[Task], seeds: int, trials: int):
    """The rows of all tasks and arms, and the trials `[seeds]` by task and arm."""
    rows, counts, curves = [], {}, {}
    for task in tasks:
        for name, arm in arms(task.space).items():
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
    """Static over graph for every task, and graph with against the other arms."""
    tasks = list(dict.fromkeys(task for task, _ in counts))
    summary: dict[str, Any] = {
        f"speedup_{task}": speedup(counts[task, "static"], counts[task, "graph"]) for task in tasks
    }
    for task in tasks:
        for arm in ("static, masked", "static, shared", "random"):
            key = f"speedup_{task}_over_{arm.replace(', ', '_')}"
            summary[key] = speedup(counts[task, arm], counts[task, "graph"])
    return summary


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
    parser.add_argument("--quick", action="store_true", help="10 seeds, 200 trials")
    parser.add_argument("--json", help="where to write the figures")
    parser.add_argument("--plot", help="where to draw them (png)")
    arguments = parser.parse_args()
    if arguments.seeds < 2:
        parser.error("--seeds must be at least 2 for an interval")
    seeds, trials = (10, 200) if arguments.quick else (arguments.seeds, TRIALS)
    rows, counts, curves = study([*simulated(seeds), real(seeds)], seeds, trials)
    summary = make_summary(counts)
    summary["sampling_seconds"] = sampling_seconds()
    for key, value in summary.items():
        text = (
            f"{value:.3f}"
            if isinstance(value, float)
            else "{value:.2f} [{low:.2f}, {high:.2f}]".format(**value)
        )
        print(f"{key:<40}{text}")
    record = make_record("graph_space", rows=rows, summary=summary, seeds=seeds)
    print(f"{record['seconds']} seconds in all, compilation included")
    if arguments.json:
        write_record(arguments.json, record)
    if arguments.plot:
        plot(arguments.plot, curves)


if __name__ == "__main__":
    main()
