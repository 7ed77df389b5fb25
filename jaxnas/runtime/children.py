"""Training the final children of an experiment, each saved in the run folder when it is done."""

from __future__ import annotations

import json
import pathlib
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnas.derive import Candidates
from jaxnas.engine import SearchState, Split
from jaxnas.runtime import saved_child
from jaxnas.runtime.experiment import Experiment
from jaxnas.runtime.files import write_json
from jaxnas.runtime.metrics import MetricsWriter
from jaxnas.runtime.packing import digest
from jaxnas.runtime.progress import Progress
from jaxnas.runtime.timing import Timing
from jaxnas.supernets import child_network, count_flops, inherit
from jaxnas.training import TrainedChild, Trainer, evaluate_child


class Task(NamedTuple):
    """One child to train: its name, its kind (`best` or `random`), and what is known of it."""

    name: str
    kind: str
    architecture: np.ndarray
    shared_accuracy: float
    number: int


def tasks(best: Candidates, random: Candidates) -> list[Task]:
    """The children of an experiment in the order of their training."""
    pairs = [("best", i, *pair) for i, pair in enumerate(zip(*best, strict=True))]
    pairs += [("random", i, *pair) for i, pair in enumerate(zip(*random, strict=True))]
    return [
        Task(f"{kind}-{i}", kind, architecture, float(accuracy), number)
        for number, (kind, i, architecture, accuracy) in enumerate(pairs)
    ]


def train_children(
    experiment: Experiment,
    state: SearchState,
    todo: list[Task],
    folder: pathlib.Path,
    metrics: MetricsWriter,
    progress: Progress,
    timing: Timing,
) -> list[dict[str, Any]]:
    """Trains every child that is not trained yet, and returns the records of all of them."""
    steps = experiment.config.train.epochs * len(todo)
    progress.phase("train", steps)
    records = []
    for task in todo:
        path = folder / saved_child.CHILDREN / f"{task.name}.json"
        if path.is_file():
            progress.advance(steps=experiment.config.train.epochs)
        else:
            _train(experiment, state, task, folder, metrics, progress, timing)
        records.append(json.loads(path.read_text()))
    return records


def _train(experiment, state, task: Task, folder, metrics, progress, timing) -> None:
    config = experiment.config.train
    child = child_network(experiment.final_network, task.architecture)
    trainer = Trainer(child, config, experiment.dataset.sizes["train"])
    shared = inherit(experiment.network, state.params, child) if config.inherit else None
    first = experiment.engine.total_steps + task.number * config.epochs

    def report(summary: dict[str, Any]) -> None:
        line = {"phase": "train", "child": task.name, **summary, "seconds": timing.elapsed()}
        metrics.write(first + summary["epoch"], line)
        shown = {name: summary[name] for name in ("loss", "train_accuracy")}
        progress.advance({"child": task.name, **shown})

    key = jax.random.fold_in(experiment.key("train"), task.number)
    trained = trainer.train(key, experiment.data, shared, report)
    record = _record(experiment, task, child, trained)
    saved_child.save(
        folder / saved_child.CHILDREN / task.name, experiment, task.architecture, trained
    )
    write_json(folder / saved_child.CHILDREN / f"{task.name}.json", record)
    timing.save("train")


def _record(experiment: Experiment, task: Task, child, trained: TrainedChild) -> dict[str, Any]:
    dataset, data = experiment.dataset, experiment.data
    test = Split(jax.numpy.asarray(dataset.test_images), jax.numpy.asarray(dataset.test_labels))
    return {
        "name": task.name,
        "kind": task.kind,
        "architecture": experiment.network.space.encode(task.architecture),
        "shared_accuracy": task.shared_accuracy,
        "validation_accuracy": evaluate_child(child, trained, data.validation, data),
        "test_accuracy": evaluate_child(child, trained, test, data),
        "parameters": child.count_parameters(),
        "flops": count_flops(experiment.final_network, task.architecture),
        "diverged": trained.diverged,
        "weights_digest": digest(trained.params),
    }
