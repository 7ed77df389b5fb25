"""The data of a run: what its configuration names, or a user's own arrays."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from typing import Any

import numpy as np

from jaxnas import data as data_room
from jaxnas.data import DataError, Dataset, Text
from jaxnas.runtime.errors import RunError
from jaxnas.runtime.kinds import AnyConfig, Given
from jaxnas.runtime.run_folder import read_config
from jaxnas.text_population_config import TextPopulationConfig

DIGEST = "data_digest"
"""The key of the data's digest in `config.json`."""

ARRAYS = "arrays"
"""The data source in the configuration of a run on arrays that its caller gave."""


def with_own_data(config: Given, data: Any) -> Given:
    """The configuration of a run on `data`, if any: it names no source that it did not use."""
    if data is None:
        return config
    own: Any = dataclasses.replace(config.data, source=ARRAYS)
    return dataclasses.replace(config, data=own)


def load_dataset(config: AnyConfig, data: Any = None) -> Any:
    """The data set of an experiment: a `Dataset`, or a `Text` where children read text.

    Args:
      config: names it, and how much of it is used.
      data: a user's own arrays or `Dataset` in its place.

    Raises:
      DataError: data that cannot be read or used.
    """
    if isinstance(config, TextPopulationConfig):
        return _load_text(config, data)
    fraction = config.data.validation_fraction
    options: dict[str, Any] = {} if fraction is None else {"validation": fraction}
    if data is None and config.data.source == ARRAYS:
        raise DataError("the run is on arrays of its caller: pass the same ones as data=...")
    if data is None:
        dataset = data_room.load(config.data.source, **options)
    else:
        dataset = data if isinstance(data, Dataset) else data_room.from_data(data, **options)
    return dataset.take(config.data.train, config.data.validation, config.data.test)


def _load_text(config: TextPopulationConfig, text: Any) -> Text:
    """The text that a configuration names, or a caller's own in its place."""
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


def data_digest(dataset: Dataset | Text) -> str:
    """SHA-256 of all images and labels, or all tokens, so that no run goes on with other data."""
    sha = hashlib.sha256()
    if isinstance(dataset, Text):
        sha.update("\0".join(dataset.vocabulary).encode())
    for split in ("train", "validation", "test"):
        parts = ("",) if isinstance(dataset, Text) else ("_images", "_labels")
        for part in parts:
            array = np.ascontiguousarray(getattr(dataset, split + part))
            sha.update(f"{array.dtype}{array.shape}".encode())
            sha.update(array.data)
    return sha.hexdigest()


def check_same_data(run_dir: str | os.PathLike[str], dataset: Dataset | Text) -> None:
    """Raises `RunError` where a run that is to go on had other data."""
    stored = read_config(run_dir).get(DIGEST)
    if stored != data_digest(dataset):
        raise RunError(
            f"{run_dir} holds a run on other data than {dataset.name!r} is now: go on with the "
            "data that it was started with, or start another run with another --run-dir."
        )
