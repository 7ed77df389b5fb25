"""What a folder holds that can be run: a trained child, or a network with its instance policy."""

from __future__ import annotations

import pathlib

from jaxnas.runtime import saved_child, saved_instance, saved_population_child, saved_text_child
from jaxnas.runtime.saved_child import SavedChild
from jaxnas.runtime.saved_instance import SavedInstance
from jaxnas.runtime.saved_population_child import SavedPopulationChild
from jaxnas.runtime.saved_text_child import SavedTextChild

Saved = SavedChild | SavedInstance | SavedPopulationChild | SavedTextChild


def find(folder: str | pathlib.Path) -> Saved:
    """The child that a folder holds: a saved child's own, or the best one of a run.

    In a run in which every image has its own architecture, it is the network with its policy.

    Raises:
      RunError: the folder holds neither.
    """
    path = pathlib.Path(folder)
    for place in (path, path / saved_instance.FOLDER):
        if (place / saved_instance.INSTANCE).is_file():
            return SavedInstance(place)
    if not (path / saved_child.CHILD).is_file():
        path = path / saved_child.CHILDREN / saved_child.outcome_child(path)
    if saved_population_child.is_population_child(path):
        with saved_child.readable(path):
            return SavedPopulationChild(path)
    if saved_text_child.is_text_child(path):
        with saved_child.readable(path):
            return SavedTextChild(path)
    return SavedChild(path)
