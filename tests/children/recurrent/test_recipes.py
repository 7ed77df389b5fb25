"""The recipes have the sizes of the paper, and rates by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnas.children.recurrent import recipes
from jaxnas.spaces.recurrent import NASCELL


@pytest.mark.parametrize(
    ("recipe", "millions"),
    [
        (recipes.medium(10_000), 32),
        (recipes.medium(10_000, tied=True), 25),
        (recipes.large(10_000), 54),
        (recipes.characters(50), 16),
    ],
)
def test_parameters_are_those_of_the_paper(recipe, millions):
    shapes = jax.eval_shape(recipe.model.init, jax.random.key(0), jnp.array(NASCELL))
    assert round(sum(leaf.size for leaf in jax.tree.leaves(shapes)) / 1e6) == millions


def test_rates_decay_after_the_constant_epochs():
    make = recipes.medium(10_000).optimizer(epoch_steps=2)
    assert hash(make) == hash(recipes.medium(10_000).optimizer(epoch_steps=2))
    optimizer = make({"learning_rate": jnp.array(0.5)})
    gradient = jnp.array([3.0, 4.0])  # Of norm 5, which is not clipped.
    state, steps = optimizer.init(gradient), []
    for _ in range(16):
        updates, state = optimizer.update(gradient, state, gradient)
        steps.append(float(-optax.tree.norm(updates)) / -5)
    expected = [0.5] * 12 + [0.5 / 1.2] * 2 + [0.5 / 1.2**2] * 2
    np.testing.assert_allclose(steps, expected, rtol=1e-6)
