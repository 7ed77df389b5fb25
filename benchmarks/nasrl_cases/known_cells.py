"""Cells side by side: NASCell, an LSTM, a GRU and others at equal parameters, in one recipe."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from curves import mean_interval

from jaxnas.children.recurrent import GatedCell, LanguageModel, TreeCell
from jaxnas.children.recurrent.language_model import Cell
from jaxnas.data import Text
from jaxnas.spaces.recurrent import NASCELL
from nasrl_cases import cell_recipe as recipes

RATES = (2e-3, 5e-3, 1e-2)
SEEDS = 3
HIDDEN = 64
"""Units of NASCell; the others have those at which they have as many parameters."""


class Contender(NamedTuple):
    """A cell and its architecture."""

    cell: Cell
    architecture: tuple[int, ...]


def contenders(found: Any = None) -> dict[str, Contender]:
    """The cells by name, with the one that a search found, `[T]` of base 2, if there is one."""
    cells = {
        "NASCell": Contender(TreeCell(8), NASCELL),
        "LSTM": Contender(GatedCell("lstm"), (0,)),
        "GRU": Contender(GatedCell("gru"), (0,)),
    }
    if found is not None:
        cells["found"] = Contender(recipes.SEARCHED, tuple(int(a) for a in found))
    return cells


def parameters(cell: Cell, hidden: int, vocabulary: int) -> int:
    """The parameters of a language model of one layer."""
    model = LanguageModel(vocabulary, hidden, cell)
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros(cell.space.max_length, int))
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))


def equal_hidden(cell: Cell, budget: int, vocabulary: int) -> int:
    """The hidden units at which a cell's model has nearest to `budget` parameters."""
    size = functools.partial(parameters, cell, vocabulary=vocabulary)
    hidden = next(h for h in range(1, budget) if size(h) >= budget)
    return min((hidden - 1 or 1, hidden), key=lambda h: abs(size(h) - budget))


def measure(text: Text, contender: Contender, recipe: recipes.Recipe, seeds: int) -> dict[str, Any]:
    """Trains a cell with every rate and seed; the row of the rate that is best on validation."""
    number = len(RATES) * seeds
    population, data = recipes.make_population(text, recipe, contender.cell)
    state = recipes.train(
        population,
        data,
        np.tile(np.array(contender.architecture, np.int32), (number, 1)),
        recipe,
        seeds=np.tile(np.arange(seeds), len(RATES)),
        rates=np.repeat(RATES, seeds),
    )
    validation = -np.asarray(state.value).reshape(len(RATES), seeds)
    best = int(validation.mean(1).argmin())
    tester, test_data = recipes.make_population(text, recipe, contender.cell, split="test")
    test = -np.asarray(tester.score(state, test_data)).reshape(len(RATES), seeds)
    return {
        "hidden": recipe.hidden,
        "parameters": parameters(contender.cell, recipe.hidden, len(text.vocabulary)),
        "learning_rate": RATES[best],
        "validation_perplexity": mean_interval(validation[best]),
        "test_perplexity": mean_interval(test[best]),
        "test_bits_per_character": mean_interval(np.log2(test[best])),
    }


def measure_all(text: Text, found: Any, recipe: recipes.Recipe, seeds: int) -> list[dict[str, Any]]:
    """The rows of all cells."""
    vocabulary = len(text.vocabulary)
    budget = parameters(TreeCell(8), recipe.hidden, vocabulary)
    rows = []
    for name, contender in contenders(found).items():
        hidden = equal_hidden(contender.cell, budget, vocabulary)
        row = measure(text, contender, recipe._replace(hidden=hidden), seeds)
        rows.append({"part": "cells", "cell": name} | row)
        print(rows[-1], flush=True)
    return rows
