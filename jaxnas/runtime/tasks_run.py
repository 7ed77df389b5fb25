"""A search of several tasks from its first batch to its report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxnas.runtime.checkpoint import Checkpoints
from jaxnas.runtime.controller import save_controller
from jaxnas.runtime.files import write_json
from jaxnas.runtime.metrics import MetricsWriter
from jaxnas.runtime.outcome import RESULT, policy_file, select
from jaxnas.runtime.progress import Progress
from jaxnas.runtime.report import write_report
from jaxnas.runtime.run_facts import run_facts, state_digest
from jaxnas.runtime.run_folder import RunFolder
from jaxnas.runtime.tasks_experiment import TasksExperiment
from jaxnas.runtime.tasks_final import TasksFinal, finalists
from jaxnas.runtime.timing import Timing
from jaxnas.spaces import SearchSpace
from jaxnas.tasks_search import TasksSearchState


def run(
    experiment: TasksExperiment,
    folder: RunFolder,
    quiet: bool | None,
    tensorboard: bool,
    command: str,
) -> None:
    """Runs what is not done yet, and writes the result and the report.

    Raises:
      RunError: every child of a task diverged.
    """
    config, timing, dataset = experiment.config, Timing(folder.path), experiment.dataset
    total = experiment.total_steps + len(dataset.names)
    with (
        Progress(total, quiet) as progress,
        MetricsWriter(folder.path, tensorboard=tensorboard) as metrics,
    ):
        names = ", ".join(dataset.names)
        progress.log(f"{config.name} on {names} of {dataset.name}: run folder {folder.path}")
        state = experiment.search(Checkpoints(folder.checkpoints), metrics, progress, timing)
        space = experiment.parts.model.space
        save_controller(folder.path, space, dataset.names, state.searcher.learner)
        children = finalists(experiment, state)
        records = TasksFinal(experiment, folder, children).run(metrics, progress, timing)
        _write(experiment, state, records, folder, command, timing)
        timing.save("report")
        write_report(folder.path)


def _write(
    experiment: TasksExperiment,
    state: TasksSearchState,
    records: list[dict[str, Any]],
    folder: RunFolder,
    command: str,
    timing: Timing,
) -> None:
    """Writes everything that the report is made of."""
    ask, space = experiment.sampler.ask, experiment.parts.model.space
    engine = _Evenly(_ask_evenly(ask, len(experiment.dataset.names)), space)
    policy_file(_Engine(engine), state, experiment.key("policy"), space, folder.path)
    tasks = {name: _of_task(records, name) for name in experiment.dataset.names}
    for of_task in tasks.values():
        next(r for r in records if r["name"] == of_task["child"])["chosen"] = True
    accuracies = [of_task["test_accuracy"] for of_task in tasks.values()]
    result = {
        "name": experiment.config.name,
        "test_accuracy": float(np.mean(accuracies)),
        "tasks": tasks,
        "best_test_accuracies": _accuracies(records, "best"),
        "random_test_accuracies": _accuracies(records, "random"),
        "children": records,
        "state_digest": state_digest(state, records),
        **run_facts(experiment, command, timing),
        "search": {
            "children": experiment.total_steps * experiment.config.search.batch,
            "random_children": experiment.total_steps * experiment.config.search.random,
        },
    }
    write_json(folder.path / RESULT, result)


def _of_task(records: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """What a task's children come to: the best of either arm by validation accuracy."""
    mine = [record for record in records if record["task"] == name]
    best = select([record for record in mine if record["kind"] == "best"])
    random = [record for record in mine if record["kind"] == "random"]
    return {
        "child": best["name"],
        "test_accuracy": best["test_accuracy"],
        "validation_accuracy": best["validation_accuracy"],
        "architecture": best["architecture"],
        "random_test_accuracy": select(random)["test_accuracy"] if random else None,
    }


def _accuracies(records: list[dict[str, Any]], kind: str) -> list[float]:
    return [record["test_accuracy"] for record in records if record["kind"] == kind]


class _Evenly(NamedTuple):
    """A searcher that is asked for all tasks in turn."""

    ask: Callable[..., Any]
    space: SearchSpace


class _Engine(NamedTuple):
    searcher: _Evenly


def _ask_evenly(ask: Callable[..., Any], tasks: int) -> Callable[..., Any]:
    return lambda state, num: ask(state, num, jnp.arange(num, dtype=jnp.int32) % tasks)
