"""A population of recurrent children learns a text, by the recipe of a cell's last training."""

import dataclasses

import jax
import numpy as np
import pytest

from jaxnas.children.recurrent import LanguageModel, TreeCell, recipes
from jaxnas.data import text_batches
from jaxnas.data.text import text_from_tokens
from jaxnas.evaluators import Population
from jaxnas.spaces.recurrent import make_cell

pytestmark = pytest.mark.usefixtures("quick_compilation")


def test_children_learn_and_one_that_ignores_its_input_does_not():
    text = text_from_tokens(
        {split: list("abcd" * 100) for split in ("train", "validation", "test")},
        name="letters",
        level="character",
    )
    batches, data = text_batches(text, batch_size=2, steps=8, score_steps=3)
    model = LanguageModel(4, 8, TreeCell(2), init_scale=0.5)
    recipe = dataclasses.replace(recipes.medium(4), model=model, constant_epochs=4)
    population = Population(model, batches, recipe.optimizer(batches.epoch_steps))
    learns = make_cell(
        "add tanh, add sigmoid, add tanh", inject="add tanh", inject_node=0, cell_node=0
    )
    # The squares of h and c, which start at 0, stay 0 whatever the input is.
    ignores = make_cell(
        "elem_mult identity, elem_mult identity, elem_mult identity",
        inject="elem_mult identity",
        inject_node=0,
        cell_node=0,
    )
    keys = jax.random.split(jax.random.key(0), 2)
    rates = {"learning_rate": np.full(2, 2.0, np.float32)}
    state = population.init(keys, np.array([learns, ignores], np.int32), rates)
    state = population.run(state, data, epochs=4)
    perplexities = -np.asarray(state.value)
    assert perplexities[0] < 1.5
    assert 3.5 < perplexities[1] < 4.5
