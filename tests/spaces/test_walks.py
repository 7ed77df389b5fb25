"""Sampling, replaying and validating walks."""

import jax
import numpy as np
import pytest
from scipy import stats
from small_spaces import all_spaces, branching_space, everything, loop_space

from jaxnas.spaces import SpaceError, chain
from jaxnas.spaces.walks import check_actions


@pytest.mark.parametrize("space", all_spaces()[:5], ids=lambda s: s.name)
def test_sampling_is_uniform_over_architectures(space):
    num = 5000
    sampled = np.asarray(space.sample(jax.random.key(0), num))
    counts = (sampled[:, None] == everything(space)).all(-1).sum(0)
    assert counts.sum() == num
    if space.count() > 1:
        assert stats.chisquare(counts).pvalue > 1e-4


def test_sampling_is_not_merely_uniform_per_decision():
    # Branch c is one of 12 architectures, but one of three actions at the root.
    space = branching_space()
    root = np.asarray(space.sample(jax.random.key(1), 6000))[:, 0]
    fractions = np.bincount(root) / 6000
    np.testing.assert_allclose(fractions, [4 / 12, 7 / 12, 1 / 12], atol=0.03)


def test_replay_by_hand():
    space = loop_space()
    walk = space.walk([[1, 1, 0, 0, -1, -1], [0, 0, -1, -1, -1, -1]])
    np.testing.assert_array_equal(walk.mask.sum(-1), [4, 2])
    np.testing.assert_array_equal(walk.vertices, [[0, 1, 0, 1, 0, 0], [0, 1, 0, 0, 0, 0]])
    np.testing.assert_array_equal(walk.actions, [[1, 1, 0, 0, 0, 0], [0] * 6])
    np.testing.assert_array_equal(space.automaton.vertex[walk.states[0, :4]], walk.vertices[0, :4])
    assert len(set(np.asarray(walk.states[0, :4]).tolist())) == 4


def test_replay_takes_any_leading_axes():
    space = chain(2, ("a", "b"))
    assert space.walk(np.zeros((2, 3, 2), int)).mask.shape == (2, 3, 2)
    assert space.walk(np.zeros(2, int)).mask.shape == (2,)


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ([0, 0, 0], r"have shape \[..., 6\], not \[3\]"),
        (np.zeros(6), "are ints, not float64"),
        ([0, 0, 0, -1, -1, -1], "step 2 is 0, but the walk has ended before it: pad with -1"),
        ([2, 0, -1, -1, -1, -1], "action 2 at step 0 is not open at decision 'layer'"),
        ([0, -1, -1, -1, -1, -1], "action -1 at step 1 is not open at decision 'more'"),
        ([0, 1, 0, 1, 0, 1], "action 1 at step 5 is not open at decision 'more'"),
    ],
)
def test_bad_architectures_are_refused_with_the_place(architecture, message):
    with pytest.raises(SpaceError, match=message):
        loop_space().validate(architecture)


def test_the_first_bad_one_of_many_is_named():
    good = everything(loop_space())
    bad = np.concatenate([good[:2], good[:1] + 5, good[2:]])
    with pytest.raises(SpaceError, match=r"architecture \[2\] does not fit space 'loop'"):
        loop_space().validate(bad)


def test_validate_returns_int32():
    space = chain(2, ("a", "b"))
    array = space.validate([[1, 0]])
    assert array.dtype == np.int32
    np.testing.assert_array_equal(array, [[1, 0]])


@pytest.mark.parametrize("space", all_spaces(), ids=lambda s: s.name)
def test_every_walk_and_its_beginnings_pass_the_quick_check(space):
    rows = everything(space)
    check_actions(space, rows)
    rows[:, 1:] = -1
    check_actions(space, rows)
    jax.jit(lambda x: (check_actions(space, x + 99), check_actions(space, [x[0] + 99])))(rows)


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ([2, 0, -1, -1, -1, -1], r"architecture \[1\] .* action 2 at step 0, .* 0 to 1, and -1"),
        ([0, -2, -1, -1, -1, -1], "action -2 at step 1"),
        ([-1, -1, -1, -1, -1, -1], "action -1 at step 0"),
        ([0, -1, 0, 0, -1, -1], "action 0 at step 2"),
        ([0, 1, 0, 1, 0, 1], "action 1 at step 5, where there are 0 to 0"),
    ],
)
def test_the_quick_check_names_what_no_walk_has(architecture, message):
    with pytest.raises(SpaceError, match=message):
        check_actions(loop_space(), np.array([[0, 0, -1, -1, -1, -1], architecture]))
