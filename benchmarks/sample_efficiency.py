"""How many evaluations REINFORCE, regularised evolution and random search need.

On the NAS-Bench-201 table of test accuracies after 200 epochs (Dong & Yang 2020), given by
`--table`: regret is the optimum minus the best accuracy seen so far, in percent. Without a table,
the same on a simulated landscape over the same space. All seeds of a searcher are one program.
The searchers run with their defaults, chosen on simulated landscapes (`tune_searchers.py` and its
committed result). This table was looked at about six times while earlier designs of REINFORCE were
changed, so it is not a clean held-out test; the present design (updates from remembered
evaluations) was made and frozen on simulated landscapes and then run here once. Its default is
more than plain REINFORCE, which is `memory=0`.

    python benchmarks/sample_efficiency.py --table nasbench201_test_acc.npz --plot regret.png
"""

from __future__ import annotations

import argparse
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import landscapes
import numpy as np
from curves import best_so_far, mean_interval, seed_keys
from record import make_record, write_record

from jaxnas.evaluators import rank
from jaxnas.searchers import Searcher, evolution, random, reinforce
from jaxnas.spaces import SearchSpace, nasbench201

CHECKPOINTS = (50, 100, 200, 500)
DATASETS = ("cifar10", "cifar100", "imagenet16_120")
BATCHES = {"random": 10, "evolution": 1, "reinforce": 5}
"""Architectures per ask; those of the searchers that learn were chosen with their defaults."""


def load_table(path: str, space: SearchSpace) -> dict[str, np.ndarray]:
    """The accuracies `[15625]` of each data set, in the order of `space.enumerate()`.

    The table names its edges and operations in its own order; both are matched by name.

    Raises:
      ValueError: an array, an edge or an operation of the space is missing in the file.
    """
    with np.load(path) as file:
        missing = {"ops", "op_names", "edges", *(f"{d}_test" for d in DATASETS)} - set(file.files)
        if missing:
            raise ValueError(f"{path} lacks the arrays {sorted(missing)}.")
        arrays = {name: file[name] for name in file.files}
    edges = ["edge_" + _edge(edge) for edge in arrays["edges"]]
    names = [str(name) for name in arrays["op_names"]]
    labels = space.decisions[0].actions
    if set(edges) != set(space.vertex_index) or set(names) != set(labels):
        raise ValueError(
            f"{path} has edges {edges} and operations {names}, not those of the space."
        )
    to_action = np.array([labels.index(name) for name in names])
    columns = [edges.index(decision.name) for decision in space.decisions]
    order = np.asarray(rank(space, to_action[arrays["ops"][:, columns]]))
    if len(np.unique(order)) != space.count():
        raise ValueError(f"{path} does not hold every architecture of the space once.")
    tables = {}
    for dataset in DATASETS:
        tables[dataset] = np.empty(space.count(), np.float32)
        tables[dataset][order] = arrays[f"{dataset}_test"]
    return tables


def _edge(edge: Any) -> str:
    """`0-1`, `(0, 1)` or an array of the two nodes, as `0_1`."""
    parts = str(edge).split("-") if isinstance(edge, str) else [str(int(i)) for i in edge]
    return "_".join(parts)


def simulated_tables(space: SearchSpace) -> dict[str, np.ndarray]:
    """A simulated landscape in percent, for each architecture of the space."""
    landscape = landscapes.make_landscape(space, jax.random.key(201))
    everything = jnp.asarray(np.stack(list(space.enumerate())))
    return {"simulated": 100 * np.asarray(landscapes.reward(space, everything, landscape))}


def searchers(space: SearchSpace) -> dict[str, Searcher]:
    """The three searchers with their defaults."""
    return {"random": random(space), "evolution": evolution(space), "reinforce": reinforce(space)}


def regrets(
    space: SearchSpace, tables: dict[str, np.ndarray], seeds: int
) -> dict[str, dict[str, np.ndarray]]:
    """For each table and searcher the regret `[seeds, 500]` after each evaluation."""
    optima = {dataset: float(table.max()) for dataset, table in tables.items()}
    # Which table a search reads is an argument too: one program for all of them.
    stacked = jnp.asarray(np.stack(list(tables.values())))
    which = jnp.repeat(jnp.arange(len(tables)), seeds)

    def evaluate(architectures, table):
        return stacked[table, rank(space, architectures)]

    curves: dict[str, dict[str, np.ndarray]] = {dataset: {} for dataset in tables}
    for name, searcher in searchers(space).items():
        keys = jnp.tile(seed_keys(seeds), len(tables))
        options = {"batch": BATCHES[name], "evaluations": CHECKPOINTS[-1]}
        best = best_so_far(searcher, evaluate, keys, which, **options)
        for i, dataset in enumerate(tables):
            curves[dataset][name] = optima[dataset] - best[i * seeds : (i + 1) * seeds]
    return curves


def make_rows(dataset: str, curves: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """One row for each searcher and number of evaluations."""
    return [
        {
            "dataset": dataset,
            "searcher": name,
            "evaluations": evaluations,
            "regret": mean_interval(curve[:, evaluations - 1]),
            "optimum_found": float(np.mean(curve[:, evaluations - 1] <= 1e-4)),
        }
        for name, curve in curves.items()
        for evaluations in CHECKPOINTS
    ]


def make_summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures of the first data set, and whether REINFORCE holds against the others."""
    first = rows[0]["dataset"]
    of = {(r["searcher"], r["evaluations"]): r["regret"] for r in rows if r["dataset"] == first}
    summary: dict[str, Any] = {f"regret_{name}_{n}": value for (name, n), value in of.items()}
    summary["below_random_with_separate_intervals"] = [
        n for n in CHECKPOINTS if of["reinforce", n]["high"] < of["random", n]["low"]
    ]
    summary["not_above_evolution"] = [
        n for n in CHECKPOINTS if of["reinforce", n]["value"] <= of["evolution", n]["value"]
    ]
    return summary


def print_table(rows: list[dict[str, Any]]) -> None:
    """Prints mean regret with its 95% interval, one line per searcher."""
    print(f"{'dataset':<16}{'searcher':<12}" + "".join(f"{n:>24}" for n in CHECKPOINTS))
    for i in range(0, len(rows), len(CHECKPOINTS)):
        cells = [r["regret"] for r in rows[i : i + len(CHECKPOINTS)]]
        text = (f"{c['value']:8.3f} [{c['low']:.3f}, {c['high']:.3f}]" for c in cells)
        print(
            f"{rows[i]['dataset']:<16}{rows[i]['searcher']:<12}" + "".join(f"{t:>24}" for t in text)
        )


def plot(path: str, curves: dict[str, dict[str, np.ndarray]]) -> None:
    """Draws mean regret over evaluations with 95% intervals, one panel per data set."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(curves), figsize=(4.5 * len(curves), 3.6), squeeze=False)
    for axis, (dataset, of) in zip(axes[0], curves.items(), strict=True):
        for name, curve in of.items():
            x = np.arange(1, curve.shape[1] + 1)
            half = 1.96 * curve.std(0, ddof=1) / len(curve) ** 0.5
            axis.plot(x, curve.mean(0), label=name)
            axis.fill_between(x, curve.mean(0) - half, curve.mean(0) + half, alpha=0.25)
        axis.set(title=dataset, xlabel="evaluations", yscale="log", xlim=(10, x[-1]))
    axes[0, 0].set_ylabel("regret (percent)")
    axes[0, 0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", help="npz with the NAS-Bench-201 test accuracies")
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--quick", action="store_true", help="20 seeds, the first data set only")
    parser.add_argument("--json", help="where to write the figures")
    parser.add_argument("--plot", help="where to draw them (png)")
    arguments = parser.parse_args()
    if arguments.seeds < 2:
        parser.error("--seeds must be at least 2 for an interval")
    if arguments.table and not pathlib.Path(arguments.table).is_file():
        parser.error(f"--table: there is no file {arguments.table}")
    seeds = 20 if arguments.quick else arguments.seeds
    space = nasbench201()
    tables = load_table(arguments.table, space) if arguments.table else simulated_tables(space)
    if arguments.quick:
        tables = dict(list(tables.items())[:1])
    curves = regrets(space, tables, seeds)
    rows = [row for dataset, of in curves.items() for row in make_rows(dataset, of)]
    print_table(rows)
    record = make_record("sample_efficiency", rows=rows, summary=make_summary(rows), seeds=seeds)
    print(f"{record['seconds']} seconds in all, compilation included")
    if arguments.json:
        write_record(arguments.json, record)
    if arguments.plot:
        plot(arguments.plot, curves)


if __name__ == "__main__":
    main()
