"""Graph spaces as padded static sequences, and the maps between the two."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from every_space import SPACES
from small_spaces import branching_space, loop_space, pointing_space

from jaxnas.spaces import Decision, SearchSpace, compose, loop, unroll

pytestmark = pytest.mark.usefixtures("quick_compilation")

AB = ("a", "b")
TANGLED = SearchSpace(
    "tangled",
    (
        Decision("root", AB, next=("p", "q")),
        Decision("p", AB, next=("q", "end"), max_visits=2),
        Decision("q", ("a", "b", "c"), next=("p", "q", "end"), max_visits=3),
    ),
)
"""A loop with two entries, and a loop on itself inside it."""

various = pytest.mark.parametrize(
    "space",
    [loop_space(), branching_space(), pointing_space(), SPACES["iterative"].small, TANGLED],
    ids=lambda s: s.name,
)


def names(space):
    return [decision.name for decision in unroll(space).space.decisions]


def test_loops_and_branches_by_hand():
    assert names(loop_space(2)) == ["layer#1", "more#1", "layer#2", "more#2"]
    assert names(branching_space()) == ["root", "y", "x", "z"]
    # The last round can only stop.
    assert unroll(loop_space(2)).space.decisions[-1].actions == ("stop",)
    assert unroll(loop_space(2)).space.decisions[-1].group == "more"


def test_loops_in_loops_have_a_round_of_each():
    first = Decision("first", AB)
    layers = loop(Decision("layer", AB), at_most=2, more="inner")
    space = compose("nested", loop(first, layers, at_most=2, more="outer"))
    assert names(space) == [
        "first#1", "layer#1.1", "inner#1.1", "layer#1.2", "inner#1.2", "outer#1",
        "first#2", "layer#2.1", "inner#2.1", "layer#2.2", "inner#2.2", "outer#2",
    ]  # fmt: skip


def test_maps_by_hand():
    unrolled = unroll(loop_space(2))
    static = [[1, 0, 1, 0], [1, 1, 0, 0]]
    np.testing.assert_array_equal(unrolled.to_walk(static), [[1, 0, -1, -1], [1, 1, 0, 0]])
    np.testing.assert_array_equal(unrolled.live(static), [[1, 1, 0, 0], [1, 1, 1, 1]])
    again = unrolled.to_static([[1, 0, -1, -1], [1, 1, 0, 0]])
    np.testing.assert_array_equal(again, [[1, 0, 0, 0], [1, 1, 0, 0]])
    again = unrolled.to_static([[1, 0, -1, -1]], dead=[[0, 0, 1, 0]])
    np.testing.assert_array_equal(again, static[:1])


@various
def test_every_architecture_has_a_static_form_that_means_it(space):
    unrolled, every = unroll(space), space.all_architectures()
    static = unrolled.space.validate(unrolled.to_static(every))
    np.testing.assert_array_equal(unrolled.to_walk(static), every)
    np.testing.assert_array_equal(unrolled.live(static).sum(-1), (every >= 0).sum(-1))


@various
def test_every_static_architecture_means_one_of_the_graph(space):
    unrolled = unroll(space)
    static = unrolled.space.sample(jax.random.key(0), 200)
    walks, live = space.validate(unrolled.to_walk(static)), np.asarray(unrolled.live(static))
    # What it reads is what the way back writes, unless it asked for a closed action.
    again = np.asarray(unrolled.to_static(walks, dead=static))
    np.testing.assert_array_equal(unrolled.to_walk(again), walks)
    np.testing.assert_array_equal(again[~live], np.asarray(static)[~live])
    if space.name not in ("tangled", "iterative"):
        np.testing.assert_array_equal(again, static)


def test_the_static_form_of_a_path_is_the_path():
    space = SPACES["enas_macro"].small
    unrolled = unroll(space)
    assert [d.actions for d in unrolled.space.decisions] == [d.actions for d in space.decisions]
    assert [d.points_at for d in unrolled.space.decisions] == [d.points_at for d in space.decisions]
    assert unrolled.live(space.all_architectures()).all()


def test_works_under_vmap():
    unrolled = unroll(loop_space())
    static = unrolled.space.sample(jax.random.key(0), 6).reshape(2, 3, -1)
    walks = jax.vmap(unrolled.to_walk)(static)
    np.testing.assert_array_equal(walks.reshape(6, -1), unrolled.to_walk(static.reshape(6, -1)))
    assert walks.dtype == jnp.int32
