"""Cells at matched parameters: ENAS's, ShuffleNASNets', ShuffleNet V2's unit, and random ones.

For each seed both spaces are searched by the same recipe: ENAS's search, then short trainings of
the best 6 children by shared weights and of 6 random ones, each with weights of its own in the
network of the search. The best two of those 12 are trained from scratch, as are the cells that ENAS
published, ShuffleNet V2's unit (a point of the space of ShuffleNASNets), two random points of that
space, and two that short trainings picked out of 12 random points. Random points are the same draws
in all arms of a seed. An arm's result is its child with the best validation accuracy. Every child
has the width that brings its parameters nearest to those of ENAS's published cells; the recipe, the
images and the number of epochs are the same for all: 8 epochs of a one-cycle recipe on 4,000 images
of CIFAR-10, halved to 16 x 16 pixels so that one core can train all of it. Accuracies are those of
the test split. Latencies are taken last, on children with fresh weights, each compiled as one
program in its form for inference, in turns: medians in milliseconds with interquartile ranges.

Summary (95% intervals over seeds, Student's t): `latency_ratio_b64` and `_b1` are the latency of
the searched ENAS child over that of the searched ShuffleNAS child of the same seed;
`accuracy_gap` is the test accuracy of the latter minus that of the former, `_to_published` the same
against ENAS's published cells and `_to_shufflenet_v2` against the unit; `search_over_random` is the
mean of all trained children of a ShuffleNAS search minus that of the random ones,
`search_over_best_random` compares those chosen by validation. What ENAS's search adds to the short
trainings: `search_over_shortlist` is the mean of all trained children of a ShuffleNAS search minus
that of the children that short trainings picked out of random ones;
`searched_over_random_FAMILY` is the mean validation accuracy, after the short training, of the 6
children by shared weights minus that of the 6 random ones beside them.

    python benchmarks/shufflenas.py --data cifar.npz --work DIR

DIR keeps finished trainings, so that a stopped benchmark goes on where it was.
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import tempfile
from typing import Any

import jax
import numpy as np
from cell_arms import Contest, chosen
from cell_budget import ARMS, Budget
from cell_latency import BATCHES, add_latencies
from curves import mean_interval
from record import make_record, write_record

from jaxnas.config import Augmentation, OptimizerConfig, SearchConfig, TrainConfig
from jaxnas.data import Dataset, load
from jaxnas.runtime import compilation_cache

SIZES = {"train": 4000, "validation": 1000, "test": 5000}
QUICK_SIZES = {"train": 64, "validation": 64, "test": 100}


def make_budget(quick: bool) -> Budget:
    """What every arm may spend.

    Short trainings choose, since shared weights hardly rank the children of ShuffleNASNets
    (`ranking.py`), the less the longer they are trained: what a unit passes on untouched seems to
    carry the network, whatever stands in its branch. `tune_cells.py` compares both ways of ranking
    with full trainings, on a seed and on images that are not used here.
    """
    augmentation = Augmentation(pad=1, flip=False) if quick else Augmentation()
    rate = {"learning_rate": 0.1, "final_learning_rate": 0.0001, "weight_decay": 5e-4}
    recipe = OptimizerConfig(schedule="one_cycle", **rate)
    search = SearchConfig(
        epochs=1 if quick else 6,
        warmup_epochs=0 if quick else 2,
        batch_size=32,
        children=1,
        policy_updates=1 if quick else 15,
        policy_children=2 if quick else 10,
        reward_batch_size=64,
        random_children=0,
        optimizer=OptimizerConfig(learning_rate=0.1, final_learning_rate=0.001),
        augmentation=augmentation,
    )
    training = TrainConfig(
        epochs=1 if quick else 8, batch_size=32, optimizer=recipe, augmentation=augmentation
    )
    return Budget(
        nodes=(1, 1) if quick else (5, 4),
        channels=4 if quick else 10,
        search_channels={"enas": 2, "shufflenas": 4} if quick else {"enas": 8, "shufflenas": 32},
        search=search,
        samples=3 if quick else 30,
        shortlist=(1, 1) if quick else (6, 6),
        short=dataclasses.replace(training, epochs=1 if quick else 2),
        trained=1 if quick else 2,
        training=training,
    )


def run(contest: Contest, seeds: int, repeats: int) -> list[dict[str, Any]]:
    """The rows of all children; those that were chosen have latencies."""
    rows = []
    for seed in range(seeds):
        for name in ARMS:
            done = contest.run(name, seed)
            chosen(done)["chosen"] = True
            print_rows(done)
            rows += done
    measured = [row for row in rows if row.get("chosen")]
    add_latencies(measured, contest.families, contest.dataset.image_shape, repeats)
    return rows


def make_summary(rows: list[dict[str, Any]], target: int) -> dict[str, Any]:
    """The figures that the first lines of this file explain."""
    best = {(row["arm"], row["seed"]): row for row in rows if row.get("chosen")}
    seeds = sorted({seed for _, seed in best})

    def of(arm: str, key: str) -> np.ndarray:
        return np.array([best[arm, seed][key] for seed in seeds], float)

    def mean_of(arm: str) -> np.ndarray:
        taken = [
            [r["test_accuracy"] for r in rows if (r["arm"], r["seed"]) == (arm, s)] for s in seeds
        ]
        return np.mean(taken, 1)

    accuracy = {arm: of(arm, "test_accuracy") for arm in ARMS}
    summary: dict[str, Any] = {}
    for batch in BATCHES[::-1]:
        key = f"milliseconds_b{batch}"
        summary[f"latency_ratio_b{batch}"] = mean_interval(of("enas", key) / of("shufflenas", key))
        over = of("enas_published", key) / of("shufflenas", key)
        summary[f"latency_ratio_b{batch}_of_published"] = mean_interval(over)
    summary["accuracy_gap"] = mean_interval(accuracy["shufflenas"] - accuracy["enas"])
    for other in ("enas_published", "shufflenet_v2"):
        gap = accuracy["shufflenas"] - accuracy[other]
        summary[f"accuracy_gap_to_{other.removeprefix('enas_')}"] = mean_interval(gap)
    over_random = mean_of("shufflenas") - mean_of("random")
    summary["search_over_random"] = mean_interval(over_random)
    over_shortlist = mean_of("shufflenas") - mean_of("random_shortlist")
    summary["search_over_shortlist"] = mean_interval(over_shortlist)
    for arm in ("enas", "shufflenas"):
        lists = of(arm, "searched_mean") - of(arm, "random_mean")
        summary[f"searched_over_random_{arm}"] = mean_interval(lists)
    over_best = accuracy["shufflenas"] - accuracy["random"]
    summary["search_over_best_random"] = mean_interval(over_best)
    summary |= {f"accuracy_{arm}": mean_interval(values) for arm, values in accuracy.items()}
    summary["accuracy_random_mean"] = mean_interval(mean_of("random"))
    ratios = of("shufflenas", "parameters") / of("enas", "parameters")
    summary["parameters_ratio"] = mean_interval(ratios)
    summary["parameters_farthest_from_target"] = max(
        abs(row["parameters"] / target - 1) for row in rows
    )
    cost = sum(row["train_cpu_seconds"] for row in rows)
    cost += sum(row["search_cpu_seconds"] for row in rows if row["child"] == 0)
    summary["accuracy_cpu_minutes"] = round(cost / 60, 1)
    return summary


def print_rows(rows: list[dict[str, Any]]) -> None:
    """Prints one line per child."""
    for row in rows:
        mark = "*" if row.get("chosen") else " "
        times = "".join(
            f"{row[f'milliseconds_b{b}']:>10.3f} ms (b{b}, +-{row[f'spread_b{b}'] / 2:.3f})"
            for b in BATCHES
            if f"milliseconds_b{b}" in row
        )
        print(
            f"{row['arm']:<15} seed {row['seed']} child {row['child']}{mark} "
            f"{row['channels']:>3} channels {row['parameters']:>7} parameters "
            f"{row['macs'] / 1e6:>6.2f} M MACs  validation {row['validation_accuracy']:.3f} "
            f"test {row['test_accuracy']:.4f}{times}",
            flush=True,
        )


def plot(path: str, rows: list[dict[str, Any]]) -> None:
    """Draws test accuracy against the latency of a batch of 64, one point per arm and seed."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots(figsize=(6, 4))
    for arm in ARMS:
        points = [row for row in rows if row["arm"] == arm and row.get("chosen")]
        x, y = ([row[key] for row in points] for key in ("milliseconds_b64", "test_accuracy"))
        axis.scatter(x, y, label=arm.replace("_", " "))
    axis.set(xlabel="milliseconds for 64 images", ylabel="test accuracy", xlim=(0, None))
    axis.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def load_data(path: str | None, quick: bool) -> Dataset:
    """The declared subset of the data, the same for all seeds."""
    source, sizes = (f"npz:{path}", SIZES) if path else ("digits", QUICK_SIZES)
    sizes = QUICK_SIZES if quick else sizes
    dataset = load(source, validation=sizes["validation"]).take(**sizes)
    return halved(dataset) if dataset.image_shape[0] >= 32 else dataset


def halved(dataset: Dataset) -> Dataset:
    """The images at half their size: means of 2 x 2 pixels."""
    fields = {f"{split}_images": getattr(dataset, f"{split}_images") for split in SIZES}
    return dataclasses.replace(dataset, **{name: _halve(x) for name, x in fields.items()})


def _halve(images: np.ndarray) -> np.ndarray:
    count, height, width, channels = images.shape
    windows = images.reshape(count, height // 2, 2, width // 2, 2, channels)
    return windows.mean((2, 4)).astype(images.dtype)


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="npz with train_images, train_labels, test_images, ...")
    parser.add_argument("--work", help="the folder of finished trainings")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=30, help="timed calls of each child")
    parser.add_argument("--quick", action="store_true", help="2 seeds, few digits, one epoch")
    parser.add_argument("--json", help="where to write the figures")
    parser.add_argument("--plot", help="where to draw them (png)")
    arguments = parser.parse_args()
    if not arguments.quick and not arguments.data:
        parser.error("--data is missing: give an npz of CIFAR-10, or --quick for digits")
    if arguments.seeds < 2:
        parser.error("--seeds must be at least 2 for an interval")
    compilation_cache.enable()
    # The quick form shows that everything runs; its times mean nothing.
    jax.config.update("jax_disable_most_optimizations", arguments.quick)
    seeds = 2 if arguments.quick else arguments.seeds
    dataset = load_data(arguments.data, arguments.quick)
    with tempfile.TemporaryDirectory() as temporary:
        work = pathlib.Path(arguments.work or temporary)
        contest = Contest(make_budget(arguments.quick), dataset, work)
        rows = run(contest, seeds, 5 if arguments.quick else arguments.repeats)
    print()
    print_rows([row for row in rows if row.get("chosen")])
    summary = make_summary(rows, contest.target)
    for name, value in summary.items():
        print(f"{name:<40} {value}")
    record = make_record("shufflenas", rows=rows, summary=summary, seeds=seeds)
    if arguments.json:
        write_record(arguments.json, record)
    if arguments.plot:
        plot(arguments.plot, rows)


if __name__ == "__main__":
    main()
