"""The data of a run: what its configuration names, or a user's own arrays."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from typing import Any

import numpy as np

from jaxnas import data as data_room
from jaxnas.config import Config
from jaxnas.data import DataError, Dataset, Tasks, Text, load_tasks, tasks_of
from jaxnas.instance.config import InstanceConfig
from jaxnas.population_config import PopulationConfig
from jaxnas.runtime.errors import RunError
from jaxnas.runtime.kinds import AnyConfig, Given
from jaxnas.runtime.run_folder import read_config
from jaxnas.tasks_config import TasksConfig
from jaxnas.text_population_config import TextPopulationConfig

DIGEST = "data_digest"
"""The key of the data's digest in `config.json`."""

ARRAYS = "arrays"
"""The data source in the configuration of a run on arrays that its caller gave."""


def with_own_data(config: Given, data: Any) -> Given:
    """The configuration of a run on `data`, if any: it names no source that it did not use."""
    if data is None:
        return config
    changes: dict[str, Any] = {"source": ARRAYS}
    if isinstance(config, TasksConfig):
        changes["tasks"] = tasks_of(data).names
    own: Any = dataclasses.replace(config.data, **changes)
    return dataclasses.replace(config, data=own)


def load_data(config: AnyConfig, data: Any = None) -> Dataset | Tasks | Text:
    """The data of an experiment; takes what `load_dataset` takes.

    For several tasks `data` is a mapping of their names to a `Dataset` or `LabelledTexts`; for
    language models it is a `Text`.
    """
    if isinstance(config, TasksConfig):
        return load_config_tasks(config, data)
    if isinstance(config, TextPopulationConfig):
        return load_config_text(config, data)
    return load_dataset(config, data)


def load_dataset(config: Config | InstanceConfig | PopulationConfig, data: Any = None) -> Dataset:
    """The data set of an experiment.

    Args:
      config: names it, and how much of it is used.
      data: a user's own arrays or `Dataset` in its place.

    Raises:
      DataError: data that cannot be read or used.
    """
    fraction = config.data.validation_fraction
    options: dict[str, Any] = {} if fraction is None else {"validation": fraction}
    if data is None and config.data.source == ARRAYS:
        raise DataError("the run is on arrays of its caller: pass the same ones as data=...")
    if data is None:
        dataset = data_room.load(config.data.source, **options)
    else:
        dataset = data if isinstance(data, Dataset) else data_room.from_data(data, **options)
    return dataset.take(config.data.train, config.data.validation, config.data.test)


def load_config_tasks(config: TasksConfig, data: Any = None) -> Tasks:
    """The tasks of an experiment.

    Raises:
      DataError: data that cannot be read or used.
    """
    # Training rows are limited in the search alone.
    limits = {"validation": config.data.validation, "test": config.data.test}
    if data is not None:
        return tasks_of(data).take(**limits)
    if config.data.source == ARRAYS:
        raise DataError("the run is on data of its caller: pass the same as data=...")
    names, empty = config.data.tasks, config.data.drop_empty
    return load_tasks(config.data.source, names, drop_empty=empty, **limits)


def load_config_text(config: TextPopulationConfig, text: Any = None) -> Text:
    """The text that a configuration names, or a caller's own in its place.

    Raises:
      DataError: a text that cannot be read or used.
    """
    if text is None and config.data.source == ARRAYS:
        raise DataError("the run is on a text of its caller: pass the same one as data=...")
    if text is None:
        options = config.data
        return data_room.load_text(
            options.source, level=options.level, vocabulary=options.vocabulary
        )
    if not isinstance(text, Text):
        raise DataError(f"data is {type(text).__name__}: recurrent cells read a jaxnas.data.Text.")
    return text


def data_digest(dataset: Dataset | Tasks | Text) -> str:
    """SHA-256 of all data and labels, so that no run is resumed on other data."""
    sha = hashlib.sha256()
    for part in dataset.arrays():
        array = np.ascontiguousarray(part)
        sha.update(f"{array.dtype}{array.shape}".encode())
        sha.update(array.tobytes())
    return sha.hexdigest()


def check_same_data(run_dir: str | os.PathLike[str], dataset: Dataset | Tasks | Text) -> None:
    """Raises `RunError` where a run that is to go on had other data."""
    stored = read_config(run_dir).get(DIGEST)
    if stored != data_digest(dataset):
        raise RunError(
            f"{run_dir} holds a run on other data than {dataset.name!r} is now: go on with the "
            "data that it was started with, or start another run with another --run-dir."
        )
