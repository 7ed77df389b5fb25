"""Architectures as integers; the battery of all spaces holds the round trips."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_spaces import branching_space, everything, loop_space

from jaxnas.spaces import SpaceError, chain, enas_macro, rank, unrank


def test_ranks_of_a_chain_are_numbers_in_its_base():
    space = chain(30, tuple("0123456789"))
    digits = np.random.default_rng(0).integers(0, 10, 30)
    number = int("".join(map(str, digits)))
    assert space.rank(digits) == number
    np.testing.assert_array_equal(space.unrank(number), digits)


def test_the_last_architecture_of_a_large_space():
    space = enas_macro()
    last = space.unrank(space.count() - 1)
    assert space.rank(last) == 6**12 * 2**66 - 1
    assert set(last[last > 1]) == {5}


def test_works_under_jit_and_vmap():
    space = loop_space()
    positions = jnp.arange(14).reshape(2, 7)
    together = jax.jit(jax.vmap(lambda p: unrank(space, p)))(positions)
    np.testing.assert_array_equal(together.reshape(14, -1), everything(space))
    again = jax.jit(jax.vmap(lambda a: rank(space, a)))(together)
    np.testing.assert_array_equal(again, positions)


def test_all_architectures_are_those_of_enumerate():
    np.testing.assert_array_equal(
        branching_space().all_architectures(), everything(branching_space())
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: enas_macro().all_architectures(), r"1\.606e\+29 architectures, more than 1000000"),
        (lambda: loop_space().all_architectures(most=13), "14 architectures, more than 13"),
        (lambda: chain(500).all_architectures(), r"3\.055e\+349 architectures, more than"),
        (lambda: rank(chain(500), np.zeros((1, 500), int)), r"3\.055e\+349.*too many for int32"),
        (lambda: rank(enas_macro(), np.zeros((1, 78), int)), "too many for int32"),
        (lambda: unrank(enas_macro(), [0]), "too many for int32"),
        (lambda: loop_space().unrank(14), "no architecture 14 in space 'loop': it has 14"),
        (lambda: loop_space().unrank(-1), "no architecture -1"),
        (lambda: loop_space().rank(everything(loop_space())), r"rank takes one architecture"),
        (lambda: loop_space().rank([5, 0, -1, -1, -1, -1]), "does not fit"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(SpaceError, match=message):
        make()
