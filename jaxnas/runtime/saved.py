"""What a folder holds that can be run: a trained child, or a network with its instance policy."""

from __future__ import annotations

import json
import pathlib
from typing import Any

from jaxnas.runtime import (
    saved_child,
    saved_instance,
    saved_language_model,
    saved_population_child,
    saved_task_child,
)
from jaxnas.runtime.errors import RunError
from jaxnas.runtime.saved_child import SavedChild
from jaxnas.runtime.saved_instance import SavedInstance
from jaxnas.runtime.saved_language_model import SavedLanguageModel
from jaxnas.runtime.saved_population_child import SavedPopulationChild
from jaxnas.runtime.saved_task_child import SavedTaskChild

Saved = SavedChild | SavedInstance | SavedPopulationChild | SavedTaskChild | SavedLanguageModel


def find(folder: str | pathlib.Path) -> Saved:
    """The child that a folder holds: a saved child's own, or the best one of a run.

    In a run in which every image has its own architecture, it is the network with its policy.

    Raises:
      RunError: the folder holds neither, or it is a run of several tasks.
    """
    path = pathlib.Path(folder)
    for place in (path, path / saved_instance.FOLDER):
        if (place / saved_instance.INSTANCE).is_file():
            return SavedInstance(place)
    if not (path / saved_child.CHILD).is_file():
        _check_one_task(path)
        path = path / saved_child.CHILDREN / saved_child.outcome_child(path)
    if saved_task_child.is_task_child(path):
        with saved_child.readable(path):
            return SavedTaskChild(path)
    if saved_population_child.is_population_child(path):
        with saved_child.readable(path):
            return SavedPopulationChild(path)
    if saved_language_model.is_language_model(path):
        with saved_child.readable(path):
            return SavedLanguageModel(path)
    return SavedChild(path)


def best_of_tasks(run: pathlib.Path, result: dict[str, Any]) -> dict[str, SavedTaskChild]:
    """The best child of each task of a finished run, whose `result.json` is given."""
    found = {}
    for task, of_task in result["tasks"].items():
        folder = run / saved_child.CHILDREN / of_task["child"]
        with saved_child.readable(folder):
            found[task] = SavedTaskChild(folder)
    return found


def _check_one_task(run: pathlib.Path) -> None:
    """Raises `RunError` for the folder of a run that has a child for each of several tasks."""
    try:
        tasks = json.loads((run / "result.json").read_text()).get("tasks")
    except (OSError, ValueError, AttributeError):
        return
    if tasks:
        folders = [str(run / saved_child.CHILDREN / tasks[task]["child"]) for task in tasks]
        raise RunError(f"{run} has a child for each task: give one of {', '.join(folders)}.")
