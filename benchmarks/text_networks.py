"""Small text classifiers whose accuracies on eight tasks are tabled.

`make_text_table.py` trains all of them on every task; `mnms.py` searches in the table. The space is
a part of `jaxnas.spaces.text` that is small enough to be tabled whole. A second table is of tasks
that conflict.
"""

from __future__ import annotations

import json
import pathlib
from typing import Any, NamedTuple

import numpy as np

from jaxnas.spaces import SearchSpace
from jaxnas.spaces.text import TextOptions

_TABLES = pathlib.Path(__file__).resolve().parent / "tables"
TABLE, CONFLICTING_TABLE = _TABLES / "text_networks.npz", _TABLES / "conflicting_text_networks.npz"

TASKS = ("mr", "sst2", "sst5", "subj", "cr", "mpqa", "trec", "sms_spam")
LEAKING = frozenset({"mr", "sst2", "sst5"})
"""The sentences of SST come from MR: none of these is ever used to pretrain for another."""

FEW, MANY = 50, 2000
CONFLICTING = tuple(
    f"{task}:{n}" for task in ("trec", "subj", "mpqa", "sms_spam") for n in (FEW, MANY)
)
"""Four sets with few and with many training texts: what is best for one size is bad for the other.

Of `TASKS`, all of one size, the same networks are good for all: their accuracies rank them alike.
"""

OPTIONS = TextOptions(
    embeddings=("scratch-8", "scratch-32"),
    lowercase=("no", "yes"),
    strip=("no",),
    convolution=("no", "yes"),
    ngrams=("3",),
    filters=("32",),
    conv_activations=("relu",),
    conv_normalizations=("none",),
    conv_dropouts=("0",),
    embedding_dropouts=("0",),
    layers=("0", "1", "2"),
    widths=("32",),
    activations=("relu",),
    normalizations=("none",),
    dropouts=("0", "0.4"),
    deep_rates=("0.01", "0.1", "0.5"),
    deep_regularizations=("0",),
    wide=("no", "yes"),
    wide_rates=("0.5",),
    wide_regularizations=("0",),
    epochs=("2", "8"),
)

TRAIN, LENGTH, VOCABULARY, PAIRS, CLASSES = 2000, 32, 4096, 4096, 6
"""Training texts, tokens of each, numbers for words and for pairs, and the most classes."""
BATCH, SCORE_BATCH = 50, 100
SCORE_SIZES = {"validation": 1200, "test": 2300}
"""Rows that are scored of each split, filled up, so that all tasks share one program."""
CONFLICTING_SIZES = {"validation": 2300, "test": 2300}
"""The same of the conflicting tasks, which are validated on spare training texts too."""


def space() -> SearchSpace:
    """The space of 576 networks with their training."""
    return OPTIONS.space


class Table(NamedTuple):
    """What became of all networks on all tasks, for `T` tasks and `N` architectures.

    Attributes:
      tasks: their names.
      validation: accuracies `float64 [T, N]` in the order of `space().enumerate()`.
      test: the same.
      about: how it was made.
    """

    tasks: tuple[str, ...]
    validation: np.ndarray
    test: np.ndarray
    about: dict[str, Any]


def load_table(path: str | pathlib.Path = TABLE) -> Table:
    """Reads a table.

    Raises:
      SystemExit: there is none, or it is of another space.
    """
    if not pathlib.Path(path).is_file():
        raise SystemExit(f"there is no table {path}: run benchmarks/make_text_table.py.")
    with np.load(path) as file:
        about, right, sizes = json.loads(str(file["about"])), file["right"], file["sizes"]
    if about["space"] != space().to_json() or right.shape[1] != space().count():
        raise SystemExit(f"{path} is of another space: run benchmarks/make_text_table.py.")
    accuracy = right / sizes[:, None, :]
    return Table(tuple(about["tasks"]), accuracy[..., 0], accuracy[..., 1], about)
