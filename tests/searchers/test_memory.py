"""The memory of evaluated architectures."""

import jax.numpy as jnp
import numpy as np
from small_spaces import everything

from jaxnas.searchers import memory
from jaxnas.spaces import chain

ALL = jnp.asarray(everything(chain(3, ("a", "b"))))


def test_new_ones_come_first_and_keep_their_order():
    known = memory.remember(memory.new_memory(8), ALL[jnp.array([0, 3])])
    candidates = ALL[jnp.array([3, 5, 0, 5, 1])]
    chosen = memory.new_ones_first(known, candidates, 4)
    # 5 and 1 are new; then those known or repeated, as they come.
    np.testing.assert_array_equal(chosen, ALL[jnp.array([5, 1, 3, 0])])


def test_the_oldest_are_forgotten():
    kept = memory.remember(memory.new_memory(2), ALL[:1])
    kept = memory.remember(kept, ALL[1:3])
    np.testing.assert_array_equal(memory.new_ones_first(kept, ALL[:3], 1), ALL[:1])
    more = memory.remember(memory.new_memory(2), ALL[:5])
    np.testing.assert_array_equal(
        memory.new_ones_first(more, ALL[:5], 5), ALL[jnp.array([0, 1, 2, 3, 4])]
    )


def test_an_empty_memory_knows_nothing():
    empty = memory.new_memory(4)
    np.testing.assert_array_equal(memory.new_ones_first(empty, ALL[:3], 3), ALL[:3])
    none = memory.remember(memory.new_memory(0), ALL)
    np.testing.assert_array_equal(memory.new_ones_first(none, ALL[:3], 3), ALL[:3])


def test_padding_and_order_matter_to_the_hash():
    walks = jnp.array([[0, -1, -1], [0, 0, -1], [-1, 0, -1], [0, 1, 2], [2, 1, 0], [1, 0, 2]])
    kept = memory.remember(memory.new_memory(8), walks)
    assert len(set(np.asarray(kept.hashes[:6]).tolist())) == 6
    # 5^6 architectures: some 0.03 collisions are expected of a good 32-bit hash.
    every = memory.remember(memory.new_memory(15625), everything(chain(6)))
    assert len(np.unique(every.hashes)) >= 15624
