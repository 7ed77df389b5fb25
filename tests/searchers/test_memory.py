"""The memory of evaluated architectures."""

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import norm
from small_spaces import everything

from jaxnas.searchers import memory
from jaxnas.spaces import chain

SPACE = chain(3, ("a", "b"))
ALL = jnp.asarray(everything(SPACE))


def new_memory(size, space=SPACE):
    return memory.new_memory(space, size)


def remember(kept, architectures, rewards=None):
    zeros = jnp.zeros(len(architectures))
    return memory.remember(kept, architectures, zeros if rewards is None else jnp.asarray(rewards))


def test_new_ones_come_first_and_keep_their_order():
    known = remember(new_memory(8), ALL[jnp.array([0, 3])])
    candidates = ALL[jnp.array([3, 5, 0, 5, 1])]
    chosen = memory.new_ones_first(known, candidates, 4)
    # 5 and 1 are new; then those known or repeated, as they come.
    np.testing.assert_array_equal(chosen, ALL[jnp.array([5, 1, 3, 0])])


def test_the_oldest_are_forgotten():
    kept = remember(new_memory(2), ALL[:1])
    kept = remember(kept, ALL[1:3])
    np.testing.assert_array_equal(memory.new_ones_first(kept, ALL[:3], 1), ALL[:1])
    more = remember(new_memory(2), ALL[:5])
    np.testing.assert_array_equal(
        memory.new_ones_first(more, ALL[:5], 5), ALL[jnp.array([0, 1, 2, 3, 4])]
    )


def test_an_empty_memory_knows_nothing():
    empty = new_memory(4)
    np.testing.assert_array_equal(memory.new_ones_first(empty, ALL[:3], 3), ALL[:3])
    none = remember(new_memory(0), ALL)
    np.testing.assert_array_equal(memory.new_ones_first(none, ALL[:3], 3), ALL[:3])


def test_padding_and_order_matter_to_the_hash():
    walks = jnp.array([[0, -1, -1], [0, 0, -1], [-1, 0, -1], [0, 1, 2], [2, 1, 0], [1, 0, 2]])
    kept = remember(new_memory(8), walks)
    assert len(set(np.asarray(kept.hashes[:6]).tolist())) == 6
    # 5^6 architectures: some 0.03 collisions are expected of a good 32-bit hash.
    space = chain(6)
    every = remember(new_memory(15625, space), everything(space))
    assert len(np.unique(every.hashes)) >= 15624


def test_rewards_and_architectures_come_back_together():
    kept = remember(new_memory(4), ALL[:6], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    architectures, rewards = memory.recall(kept, jax.random.key(0), 100)
    assert set(np.asarray(rewards).tolist()) == {2.0, 3.0, 4.0, 5.0}
    np.testing.assert_array_equal(architectures, ALL[rewards.astype(jnp.int32)])
    # Places that are still empty are never drawn.
    kept = remember(new_memory(4), ALL[3:4], [7.0])
    architectures, rewards = memory.recall(kept, jax.random.key(0), 20)
    np.testing.assert_array_equal(rewards, 7.0)
    np.testing.assert_array_equal(architectures, jnp.repeat(ALL[3:4], 20, axis=0))


def test_normal_scores_by_hand():
    kept = remember(new_memory(8), ALL[:4], [10.0, 30.0, 20.0, 20.0])
    scores = memory.scores_among(kept, jnp.array([10.0, 20.0, 30.0, 40.0, -5.0]))
    # The middles of the ranks are 1/8, 4/8 and 7/8; what lies outside counts as the outermost.
    expected = norm.ppf([1 / 8, 4 / 8, 7 / 8, 7 / 8, 1 / 8])
    np.testing.assert_allclose(scores, expected, atol=1e-6)
