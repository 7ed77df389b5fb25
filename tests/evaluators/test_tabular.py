"""Rewards from tables and functions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_spaces import all_spaces, everything, loop_space

from jaxnas.evaluators import rank, tabular
from jaxnas.spaces import Decision, SearchSpace, enas_macro

MIXED = SearchSpace(
    "mixed", (Decision("x", ("a", "b")), Decision("y", ("a", "b", "c")), Decision("z", ("a",)))
)


@pytest.mark.parametrize("space", all_spaces(), ids=lambda s: s.name)
def test_rank_is_the_position_in_enumeration(space):
    np.testing.assert_array_equal(rank(space, everything(space)), np.arange(space.count()))


def test_tables_of_both_shapes_by_hand():
    table = np.arange(6.0).reshape(2, 3, 1)
    for source in (table, table.reshape(-1), table.tolist()):
        evaluate = tabular(MIXED, source)
        rewards = evaluate([[0, 0, 0], [0, 2, 0], [1, 1, 0]])
        np.testing.assert_array_equal(rewards, [0, 2, 4])
        assert rewards.dtype == jnp.float32


def test_a_table_of_a_loop_space_has_one_entry_per_architecture():
    space = loop_space()
    evaluate = tabular(space, np.arange(14))
    np.testing.assert_array_equal(evaluate(everything(space)[[3, 13]]), [3, 13])


def test_works_under_jit_and_vmap():
    evaluate = tabular(MIXED, np.arange(6.0))
    batches = jnp.asarray(everything(MIXED)).reshape(2, 3, 3)
    np.testing.assert_array_equal(jax.jit(jax.vmap(evaluate))(batches), [[0, 1, 2], [3, 4, 5]])


def test_functions_in_python_and_jax():
    in_python = tabular(MIXED, lambda architectures: [float(a[0]) for a in architectures])
    in_jax = tabular(MIXED, lambda architectures: architectures.sum(-1))
    architectures = jnp.array([[1, 2, 0], [0, 1, 0]])
    np.testing.assert_array_equal(in_python(architectures), [1, 0])
    np.testing.assert_array_equal(jax.jit(in_jax)(architectures), [3, 1])
    assert in_python(architectures).dtype == in_jax(architectures).dtype == jnp.float32


def test_wrong_sizes_are_named():
    with pytest.raises(ValueError, match=r"must have shape \[6\] or \[2, 3, 1\], not \[3, 2\]"):
        tabular(MIXED, np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"must have shape \[14\], not \[15\]"):
        tabular(loop_space(), np.zeros(15))
    with pytest.raises(ValueError, match=r"returned shape \[1\] for 2 architectures"):
        tabular(MIXED, lambda a: [0.0])(np.zeros((2, 3), int))
    with pytest.raises(ValueError, match="action 3 at step 1, where there are 0 to 2"):
        tabular(MIXED, np.zeros(6))([[0, 2, 0], [0, 3, 0]])
    with pytest.raises(ValueError, match="too many"):
        rank(enas_macro(), enas_macro().sample(jax.random.key(0), 1))
