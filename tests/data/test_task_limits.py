"""Several tasks of one kind, and how much of their data is used."""

import dataclasses

import numpy as np
import pytest

from jaxnas.data import DataError, load_tasks
from jaxnas.runtime.configs import load_config
from jaxnas.runtime.run_data import load_data


def test_tasks_of_digits():
    tasks = load_tasks("digits", ["digit", "loops"], train=20, validation=10, test=5)
    assert tasks.sizes == {"train": 40, "validation": 20, "test": 10}
    digits = tasks.sets["digit"].train_labels
    loops = np.array([1, 0, 0, 0, 0, 0, 1, 0, 2, 1])[digits]
    np.testing.assert_array_equal(tasks.sets["loops"].train_labels, loops)
    assert tasks.num_classes == 10
    with pytest.raises(DataError, match="task 'odd' is unknown: digits have digit"):
        load_tasks("digits", ["odd"])


def test_limits_hold_for_own_tasks_too():
    own = load_tasks("digits", ["digit", "loops"]).sets
    config = load_config("mnms_digits")
    limited = dataclasses.replace(config.data, train=8, validation=10, test=5)
    # Training rows are limited in the search alone: the final children have them all.
    tasks = load_data(dataclasses.replace(config, data=limited), own)
    assert (tasks.sizes["validation"], tasks.sizes["test"]) == (20, 10)
    assert tasks.smallest("train") == own["digit"].sizes["train"]
