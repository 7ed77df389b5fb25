"""Children of several training lengths are trained as each would be alone."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from tiny_children import TinyBatches, TinyChildren, tiny_data

from jaxnas.evaluators import Population, run_lengths

pytestmark = pytest.mark.usefixtures("exact")

POPULATION = Population(
    TinyChildren(), TinyBatches(), lambda h: optax.sgd(h["rate"]), layout="one_by_one"
)


def population():
    keys = jax.random.split(jax.random.key(0), 3)
    # The second one diverges in its first epoch.
    architectures = np.array([[0, 1], [2, 0], [0, 0]])
    return POPULATION.init(keys, architectures, {"rate": jnp.full(3, 0.05)})


def test_each_child_is_trained_for_its_own_length():
    data, first = tiny_data(), population()
    state = run_lengths(POPULATION, first, data, [3, 1, 1])
    for length, children in ((3, [0]), (1, [1, 2])):
        alone = POPULATION.run(first, data, length)
        for child in children:
            np.testing.assert_array_equal(state.value[child], alone.value[child])
            for ours, theirs in zip(
                *map(jax.tree.leaves, (state.parameters, alone.parameters)), strict=True
            ):
                np.testing.assert_array_equal(ours[child], theirs[child])
    assert state.epoch.tolist()[::2] == [3, 1]
    assert state.active.tolist() == [True, False, True]
    assert np.isneginf(state.value[1])


def test_bad_lengths_are_named():
    with pytest.raises(ValueError, match=r"'epochs' is \[1, 0, 2\] for 3 children"):
        run_lengths(POPULATION, population(), tiny_data(), [1, 0, 2])
    with pytest.raises(ValueError, match=r"'epochs' is \[1\] for 3 children"):
        run_lengths(POPULATION, population(), tiny_data(), [1])
    with pytest.raises(ValueError, match=r"\[1.0, 2.7, 2.0\] .*: give one whole number"):
        run_lengths(POPULATION, population(), tiny_data(), [1.0, 2.7, 2.0])
