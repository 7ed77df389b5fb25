"""The test accuracies of the children of a search of several tasks."""

from __future__ import annotations

import pathlib
from typing import Any

from jaxnas.data import DataError, Tasks
from jaxnas.runtime import outcome, saved, saved_task_child
from jaxnas.runtime.configs import config_of_run
from jaxnas.runtime.errors import RunError
from jaxnas.runtime.overrides import override
from jaxnas.runtime.run_data import load_config_tasks
from jaxnas.runtime.run_folder import CONFIG, read_config
from jaxnas.runtime.tasks_final import split_accuracy
from jaxnas.tasks_config import TasksConfig


def is_of_tasks(folder: pathlib.Path) -> bool:
    """Whether a folder is of a run of several tasks, or of one of its children."""
    if saved_task_child.is_task_child(folder):
        return True
    try:
        return isinstance(config_of_run(read_config(folder)), TasksConfig)
    except (RunError, ValueError):
        return False


def evaluate(folder: pathlib.Path, source: str | None = None) -> dict[str, Any]:
    """The test accuracy of a task's child, or of the best child of each task of a run.

    Args:
      folder: of the run, or of one of its children.
      source: another data source that has the task; that of the run by default.

    Raises:
      RunError: no finished run, or nothing says what the data are.
      DataError: data that lack the task, or have other classes than the child.
    """
    if saved_task_child.is_task_child(folder):
        child = saved.find(folder)
        assert isinstance(child, saved_task_child.SavedTaskChild)
        task = child.description["task"]
        run = folder.absolute().parent.parent
        return {"task": task, "test_accuracy": _accuracy(child, _tasks(run, source, (task,)))}
    children = saved.best_of_tasks(folder, outcome.read(folder))
    tasks = _tasks(folder, source, tuple(children))
    return {task: _accuracy(child, tasks) for task, child in children.items()}


def _tasks(run: pathlib.Path, source: str | None, names: tuple[str, ...]) -> Tasks:
    if not (run / CONFIG).is_file():
        raise RunError(f"{run} holds no run that says its data: leave the child in its run.")
    config = config_of_run(read_config(run))
    assignments = ["data.tasks=" + ",".join(names)]
    assignments += [] if source is None else [f"data.source={source}"]
    assert isinstance(config, TasksConfig)
    return load_config_tasks(override(config, assignments))


def _accuracy(child: saved_task_child.SavedTaskChild, tasks: Tasks) -> float:
    task, names = child.description["task"], child.description["class_names"]
    of = tasks.sets[task]
    if list(of.class_names) != names:
        raise DataError(
            f"task {task!r} has the classes {list(of.class_names)}, but the child knows {names}."
        )
    return split_accuracy(child.module(), of, "test")
