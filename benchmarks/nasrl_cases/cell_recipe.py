"""Recurrent cells on a small text: the space that is trained in full, and how a cell is trained."""

from __future__ import annotations

import json
import pathlib
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

from jaxnas.children.recurrent import LanguageModel, TreeCell
from jaxnas.children.recurrent.language_model import Cell
from jaxnas.data import Text, TextBatches, load_text, text_batches
from jaxnas.evaluators.population import Population, PopulationState
from jaxnas.spaces import SearchSpace, recurrent

BASE = 2
FIXED = {"inject/combination": 0, "inject/activation": 1, "inject/node": 0}
"""`c_{t-1}` is added to the first leaf, and a tanh follows; all else is searched."""
SEARCHED = TreeCell(BASE)
TABLE = pathlib.Path(__file__).resolve().parents[1] / "tables" / "nasrl_cells.npz"


class Recipe(NamedTuple):
    """How every cell is trained: characters, Adam with clipped gradients, one epoch.

    Attributes:
      hidden: units.
      batch_size: streams of text.
      steps: characters of a segment.
      updates: training steps.
      score_steps: segments of validation, from its start, in as many streams as in training.
      learning_rate: of Adam.
      clip: the largest global norm of a gradient.
    """

    hidden: int = 32
    batch_size: int = 20
    steps: int = 35
    updates: int = 300
    score_steps: int = 30
    learning_rate: float = 1e-2
    clip: float = 1.0


def space() -> SearchSpace:
    """All cells of base 2 whose `c_{t-1}` goes where `FIXED` says: 8^3 * 3 = 1,536."""
    decisions = recurrent(BASE).decisions
    return SearchSpace("nasrl_cells", tuple(d for d in decisions if d.name not in FIXED))


def to_cells(architectures: Any) -> np.ndarray:
    """Architectures `[N, T]` of `space()` as those of `recurrent(2)`."""
    free = iter(np.asarray(architectures, np.int32).T)
    columns = [
        np.full(len(architectures), FIXED[d.name], np.int32) if d.name in FIXED else next(free)
        for d in recurrent(BASE).decisions
    ]
    return np.stack(columns, axis=1)


def make_optimizer(hyperparameters: Any) -> optax.GradientTransformation:
    """Adam with the gradient's global norm clipped."""
    return optax.chain(
        optax.clip_by_global_norm(hyperparameters["clip"]),
        optax.adam(hyperparameters["learning_rate"]),
    )


def characters(source: str) -> Text:
    """A text by character; Penn Treebank has 50 kinds."""
    return load_text(source, level="character")


def make_population(
    text: Text, recipe: Recipe, cell: Cell = SEARCHED, split: str = "validation"
) -> tuple[Population, Any]:
    """The trainer of a recipe's children, and the data that it wants."""
    batches: TextBatches
    batches, data = text_batches(
        text,
        batch_size=recipe.batch_size,
        steps=recipe.steps,
        epoch_steps=recipe.updates,
        score_steps=recipe.score_steps,
        score_split=split,
    )
    model = LanguageModel(len(text.vocabulary), recipe.hidden, cell)
    return Population(model, batches, make_optimizer), data


def train(
    population: Population,
    data: Any,
    architectures: Any,
    recipe: Recipe,
    seeds: Any,
    rates: Any = None,
) -> PopulationState:
    """Trains `N` cells; minus their values are perplexities, infinite where one diverged.

    Args:
      population: the trainer.
      data: what it trains on.
      architectures: `[N, T]`, of the model's space.
      recipe: as the population was made with.
      seeds: `[N]` ints, of weights and of the order of segments.
      rates: learning rates `[N]`; the recipe's by default.
    """
    number = len(architectures)
    keys = jax.vmap(jax.random.key)(np.asarray(seeds, np.uint32))
    rates = np.full(number, recipe.learning_rate) if rates is None else rates
    hyperparameters = {
        "learning_rate": np.asarray(rates, np.float32),
        "clip": np.full(number, recipe.clip, np.float32),
    }
    state = population.init(keys, architectures, hyperparameters)
    return population.run(state, data, epochs=1, scored=1)


def read_table() -> tuple[np.ndarray, dict[str, Any]]:
    """The perplexity of every cell, in the order of the space, and how the table was made.

    Raises:
      SystemExit: there is no table, or not of the whole space.
    """
    if not TABLE.exists():
        raise SystemExit("there is no table: run benchmarks/make_nasrl_cell_table.py.")
    with np.load(TABLE) as file:
        about, perplexity = json.loads(str(file["about"])), file["perplexity"]
    if about["space"] != space().to_json() or len(perplexity) != space().count():
        raise SystemExit("the table is of other cells: run benchmarks/make_nasrl_cell_table.py.")
    return perplexity, about
