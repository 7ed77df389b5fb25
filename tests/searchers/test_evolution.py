"""Regularised evolution: the queue, the tournaments, and mutation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_spaces import all_spaces, branching_space, everything, loop_space

from jaxnas.searchers import evolution, mutate
from jaxnas.spaces import chain

SPACE = chain(4, ("a", "b", "c"))


def test_the_queue_by_hand():
    searcher = evolution(SPACE, population=3, tournament=2)
    state = searcher.init(jax.random.key(0))
    a = jnp.asarray(everything(SPACE)[[1, 5, 7, 9, 11, 20]])
    state, metrics = searcher.tell(state, a[:2], [1.0, 2.0])
    assert int(state.size) == int(metrics["population_size"]) == 2
    np.testing.assert_array_equal(state.fitness, [-np.inf, 1, 2])
    # The oldest goes, although it is better than the newcomer.
    state, _ = searcher.tell(state, a[2:4], [0.5, 0.25])
    np.testing.assert_array_equal(state.fitness, [2, 0.5, 0.25])
    np.testing.assert_array_equal(state.population, a[1:4])
    # More than fit: the last ones stay.
    state, _ = searcher.tell(state, a[:5], [1.0, 2.0, 3.0, 4.0, 5.0])
    np.testing.assert_array_equal(state.population, a[2:5])
    # Not finite: the worst so far.
    state, _ = searcher.tell(state, a[4:], [jnp.nan, 6.0])
    np.testing.assert_array_equal(state.fitness, [5, 0.25, 6])
    after, _ = searcher.tell(state, a[:2], [jnp.nan, jnp.inf])
    np.testing.assert_array_equal(after.population, state.population)
    np.testing.assert_array_equal(after.fitness, state.fitness)


def test_children_differ_from_the_winner_in_one_decision():
    # A tournament so large that the best member always wins.
    searcher = evolution(SPACE, population=4, tournament=200)
    state = searcher.init(jax.random.key(0))
    members = jnp.asarray(everything(SPACE)[[3, 40, 61, 77]])
    state, _ = searcher.tell(state, members, [0.0, 3.0, 2.0, 1.0])
    _, children = searcher.ask(state, 64)
    np.testing.assert_array_equal((children != members[1]).sum(-1), 1)


def test_tournaments_prefer_the_best_as_often_as_they_should():
    # One of four is best; two are drawn with replacement: it is there with 1 - (3/4)^2 = 7/16.
    searcher = evolution(SPACE, population=4, tournament=2)
    state = searcher.init(jax.random.key(0))
    members = jnp.array([[0, 0, 0, 0], [1, 1, 1, 1], [2, 2, 2, 2], [0, 1, 2, 0]])
    state, _ = searcher.tell(state, members, [0.0, 3.0, 2.0, 1.0])
    _, children = searcher.ask(state, 4000)
    fraction = ((children != members[1]).sum(-1) == 1).mean()
    assert abs(float(fraction) - 7 / 16) < 4 * (7 / 16 * 9 / 16 / 4000) ** 0.5


def test_the_first_ones_are_uniform():
    searcher = evolution(SPACE, population=3, tournament=1)
    state = searcher.init(jax.random.key(0))
    _, first = searcher.ask(state, 5)
    assert len(np.unique(first, axis=0)) > 3
    # One member: of the next three asked for, two are still drawn, the third is its child.
    state, _ = searcher.tell(state, [[0, 0, 0, 0]], [1.0])
    distances = []
    for i in range(20):
        _, asked = searcher.ask(state._replace(key=jax.random.key(i)), 3)
        distances.append(np.asarray((asked != 0).sum(-1)))
    distances = np.array(distances)
    assert (distances[:, 2] == 1).all()
    assert distances[:, :2].mean() > 2


@pytest.mark.parametrize("space", all_spaces(), ids=lambda s: s.name)
def test_mutants_are_valid_and_new(space):
    parents = np.repeat(everything(space)[:40], 5, axis=0)
    mutants = space.validate(mutate(space, jax.random.key(0), parents))
    if space.count() == 1:
        np.testing.assert_array_equal(mutants, parents)
    else:
        assert (mutants != parents).any(-1).all()


def test_mutation_of_a_chain_is_uniform_over_positions_and_actions():
    parent = np.array([[0, 1, 2, 0]])
    mutants = np.asarray(mutate(SPACE, jax.random.key(0), np.repeat(parent, 8000, axis=0)))
    changed = mutants != parent
    np.testing.assert_array_equal(changed.sum(-1), 1)
    counts = np.unique(mutants, axis=0, return_counts=True)[1]
    assert len(counts) == 8
    assert abs(counts - 1000).max() < 5 * (8000 * 1 / 8 * 7 / 8) ** 0.5


def test_mutation_keeps_what_the_new_walk_shares_with_the_old():
    space = branching_space()
    # a, x=2, z=2. Another root: y (three actions) or the end; z keeps its action where y leads
    # to it, and x keeps its own where y leads there.
    parent = space.decode(
        {"space": "branching", "version": 1, "walk": [["root", "a"], ["x", "2"], ["z", "2"]]}
    )
    mutants = np.asarray(mutate(space, jax.random.key(1), np.repeat(parent[None], 500, axis=0)))
    seen = {tuple(space.choices(m).walk) for m in mutants}
    x, z = ("x", 1), ("z", 1)
    allowed = {
        (("root", 2),),
        (("root", 1), ("y", 0), z),
        (("root", 1), ("y", 1), x, z),
        (("root", 1), ("y", 2)),
        (("root", 0), ("x", 0), z),
        (("root", 0), x, ("z", 0)),
    }
    assert seen == allowed


def test_mutation_in_a_loop_keeps_each_visit():
    space = loop_space()
    parent = np.array([[1, 1, 0, 1, 1, 0]])  # pool, conv, pool: at the cap
    mutants = np.asarray(mutate(space, jax.random.key(0), np.repeat(parent, 300, axis=0)))
    expected = {
        (0, 1, 0, 1, 1, 0),
        (1, 0, -1, -1, -1, -1),
        (1, 1, 1, 1, 1, 0),
        (1, 1, 0, 0, -1, -1),
        (1, 1, 0, 1, 0, 0),
    }
    assert {tuple(m) for m in mutants.tolist()} == expected


@pytest.mark.parametrize("name", ["population", "tournament"])
def test_bad_arguments_are_named(name):
    with pytest.raises(ValueError, match=f"'{name}' is 0"):
        evolution(SPACE, **{name: 0})
