"""A search as one program equals the Python loop over `ask` and `tell`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnas.policies import lstm
from jaxnas.searchers import evolution, random, reinforce, run
from jaxnas.spaces import chain

pytestmark = pytest.mark.usefixtures("quick_compilation")

SPACE = chain(4, ("a", "b", "c"))
SEARCHERS = {
    "random": random(SPACE),
    "evolution": evolution(SPACE, population=5, tournament=2),
    "reinforce": reinforce(lstm(SPACE, hidden=4), memory=0),
    "reinforce-memory": reinforce(lstm(SPACE, hidden=4), memory=16, replay=4, replay_updates=2),
}


def evaluate(architectures):
    return jnp.sum(jnp.sin(architectures + 1.0), axis=-1)


def leaves(state):
    return [
        np.asarray(jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x)
        for x in jax.tree.leaves(state)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", SEARCHERS)
def test_equals_the_python_loop_bit_for_bit(name):
    searcher = SEARCHERS[name]
    start = state = searcher.init(jax.random.key(0))
    looped = []
    for _ in range(8):
        state, architectures = searcher.ask(state, 3)
        rewards = jax.jit(evaluate)(architectures)
        state, metrics = searcher.tell(state, architectures, rewards)
        looped.append((architectures, rewards, metrics["reward_best"]))
    ended, history = run(searcher, evaluate, start, 8, 3)
    fused = (history.architectures, history.rewards, history.metrics["reward_best"])
    for i in range(3):
        np.testing.assert_array_equal(fused[i], np.stack([one[i] for one in looped]))
    for one, other in zip(leaves(ended), leaves(state), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_goes_on_from_a_state_and_vmaps_over_seeds():
    searcher = SEARCHERS["reinforce-memory"]
    start = searcher.init(jax.random.key(1))
    whole, history = run(searcher, evaluate, start, 8, 3)
    state, first = run(searcher, evaluate, start, 4, 3)
    state, second = run(searcher, evaluate, state, 4, 3)
    for one, other in zip(leaves(state), leaves(whole), strict=True):
        np.testing.assert_array_equal(one, other)
    together = jnp.concatenate([first.architectures, second.architectures])
    np.testing.assert_array_equal(together, history.architectures)
    states = jax.vmap(searcher.init)(jax.random.split(jax.random.key(2), 2))
    _, many = jax.vmap(lambda s: run(searcher, evaluate, s, 4, 3))(states)
    assert many.rewards.shape == (2, 4, 3)


@pytest.mark.parametrize("name", ["steps", "batch"])
def test_bad_arguments_are_named(name):
    searcher = SEARCHERS["random"]
    options = {"steps": 1, "batch": 1} | {name: 0}
    with pytest.raises(ValueError, match=f"'{name}' is 0"):
        run(searcher, evaluate, searcher.init(jax.random.key(0)), **options)
