"""From a trained supernet to candidates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_engine import standardised, tiny_data, tiny_engine

from jaxnas import policies, searchers, spaces
from jaxnas.derive import derive, policy_table, random_children, rank
from jaxnas.runtime import digest
from jaxnas.spaces import Decision
from jaxnas.supernets import standalone

pytestmark = pytest.mark.usefixtures("quick_compilation")

CHILDREN = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])


def reinforce(space):
    return searchers.reinforce(policies.lstm(space, hidden=8), memory=0)


@pytest.fixture(scope="module")
def search():
    engine, data = tiny_engine(reinforce, validation=40, reward_batch_size=8), tiny_data(12, 40)
    return engine, engine.init(jax.random.key(2)), data


def accuracies(network, params, architectures, split):
    """The mean over the batches of eight, of children alone."""
    images, labels = standardised(split.images), np.asarray(split.labels)
    batches = [slice(i, i + 8) for i in range(0, 40, 8)]
    logits = [
        np.asarray(standalone.forward_all(network, params, architectures, images[b]))
        for b in batches
    ]
    hits = [(x.argmax(-1) == labels[b]).mean(-1) for x, b in zip(logits, batches, strict=True)]
    return np.mean(hits, axis=0)


def test_children_are_ranked_on_the_whole_validation_split(search):
    engine, state, data = search
    ranked = rank(engine, state, data, CHILDREN)
    network = engine.supernet.network
    expected = accuracies(network, state.params, ranked.architectures, data.validation)
    np.testing.assert_allclose(ranked.accuracies, expected, rtol=1e-6)
    assert (np.diff(ranked.accuracies) <= 0).all()
    assert sorted(map(tuple, ranked.architectures)) == sorted(map(tuple, CHILDREN))


def test_repeated_children_stay_repeated(search):
    engine, state, data = search
    ranked = rank(engine, state, data, np.array([[1, 1], [0, 0], [1, 1]]))
    assert len(ranked.architectures) == len(ranked.accuracies) == 3


def test_derive_samples_distinct_children_and_leaves_the_state(search):
    engine, state, data = search
    before = digest(state)
    found = derive(engine, state, data, 64)
    assert sorted(map(tuple, found.architectures)) == sorted(map(tuple, CHILDREN))
    assert digest(state) == before
    again = derive(engine, state, data, 64)
    np.testing.assert_array_equal(found.architectures, again.architectures)


def test_children_without_accuracy_come_last(search):
    engine, state, data = search
    group, row = engine.supernet.network.rows["layer_1/conv"]
    params = list(state.params)
    params[group] = jax.tree.map(lambda leaf: leaf.at[row].set(jnp.nan), params[group])
    ranked = rank(engine, state._replace(params=tuple(params)), data, CHILDREN)
    assert np.isnan(ranked.accuracies).tolist() == [False, False, True, True]
    assert ranked.architectures[:2, 1].tolist() == [1, 1]
    assert ranked.architectures[2:].tolist() == [[0, 0], [1, 0]]


def test_random_children_are_valid_and_repeatable(search):
    engine, _, _ = search
    first, second = (random_children(engine, jax.random.key(5), 6) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    engine.searcher.space.validate(first)
    assert first.shape == (6, 2)


def test_policy_table_is_a_distribution_over_the_actions_of_each_decision(search):
    engine, state, _ = search
    table = policy_table(engine, state, jax.random.key(0), num=256)
    np.testing.assert_allclose(table.sum(1), 1)
    sampled = engine.searcher.ask(state.searcher._replace(key=jax.random.key(0)), 256)[1]
    np.testing.assert_allclose(table[:, 0], (np.asarray(sampled) == 0).mean(0))


class Proposer:
    """Stands in for an engine whose searcher is random over a space with a way around."""

    def __init__(self, space):
        self.searcher = searchers.random(space)


def test_policy_table_of_decisions_that_are_skipped_or_narrower():
    space = spaces.SearchSpace(
        "branch",
        (
            Decision("way", ("on", "out", "off"), next=("kind", "end", "end")),
            Decision("kind", ("a", "b")),
        ),
    )
    engine = Proposer(space)

    class State:
        searcher = engine.searcher.init(jax.random.key(1))

    table = policy_table(engine, State, jax.random.key(1), num=2000)
    # Four architectures, uniform: two of them go on.
    np.testing.assert_allclose(table[0], [0.5, 0.25, 0.25], atol=0.05)
    np.testing.assert_allclose(table[1, :2], [0.5, 0.5], atol=0.05)
    assert np.isnan(table[1, 2])
