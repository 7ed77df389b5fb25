"""What ranks children of ShuffleNASNets as the contest of `shufflenas.py` trains them?

Random children are trained as in the contest: in full and at the width that matches their
parameters. The accuracies are compared, by Kendall's tau, with three cheap guesses: the validation
accuracy with shared weights that were trained on uniformly sampled children, in some settings;
that of a short training of each child in the network of the search; and the number of parameters
there, the fewest first. The reference is accuracy on validation images and on training images that
the contest leaves out. No image of the test split and no seed of the contest is used here.

`agreement` is the share of validation images of which two children say the same with shared
weights, the mean over pairs: near 1 they hardly depend on what is searched. `spread` is the
standard deviation of accuracies between children.

    python benchmarks/tune_cells.py --data cifar.npz --work DIR

DIR keeps finished trainings.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import pathlib
import tempfile
import time
from typing import Any

import jax
import numpy as np
import shufflenas
from cell_arms import Contest
from record import make_record, write_record
from scipy.stats import kendalltau

from jaxnas import searchers
from jaxnas.config import OptimizerConfig, SearchConfig
from jaxnas.data import Dataset, load
from jaxnas.data.batches import normalize
from jaxnas.data.dataset import subset
from jaxnas.engine import Engine
from jaxnas.evaluators.shared import shared
from jaxnas.runtime import compilation_cache
from jaxnas.runtime.files import write_json
from jaxnas.supernets import Supernet, count_parameters

SEED, FAMILY = 100, "shufflenas"
SETTINGS: dict[str, dict[str, Any]] = {
    "6 epochs": {"epochs": 6},
    "12 epochs, low rate": {"epochs": 12, "learning_rate": 0.02},
    "30 epochs, one cycle": {"epochs": 30, "schedule": "one_cycle"},
    "8 epochs, 4 children, one cycle": {"epochs": 8, "children": 4, "learning_rate": 0.05}
    | {"schedule": "one_cycle"},
}
REWARD_BATCHES = (64, 250)


def pilot_data(path: str | None) -> Dataset:
    """The contest's train and validation images; in place of its test split unused train images."""
    if path is None:
        return shufflenas.load_data(None, quick=True)
    full = load(f"npz:{path}", validation=shufflenas.SIZES["validation"])
    used = subset(full.sizes["train"], shufflenas.SIZES["train"], 0, "train")
    rest = np.setdiff1d(np.arange(full.sizes["train"]), used)
    taken = full.take(**shufflenas.SIZES)
    images, labels = full.train_images[rest], full.train_labels[rest]
    return shufflenas.halved(dataclasses.replace(taken, test_images=images, test_labels=labels))


def reference(contest: Contest, architectures: np.ndarray) -> np.ndarray:
    """The accuracies `[A]` of children trained as in the contest, from files where finished."""
    sizes, accuracies = contest.dataset.sizes, []
    for i, architecture in enumerate(architectures):
        path = contest.work / f"reference-{i}.json"
        key = jax.random.fold_in(jax.random.key(SEED), 1000 + i)
        if not path.is_file():
            row = contest.train(contest.families[FAMILY], architecture, key)
            contest.work.mkdir(parents=True, exist_ok=True)
            write_json(path, row)
        row = json.loads(path.read_text())
        found = [row["validation_accuracy"], row["test_accuracy"]]
        counts = [sizes["validation"], sizes["test"]]
        accuracies.append(float(np.average(found, weights=counts)))
    return np.array(accuracies)


def make_search(base: SearchConfig, values: dict[str, Any], quick: bool) -> SearchConfig:
    """A search of one of the settings that only trains shared weights, on uniform children."""
    rate = {"learning_rate": 0.1, "final_learning_rate": 0.001}
    names = {field.name for field in dataclasses.fields(OptimizerConfig)}
    recipe = {name: value for name, value in values.items() if name in names}
    others = {name: value for name, value in values.items() if name not in names}
    others |= {"epochs": 1} if quick else {}
    optimizer = OptimizerConfig(**(rate | recipe))
    return dataclasses.replace(
        base, warmup_epochs=0, policy_updates=0, optimizer=optimizer, **others
    )


def shared_rows(
    contest: Contest, architectures: np.ndarray, name: str, search: SearchConfig
) -> list[dict[str, Any]]:
    """The accuracies of children with shared weights, by the batch that they are evaluated on."""
    start, network = time.process_time(), contest.search_network(FAMILY)
    sizes = contest.dataset.sizes
    supernet, searcher = Supernet(network), searchers.random(network.space)
    engine = Engine(supernet, searcher, search, sizes["train"], sizes["validation"])
    state = engine.init(jax.random.key(SEED))
    while int(state.step) < engine.total_steps:
        state, _ = engine.step(state, contest.data)
    seconds, data = time.process_time() - start, contest.data
    images, labels = normalize(data.validation.images, data.mean, data.std), data.validation.labels
    predictions = np.asarray(supernet.apply(state.params, architectures, images[:250])).argmax(-1)
    pairs = itertools.combinations(predictions, 2)
    common = {"seconds": seconds, "agreement": float(np.mean([np.mean(a == b) for a, b in pairs]))}
    rows = []
    for size in (min(size, sizes["validation"]) for size in REWARD_BATCHES):
        evaluate = shared(supernet, state.params, images, labels, batch_size=size)
        guess = {"guess": f"shared, {name}, batches of {size}"}
        rows.append(guess | {"values": np.asarray(evaluate(architectures)).tolist()} | common)
    return rows


def other_rows(contest: Contest, architectures: np.ndarray) -> list[dict[str, Any]]:
    """Short trainings of children, and their parameters."""
    start, network = time.process_time(), contest.search_network(FAMILY)
    short = contest.short_accuracies(network, jax.random.key(SEED), architectures)
    row = {"guess": f"short training, {contest.budget.short.epochs} epochs", "values": short}
    sizes = [-count_parameters(network, child) for child in architectures]
    row["seconds"] = time.process_time() - start
    return [row, {"guess": "fewest parameters", "values": sizes, "seconds": 0.0}]


def main() -> None:
    """Runs the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="npz of CIFAR-10")
    parser.add_argument("--work", help="the folder of finished trainings")
    parser.add_argument("--children", type=int, default=8)
    parser.add_argument("--quick", action="store_true", help="3 children, few digits, one epoch")
    parser.add_argument("--json", help="where to write the figures")
    arguments = parser.parse_args()
    if not arguments.quick and not arguments.data:
        parser.error("--data is missing: give an npz of CIFAR-10, or --quick for digits")
    compilation_cache.enable()
    jax.config.update("jax_disable_most_optimizations", arguments.quick)
    budget, count = shufflenas.make_budget(arguments.quick), arguments.children
    dataset = pilot_data(None if arguments.quick else arguments.data)
    with tempfile.TemporaryDirectory() as temporary:
        contest = Contest(budget, dataset, pathlib.Path(arguments.work or temporary))
        space = contest.search_network(FAMILY).space
        # In older JAX a draw depends on how many are drawn: more children must not be others.
        drawn = np.asarray(space.sample(jax.random.key(SEED), 24))
        architectures = drawn[: 3 if arguments.quick else count]
        alone = reference(contest, architectures)
        rows = other_rows(contest, architectures)
        for name, values in SETTINGS.items():
            search = make_search(budget.search, values, arguments.quick)
            rows += shared_rows(contest, architectures, name, search)
    for row in rows:
        row["tau"] = float(kendalltau(row["values"], alone).statistic)
        row["spread"] = float(np.std(row["values"], ddof=1))
        seen = f"agreement {row['agreement']:.2f}" if "agreement" in row else ""
        print(f"{row['guess']:<45} tau {row['tau']:+.2f} spread {row['spread']:.3f} {seen}")
    summary = {"reference_mean": float(alone.mean()), "reference_spread": float(alone.std(ddof=1))}
    print(summary)
    record = make_record("tune_cells", rows=rows, summary=summary, seeds=[SEED])
    if arguments.json:
        write_record(arguments.json, record)


if __name__ == "__main__":
    main()
