"""Do shared weights rank children as training them does? Kendall's tau, by how they normalise.

For ENAS micro and ShuffleNASNets shared weights are trained on uniformly sampled children. Fresh
children are then evaluated with them on validation images under three policies of batch
normalisation, and trained from scratch with weights of their own; tau compares the two
accuracies. Stand-alone accuracy is that of validation and test images together, mean of the
trainings of a child, normalised by its own measured moments.

- `batch`: the statistics of the batch of validation images itself (what a search does);
- `own`: moments measured on training images for each child, with the shared weights;
- `common`: for each operation the mean of those moments over all children, which is what running
  averages that children share would hold.

Summary: `tau_SPACE_POLICY` with 95% intervals from resampled children (bootstrap), and
`tau_SPACE_SIZE`, the tau of the number of parameters alone, as a baseline.

    python benchmarks/ranking.py [--data cifar.npz] --work DIR

Without `--data` on scikit-learn's digits. DIR keeps finished trainings, so that a stopped benchmark
goes on where it was.
"""

from __future__ import annotations

import argparse
import pathlib
import tempfile
import time
from typing import Any

import jax
import numpy as np
from ranking_study import POLICIES, SPACES, Recipe, Study
from record import make_record, write_record
from scipy.stats import kendalltau

from jaxnas.config import Augmentation, OptimizerConfig, SearchConfig, TrainConfig
from jaxnas.data import Dataset, load
from jaxnas.runtime import compilation_cache
from jaxnas.supernets import count_parameters

SUBSET = {"train": 1500, "validation": 500, "test": 2000}
QUICK = {"train": 64, "validation": 64, "test": 64}
BOOTSTRAPS = 2000


def make_recipe(quick: bool, digits: bool) -> Recipe:
    """Short trainings: children that all come near the best accuracy could not be ranked."""
    augmentation = Augmentation(pad=1, flip=False) if digits else Augmentation()
    rate = {"learning_rate": 0.1, "final_learning_rate": 0.0001}
    one_cycle = OptimizerConfig(schedule="one_cycle", **rate)
    return Recipe(
        SearchConfig(
            epochs=1 if quick else 24,
            batch_size=32,
            children=2,
            policy_updates=0,
            reward_batch_size=64,
            optimizer=one_cycle,
            augmentation=augmentation,
        ),
        TrainConfig(
            epochs=1 if quick else 4,
            batch_size=32,
            optimizer=one_cycle,
            augmentation=augmentation,
        ),
        children=3 if quick else 32,
        trainings=1 if quick else 2,
    )


def tau(first: np.ndarray, second: np.ndarray) -> dict[str, float]:
    """Kendall's tau (b) of accuracies `[A]`, with a 95% interval from resampled children."""
    picks = np.random.default_rng(0).integers(len(first), size=(BOOTSTRAPS, len(first)))
    resampled = [kendalltau(first[pick], second[pick]).statistic for pick in picks]
    low, high = np.nanpercentile(resampled, [2.5, 97.5])
    value = kendalltau(first, second).statistic
    return {"value": float(value), "low": float(low), "high": float(high)}


def study_rows(study: Study) -> list[dict[str, Any]]:
    """One row for each policy, and one for the number of parameters."""
    start = time.process_time()
    given = {key: np.array(values) for key, values in study.shared_accuracies().items()}
    runs = study.standalone_accuracies()
    alone = runs.mean(0)
    sizes = [count_parameters(study.network, child) for child in study.architectures]
    given["size"] = np.array(sizes, float)
    common = {
        "space": study.name,
        "children": len(alone),
        "standalone_mean": float(alone.mean()),
        "standalone_std": float(alone.std(ddof=1)),
        "standalone": alone.tolist(),
        "tau_between_trainings": float(kendalltau(*runs[:2]).statistic) if len(runs) > 1 else None,
        "cpu_seconds": round(time.process_time() - start, 1),
    }
    return [
        {"policy": policy, "tau": tau(values, alone), "mean": float(values.mean())}
        | common
        | {"values": values.tolist()}
        for policy, values in given.items()
    ]


def make_summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Tau by space and policy, and the policy with the highest mean tau over the spaces."""
    summary: dict[str, Any] = {f"tau_{row['space']}_{row['policy']}": row["tau"] for row in rows}
    means = {
        policy: np.mean([row["tau"]["value"] for row in rows if row["policy"] == policy])
        for policy in POLICIES
    }
    summary["best_policy"] = max(means, key=lambda policy: means[policy])
    return summary


def print_table(rows: list[dict[str, Any]]) -> None:
    """Prints tau with its interval, one line per space and policy."""
    print(f"{'space':<12}{'policy':<8}{'mean':>12}{'alone':>8}{'tau':>8}  95% interval")
    for row in rows:
        found = row["tau"]
        print(
            f"{row['space']:<12}{row['policy']:<8}{row['mean']:>12.4g}"
            f"{row['standalone_mean']:>8.3f}{found['value']:>8.3f}"
            f"  [{found['low']:.3f}, {found['high']:.3f}]"
        )


def load_data(path: str | None, quick: bool) -> Dataset:
    """The digits, or a subset of the given data."""
    if quick:
        return load("digits").take(**QUICK)
    if path is None:
        return load("digits")
    return load(f"npz:{path}", validation=SUBSET["validation"]).take(**SUBSET)


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="npz with train_images, train_labels, test_images, ...")
    parser.add_argument("--work", help="the folder of finished trainings")
    parser.add_argument("--quick", action="store_true", help="3 children, few digits, one epoch")
    parser.add_argument("--json", help="where to write the figures")
    arguments = parser.parse_args()
    compilation_cache.enable()
    # The quick form shows that everything runs.
    jax.config.update("jax_disable_most_optimizations", arguments.quick)
    dataset = load_data(arguments.data, arguments.quick)
    recipe = make_recipe(arguments.quick, digits=dataset.name == "digits")
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        for name in SPACES:
            work = pathlib.Path(arguments.work or temporary)
            rows += study_rows(Study(name, recipe, dataset, work))
            jax.clear_caches()
    print_table(rows)
    record = make_record("ranking", rows=rows, summary=make_summary(rows), seeds=recipe.trainings)
    for name, value in record["summary"].items():
        print(f"{name:<32} {value}")
    if arguments.json:
        write_record(arguments.json, record)


if __name__ == "__main__":
    main()
