"""Making spaces: what is counted, and what is refused."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from small_spaces import all_spaces, branching_space, everything, loop_space

from jaxnas.spaces import Decision, SearchSpace, SpaceError


@pytest.mark.parametrize("space", all_spaces(), ids=lambda s: s.name)
def test_count_equals_enumeration_without_repeats(space):
    every = everything(space)
    assert len(every) == space.count()
    assert len(np.unique(every, axis=0)) == len(every)
    space.validate(every)
    lengths = (every >= 0).sum(-1)
    assert lengths.max() == space.max_length


@pytest.mark.parametrize(("cap", "count"), [(1, 2), (2, 2 + 4), (3, 2 + 4 + 8), (4, 30)])
def test_a_loop_counts_each_number_of_rounds(cap, count):
    # After n layers of 2 operations each, "stop": 2 + 4 + ... + 2^cap walks.
    space = loop_space(cap)
    assert space.count() == count
    assert not space.acyclic
    assert space.max_length == 2 * cap


def test_branches_by_hand():
    # a: x z = 4; b: y -> z = 2, y -> x z = 4, y -> end = 1; c: 1.
    space = branching_space()
    assert space.count() == 4 + 2 + 4 + 1 + 1
    assert space.acyclic
    assert space.max_length == 4


def test_a_loop_on_itself_and_one_entered_twice():
    again = Decision("again", ("more", "done"), next=("again", "end"), max_visits=4)
    # more^0..3, then done; at the cap only "done" is open.
    assert SearchSpace("self", (again,)).count() == 4

    inner = Decision("inner", ("in", "out"), next=("inner", "outer"), max_visits=2)
    outer = Decision("outer", ("again", "end"), next=("inner", "end"), max_visits=2)
    # Both are one loop, so the cap of `inner` holds for the whole walk: i = visits of inner before
    # each visit of outer. (1), (2), (1, 1): no more inner visits are left.
    assert SearchSpace("nested", (inner, outer)).count() == 3


def test_the_order_of_enumeration_is_lexicographic():
    space = SearchSpace("two", (Decision("x", ("a", "b")), Decision("y", ("a", "b"))))
    assert everything(space).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]


def test_equal_spaces_are_equal_and_hash_alike():
    assert loop_space() == loop_space()
    assert hash(loop_space()) == hash(loop_space())
    assert loop_space(2) != loop_space(3)


def test_a_pickled_space_is_found_in_a_process_with_other_hashes():
    space = loop_space()
    hash(space)
    program = (
        "import pickle, sys; from jaxnas.spaces import SearchSpace; "
        "space = pickle.loads(sys.stdin.buffer.read()); "
        "print({SearchSpace(space.name, space.decisions): 'found'}.get(space))"
    )
    found = [
        subprocess.run(
            [sys.executable, "-c", program],
            input=pickle.dumps(space),
            env=os.environ | {"PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert found == [b"found\n"] * 2


def test_lists_become_tuples():
    decision = Decision("x", ["a", "b"], next=["end", "end"])
    assert decision == Decision("x", ("a", "b"), next=("end", "end"))
    hash(SearchSpace("lists", [decision]))


AB = ("a", "b")


@pytest.mark.parametrize(
    ("decisions", "message"),
    [
        ((), "has no decisions"),
        ((Decision("x", AB, next="end"), Decision("y", AB)), "'y'.*cannot be reached from 'x'"),
        ((Decision("x", AB, next="x", max_visits=2),), "has no end"),
        (
            (Decision("x", AB, next=("end", "y")), Decision("y", AB, next="y", max_visits=2)),
            "'y'.*never reaches the end",
        ),
        (
            (Decision("x", AB, next="layer1"), Decision("layer_1", AB)),
            "'next' names 'layer1'.*did you mean 'layer_1'",
        ),
        ((Decision("x", AB), Decision("x", AB)), "two decisions are named 'x'"),
        (
            (
                Decision("x", AB, next=("y", "end")),
                Decision("y", ("a",), points_at=("later",)),
                Decision("z", AB, node="later"),
            ),
            "'y' points at node 'later'.*only complete after decision 'z'",
        ),
        ((Decision("x", AB, node="n"), Decision("y", AB, node="n")), "two decisions make the same"),
    ],
)
def test_malformed_graphs_are_refused_by_name(decisions, message):
    with pytest.raises(SpaceError, match=message):
        SearchSpace("bad", decisions)


def test_a_start_that_is_no_decision_is_refused():
    with pytest.raises(SpaceError, match="the start 'y' is not one of its decisions"):
        SearchSpace("bad", (Decision("x", AB),), start="y")


def test_a_space_that_unrolls_too_far_is_refused():
    layers = tuple(
        Decision(f"x{i}", AB, next=(f"x{(i + 1) % 4}", "end"), max_visits=100) for i in range(4)
    )
    crossed = (
        *layers[:3],
        Decision("x3", ("a", "b", "c", "d"), next=("x0", "x1", "x2", "end"), max_visits=100),
    )
    with pytest.raises(SpaceError, match="unrolls to more than 200000 states"):
        SearchSpace("long", crossed)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "end"}, "must be non-empty and not 'end'"),
        ({"name": ""}, "must be non-empty"),
        ({"actions": ()}, "must be a non-empty tuple"),
        ({"actions": "ab"}, "must be a non-empty tuple"),
        ({"actions": ("a", "a")}, "two actions have the same label"),
        ({"next": ("end",)}, "'next' has 1 entries for 2 actions"),
        ({"points_at": (None, "n", "m")}, "'points_at' has 3 entries for 2 actions"),
        ({"max_visits": 0}, "'max_visits' is 0"),
    ],
)
def test_malformed_decisions_are_refused_by_name(arguments, message):
    with pytest.raises(SpaceError, match=message):
        Decision(**({"name": "x", "actions": AB} | arguments))
