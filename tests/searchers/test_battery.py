"""Every space with every policy and every searcher."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_spaces import all_spaces

from jaxnas.policies import lstm, uniform
from jaxnas.searchers import evolution, random, reinforce
from jaxnas.spaces import SpaceError

pytestmark = pytest.mark.usefixtures("quick_compilation")

SEARCHERS = {
    "random": random,
    "evolution": lambda space: evolution(space, population=5, tournament=2),
    "reinforce-lstm": lambda space: reinforce(lstm(space, hidden=4), memory=16),
    "reinforce-uniform": lambda space: reinforce(uniform(space), memory=0),
}


def rewards_of(architectures):
    """Rewards of two kinds: the odd ones of a batch fail now and then."""
    rewards = jnp.sum(jnp.maximum(architectures, 0), axis=-1) / 10.0
    return rewards.at[0].set(jnp.nan)


def search(searcher, key, steps=3):
    state = searcher.init(key)
    for _ in range(steps):
        state, architectures = searcher.ask(state, 4)
        searcher.space.validate(architectures)
        state, metrics = searcher.tell(state, architectures, rewards_of(architectures))
        assert all(np.shape(value) == () for value in metrics.values())
        # Through flat leaves and back, as a checkpoint takes it.
        leaves, structure = jax.tree.flatten(state)
        state = jax.tree.unflatten(structure, leaves)
    return state, architectures


@pytest.mark.parametrize("name", SEARCHERS)
@pytest.mark.parametrize("space", all_spaces(), ids=lambda s: s.name)
def test_every_combination(space, name):
    searcher = SEARCHERS[name](space)
    state, architectures = search(searcher, jax.random.key(7))
    again, same = search(searcher, jax.random.key(7))
    np.testing.assert_array_equal(architectures, same)
    for one, other in zip(jax.tree.leaves(state), jax.tree.leaves(again), strict=True):
        if jnp.issubdtype(one.dtype, jax.dtypes.prng_key):
            one, other = jax.random.key_data(one), jax.random.key_data(other)
        np.testing.assert_array_equal(one, other)
        # Empty places of a population have fitness minus infinity; nothing is ever not a number.
        assert not np.isnan(one).any()
    assert int(state.record.evaluations) == 12
    space.validate(state.record.best_architecture)
    assert np.isfinite(state.record.best_reward)


@pytest.mark.parametrize("name", SEARCHERS)
def test_scan_equals_python_loop_and_vmapped_seeds_equal_single_ones(name):
    space = all_spaces()[2]
    searcher = SEARCHERS[name](space)

    def step(state, _):
        state, architectures = searcher.ask(state, 4)
        state, metrics = searcher.tell(state, architectures, rewards_of(architectures))
        return state, (architectures, metrics["reward_best"])

    def scan(key):
        return jax.lax.scan(step, searcher.init(key), length=6)[1]

    keys = jax.random.split(jax.random.key(0), 3)
    together = jax.jit(jax.vmap(scan))(keys)
    scanned = jax.jit(scan)(keys[0])
    state, looped = searcher.init(keys[0]), []
    for _ in range(6):
        state, out = step(state, None)
        looped.append(out)
    for i in range(2):
        np.testing.assert_array_equal(scanned[i], np.stack([out[i] for out in looped]))
        np.testing.assert_array_equal(together[i][0], scanned[i])


@pytest.mark.parametrize("name", SEARCHERS)
def test_wrong_shapes_are_named(name):
    searcher = SEARCHERS[name](all_spaces()[0])
    state = searcher.init(jax.random.key(0))
    with pytest.raises(ValueError, match=r"architectures \[N, 3\] and rewards \[N\]"):
        searcher.tell(state, jnp.zeros((2, 3), jnp.int32), jnp.zeros((2, 1)))
    with pytest.raises(ValueError, match=r"not \[3, 3\] and \[2\]"):
        searcher.tell(state, jnp.zeros((3, 3), jnp.int32), jnp.zeros(2))


@pytest.mark.parametrize("name", SEARCHERS)
def test_actions_that_no_walk_has_are_named_and_shortened_walks_are_not(name):
    searcher = SEARCHERS[name](all_spaces()[0])
    state, rewards = searcher.init(jax.random.key(0)), jnp.array([0.1, 0.2])
    for bad in (2, -2):
        with pytest.raises(SpaceError, match=rf"architecture \[1\] .* action {bad} at step 2"):
            searcher.tell(state, [[0, 1, 0], [0, 1, bad]], rewards)
    state, _ = searcher.tell(state, np.array([[0, 1, 0], [0, 1, -1]]), rewards)
    assert state.record.best_architecture.tolist() == [0, 1, -1]
