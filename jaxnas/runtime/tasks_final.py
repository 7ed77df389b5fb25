"""The best children of each task and of its random arm, trained again on all training rows."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnas.children import towers
from jaxnas.data import LabelledTexts
from jaxnas.population_search import Kept
from jaxnas.runtime import saved_task_child
from jaxnas.runtime.errors import RunError
from jaxnas.runtime.files import write_json
from jaxnas.runtime.json_values import from_json
from jaxnas.runtime.metrics import MetricsWriter
from jaxnas.runtime.packing import digest
from jaxnas.runtime.progress import Progress
from jaxnas.runtime.run_folder import RunFolder
from jaxnas.runtime.tasks_experiment import TasksExperiment
from jaxnas.runtime.timing import Timing
from jaxnas.tasks_search import TasksSearchState, train

_REFERENCE = 256
"""Training rows whose statistics normalise what a saved child reads."""


class Finalist(NamedTuple):
    """One child: its name, task and kind (`best` or `random`), and what the search knew of it."""

    name: str
    task: str
    kind: str
    architecture: np.ndarray
    value: float


def finalists(
    experiment: TasksExperiment, state: TasksSearchState
) -> dict[str, tuple[Finalist, ...]]:
    """The children to train of each task: the best different ones of either arm.

    Raises:
      RunError: every child of a task diverged.
    """
    final, result = experiment.config.final, {}
    for i, task in enumerate(experiment.dataset.names):
        arms = (("best", state.best[i], final.best), ("random", state.random[i], final.random))
        of_task = [child for arm in arms for child in _of_arm(task, *arm)]
        if not any(child.kind == "best" for child in of_task):
            raise RunError(
                f"task {task!r} has no reward: every child that the search tried for it diverged; "
                "give the space lower learning rates, or more search.samples, and start another "
                "run."
            )
        result[task] = tuple(of_task)
    return result


def _of_arm(task: str, kind: str, kept: Kept, number: int) -> list[Finalist]:
    pairs = zip(np.asarray(kept.architectures), np.asarray(kept.values), strict=True)
    return [
        Finalist(f"{task}-{kind}-{i}", task, kind, architecture, float(value))
        for i, (architecture, value) in enumerate(pairs)
        if i < number and np.isfinite(value)
    ]


@dataclasses.dataclass(frozen=True, eq=False)
class TasksFinal:
    """The training of all finalists, task by task.

    Attributes:
      experiment: the experiment.
      folder: the run folder.
      finalists: the children of each task.
    """

    experiment: TasksExperiment
    folder: RunFolder
    finalists: dict[str, tuple[Finalist, ...]]

    def run(
        self, metrics: MetricsWriter, progress: Progress, timing: Timing
    ) -> list[dict[str, Any]]:
        """Trains the children of each task that are not trained yet, and returns all records."""
        records: list[dict[str, Any]] = []
        progress.phase("train", len(self.finalists))
        for number, (task, children) in enumerate(self.finalists.items()):
            paths = [self._path(child) for child in children]
            step = self.experiment.total_steps + number
            if not all(path.is_file() for path in paths):
                metrics.rewind(step - 1)
                made = self._train(task, number, children)
                for record, path in zip(made, paths, strict=True):
                    line = {"phase": "train", "child": record["name"], "task": task}
                    line |= {"loss": record["loss"], "seconds": timing.elapsed()}
                    metrics.write(step, line)
                    # With the last record the task counts as done.
                    write_json(path, record)
                timing.save("train")
            progress.advance({"task": task})
            records += [from_json(json.loads(path.read_text())) for path in paths]
        return records

    def _path(self, child: Finalist) -> pathlib.Path:
        return self.folder.path / "children" / f"{child.name}.json"

    def _train(self, task: str, number: int, children: tuple[Finalist, ...]):
        """The records of a task's children, which are saved."""
        experiment, parts = self.experiment, self.experiment.parts
        limit = experiment.config.final.train
        have = experiment.dataset.sets[task].sizes["train"]
        size = have if limit is None else min(limit, have)
        data = parts.data(task, size)
        architectures = np.stack([child.architecture for child in children])
        key = jax.random.fold_in(experiment.key("final"), number)
        search = experiment.config.search
        chunk = search.batch + search.random  # In the search's own program, where sizes agree.
        trained = train(parts.population(size), key, architectures, data, chunk)
        return [
            self._finish(child, jax.tree.map(lambda leaf, i=i: leaf[i], trained), data)
            for i, child in enumerate(children)
        ]

    def _finish(self, child: Finalist, trained: Any, data: Any) -> dict[str, Any]:
        """Saves a trained child, and reads its accuracies as those who load it will."""
        parts, of = self.experiment.parts, self.experiment.dataset.sets[child.task]
        model, space = parts.model, parts.model.space
        description = {
            "task": child.task,
            "architecture": space.encode(child.architecture),
            "children": self.experiment.config.children,
            "num_classes": of.num_classes,
            "class_names": list(of.class_names),
            "all_classes": model.num_classes,
            "diverged": bool(trained.diverged),
            **parts.describe(data),
        }
        parameters = parts.finished(trained, data)
        rows = _REFERENCE if towers.needs_reference(model.options, child.architecture) else 0
        reference = parts.reference(data, rows, child.architecture)
        folder = self.folder.path / "children" / child.name
        saved_task_child.save(folder, description, parameters, reference)
        weights = child.architecture, parameters, reference
        module = saved_task_child.make_module(model, *weights, description)
        return {
            "name": child.name,
            "task": child.task,
            "kind": child.kind,
            "architecture": description["architecture"],
            "search_value": child.value,
            "validation_accuracy": split_accuracy(module, of, "validation"),
            "test_accuracy": split_accuracy(module, of, "test"),
            "diverged": description["diverged"],
            "loss": float(trained.loss),
            "weights_digest": digest(trained.parameters),
        }


def split_accuracy(module: Any, of: Any, split: str) -> float:
    """The accuracy of a child's module on a split of its task."""
    if isinstance(of, LabelledTexts):
        rows, labels = of.texts[split], of.labels[split]
    else:
        rows, labels = getattr(of, f"{split}_images"), getattr(of, f"{split}_labels")
    return saved_task_child.accuracy(module, module.prepare(rows), labels)
