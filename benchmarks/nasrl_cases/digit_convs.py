"""Convolutional children for the digits, all of a small space of NAS-RL, and their training.

`make_nasrl_conv_table.py` trains all of them; `nasrl.py` searches in the table.
"""

from __future__ import annotations

import functools
import json
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnas.children import NasRLConv, nasrl_conv
from jaxnas.data import Dataset, load
from jaxnas.engine import DeviceData, Split, device_data
from jaxnas.evaluators import ImageBatches, Population

TABLE = pathlib.Path(__file__).resolve().parents[1] / "tables" / "nasrl_conv.npz"

LAYERS, SIZES, FILTERS = 3, (1, 3), (4, 16)
BATCH, EPOCHS, SCORED = 50, 5, 2
LEARNING_RATE, MOMENTUM, WEIGHT_DECAY = 0.1, 0.9, 1e-4
COLUMNS = ("validation", "final_validation", "test")
"""The right answers of a child: the best of the scored epochs, and those of the last one."""


def children(layers: int = LAYERS) -> NasRLConv:
    """All children of `(2 * 2 * 2)^L 2^(L (L - 1) / 2)` architectures; 4,096 of three layers."""
    return nasrl_conv(
        (8, 8, 1), 10, layers=layers, heights=SIZES, widths=SIZES, filters=FILTERS, most_classes=8
    )


def make_optimizer(numbers: dict[str, Any]) -> optax.GradientTransformation:
    """Nesterov momentum with weight decay, as in the paper."""
    decay = optax.add_decayed_weights(WEIGHT_DECAY)
    return optax.chain(decay, optax.sgd(numbers["learning_rate"], MOMENTUM, nesterov=True))


def population(dataset: Dataset, model: NasRLConv, **options: Any) -> Population:
    """Trains children of a model on the digits."""
    sizes = dataset.sizes
    batches = ImageBatches(sizes["train"], sizes["validation"], BATCH)
    return Population(model, batches, make_optimizer, **options)


def on_test(dataset: Dataset, trained: Population) -> tuple[Population, DeviceData]:
    """The same population, and data, for scoring on the test split."""
    data = device_data(dataset)
    test = Split(jnp.asarray(dataset.test_images), jnp.asarray(dataset.test_labels))
    batches = ImageBatches(dataset.sizes["train"], len(test.labels), BATCH)
    scorer = Population(trained.model, batches, trained.make_optimizer, trained.layout)
    return scorer, data._replace(validation=test)


def child_keys(positions: np.ndarray) -> jax.Array:
    """The key of each child, from its position in the space alone."""
    return jax.vmap(functools.partial(jax.random.fold_in, jax.random.key(0)))(
        jnp.asarray(positions)
    )


def rates(number: int) -> dict[str, np.ndarray]:
    """The hyperparameters of so many children."""
    return {"learning_rate": np.full(number, LEARNING_RATE, np.float32)}


def digits() -> Dataset:
    """The data."""
    return load("digits")


def read_table(path: str | pathlib.Path = TABLE) -> tuple[np.ndarray, dict[str, Any]]:
    """The accuracies `[count, 3]` of the whole space by `COLUMNS`, and how they were made.

    Raises:
      SystemExit: there is no table, or it is of another space or not of the whole one.
    """
    if not pathlib.Path(path).is_file():
        raise SystemExit(f"there is no table {path}: run benchmarks/make_nasrl_conv_table.py.")
    with np.load(path) as file:
        about, right = json.loads(str(file["about"])), file["right"]
    space = children().space
    if about["space"] != space.to_json() or len(right) != space.count():
        raise SystemExit("the table is of another space: run benchmarks/make_nasrl_conv_table.py.")
    return right / np.array(about["images"]), about
