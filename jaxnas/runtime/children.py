"""Training the final children of an experiment, each saved in the run folder when it is done."""

from __future__ import annotations

import dataclasses
import functools
import json
import pathlib
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnas.derive import Candidates
from jaxnas.engine import Split
from jaxnas.runtime import saved_child
from jaxnas.runtime.experiment import Experiment
from jaxnas.runtime.files import write_json
from jaxnas.runtime.json_values import from_json
from jaxnas.runtime.metrics import MetricsWriter
from jaxnas.runtime.packing import digest
from jaxnas.runtime.progress import Progress
from jaxnas.runtime.timing import Timing
from jaxnas.supernets import (
    child_network,
    children_network,
    count_flops,
    count_parameters,
    inherit,
)
from jaxnas.training import TrainedChild, Trainer


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


@dataclasses.dataclass(frozen=True, eq=False)
class ChildrenPhase:
    """The training of all children of an experiment.

    Attributes:
      experiment: the experiment.
      tasks: the children.
      folder: the run folder.
      shared: the shared parameters of the search, for `train.inherit`.
    """

    experiment: Experiment
    tasks: list[Task]
    folder: pathlib.Path
    shared: Any

    @functools.cached_property
    def trainer(self) -> Trainer:
        """Trains the children in one network, so that they share its compiled programs."""
        architectures = [task.architecture for task in self.tasks]
        config = self.experiment.config.train
        network = children_network(
            self.experiment.final_network, architectures, auxiliary=bool(config.auxiliary_weight)
        )
        return Trainer(network, config, self.experiment.dataset.sizes["train"])

    def run(
        self, metrics: MetricsWriter, progress: Progress, timing: Timing
    ) -> list[dict[str, Any]]:
        """Trains every child that is not trained yet, and returns the records of all of them."""
        epochs = self.experiment.config.train.epochs
        progress.phase("train", epochs * len(self.tasks))
        # Lines of a child that was half trained when its process died are written anew.
        done = sum(self._path(task).is_file() for task in self.tasks)
        metrics.rewind(self.experiment.engine.total_steps + done * epochs - 1)
        records = []
        for task in self.tasks:
            path = self._path(task)
            if path.is_file():
                progress.advance(steps=epochs)
            else:
                trained = self._train(task, metrics, progress, timing)
                # The record last: with it, the child counts as done.
                self._save(task, trained)
                write_json(path, self._record(task, trained))
                timing.save("train")
            records.append(from_json(json.loads(path.read_text())))
        return records

    def _path(self, task: Task) -> pathlib.Path:
        return self.folder / saved_child.CHILDREN / f"{task.name}.json"

    def _train(self, task: Task, metrics, progress, timing) -> TrainedChild:
        config = self.experiment.config.train
        first = self.experiment.engine.total_steps + task.number * config.epochs

        def report(summary: dict[str, Any]) -> None:
            line = {"phase": "train", "child": task.name, **summary, "seconds": timing.elapsed()}
            metrics.write(first + summary["epoch"], line)
            shown = {name: summary[name] for name in ("loss", "train_accuracy")}
            progress.advance({"child": task.name, **shown})

        key = jax.random.fold_in(self.experiment.key("train"), task.number)
        params = None
        if config.inherit:
            params = inherit(self.experiment.network, self.shared, self.trainer.network)
        auxiliary = [len(self.tasks) + task.number] if config.auxiliary_weight else None
        data, own = self.experiment.data, [task.number]
        return self.trainer.train(key, data, own, params, report, auxiliary)

    def _save(self, task: Task, trained: TrainedChild) -> None:
        own = child_network(self.trainer.network, [task.number])
        params = inherit(self.trainer.network, trained.params, own)
        folder = self.folder / saved_child.CHILDREN / task.name
        child = trained._replace(params=params)
        saved_child.save(folder, self.experiment, task.architecture, child)

    def _record(self, task: Task, trained: TrainedChild) -> dict[str, Any]:
        dataset, data = self.experiment.dataset, self.experiment.data
        test = Split(jnp.asarray(dataset.test_images), jnp.asarray(dataset.test_labels))
        accuracy = functools.partial(
            self.trainer.accuracy, trained, data=data, architecture=[task.number]
        )
        network = self.experiment.final_network
        validation = accuracy(data.validation)
        return {
            "name": task.name,
            "kind": task.kind,
            "architecture": self.experiment.network.space.encode(task.architecture),
            "shared_accuracy": task.shared_accuracy,
            "validation_accuracy": validation,
            "test_accuracy": accuracy(test),
            "parameters": count_parameters(network, task.architecture),
            "flops": count_flops(network, task.architecture),
            "diverged": trained.diverged,
            "weights_digest": digest(trained.params),
            **self._reward(task, validation),
        }

    def _reward(self, task: Task, accuracy: float) -> dict[str, float]:
        """What the cost of a child makes of its accuracy, where the search counts the cost."""
        efficiency = self.experiment.engine.efficiency
        if efficiency is None:
            return {}
        children = task.architecture[None]
        return {
            "cost": float(efficiency.costs(children)[0]),
            "reward": float(efficiency.rewards([accuracy], children)[0]),
        }
