"""Small text classifiers whose accuracies on eight tasks are tabled.

`make_text_table.py` trains all of them on every task; `mnms.py` searches in the table. The space is
a part of `jaxnas.spaces.text` that is small enough to be tabled whole.
"""

from __future__ import annotations

import json
import pathlib
from typing import Any, NamedTuple

import numpy as np

from jaxnas.spaces import SearchSpace
from jaxnas.spaces.text import TextOptions

TABLE = pathlib.Path(__file__).resolve().parent / "tables" / "text_networks.npz"

TASKS = ("mr", "sst2", "sst5", "subj", "cr", "mpqa", "trec", "sms_spam")
LEAKING = frozenset({"mr", "sst2", "sst5"})
"""The sentences of SST come from MR: none of these is ever used to pretrain for another."""

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
    """Reads the table.

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
