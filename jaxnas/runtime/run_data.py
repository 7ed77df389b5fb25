"""The data of a run: what its configuration names, or a user's own arrays."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from jaxnas import data as data_room
from jaxnas.config import Config
from jaxnas.data import Dataset


def load_dataset(config: Config, data: Any = None) -> Dataset:
    """The data set of an experiment.

    Args:
      config: names it, and how much of it is used.
      data: a user's own arrays or `Dataset` in its place.

    Raises:
      DataError: data that cannot be read or used.
    """
    fraction = config.data.validation_fraction
    options: dict[str, Any] = {} if fraction is None else {"validation": fraction}
    if data is None:
        dataset = data_room.load(config.data.source, **options)
    else:
        dataset = data if isinstance(data, Dataset) else data_room.from_data(data, **options)
    return dataset.take(config.data.train, config.data.validation, config.data.test)


def data_digest(dataset: Dataset) -> str:
    """SHA-256 of all images and labels, so that no run is resumed on other data."""
    sha = hashlib.sha256()
    for split in ("train", "validation", "test"):
        for part in ("images", "labels"):
            sha.update(np.ascontiguousarray(getattr(dataset, f"{split}_{part}")).data)
    return sha.hexdigest()
