"""Designs become the graphs that they read as."""

import pytest
from small_spaces import everything, loop_space

from jaxnas.spaces import (
    Decision,
    SearchSpace,
    SpaceError,
    branch,
    compose,
    enas_macro,
    loop,
    optional,
    sequence,
    within,
)

AB = ("a", "b")
X, Y, Z = (Decision(name, AB) for name in "xyz")
ONE = Decision("one", ("only",))


def walks(space):
    """All walks as text, such as `x=a more=stop`."""
    encoded = (space.encode(a)["walk"] for a in everything(space))
    return [" ".join("=".join(pair) for pair in walk) for walk in encoded]


def test_decisions_in_sequence_are_a_path():
    assert walks(compose("two", X, Y)) == walks(SearchSpace("two", (X, Y)))
    assert compose("three", X, sequence(Y, Z)).count() == 8


def test_a_loop_has_the_walks_of_the_graph_written_by_hand():
    layer = Decision("layer", ("conv", "pool"))
    assert walks(compose("loop", loop(layer, at_most=3))) == walks(loop_space(3))


def test_branches_open_their_own_decisions_and_meet_again():
    space = compose("b", branch("root", {"left": ONE, "none": None, "right": X}), Z)
    assert walks(space) == [
        "root=left one=only z=a",
        "root=left one=only z=b",
        "root=none z=a",
        "root=none z=b",
        "root=right x=a z=a",
        "root=right x=a z=b",
        "root=right x=b z=a",
        "root=right x=b z=b",
    ]
    assert [d.name for d in space.decisions] == ["root", "one", "x", "z"]


def test_a_part_in_two_branches_is_one_vertex_where_the_same_follows():
    tail = sequence(X, Y)
    space = compose("shared", branch("root", {"one": tail, "two": sequence(ONE, tail)}))
    assert [d.name for d in space.decisions] == ["root", "x", "y", "one"]
    assert space.count() == 8


def test_a_part_with_different_followers_is_refused_by_name():
    parts = {"one": X, "two": sequence(X, Y)}
    with pytest.raises(SpaceError, match=r"'x' stands at two places of space 's'.*within"):
        compose("s", branch("root", parts))
    copies = {name: within(name, part) for name, part in parts.items()}
    space = compose("s", branch("root", copies))
    assert space.count() == 2 + 4
    assert [(d.name, d.group) for d in space.decisions[1:]] == [
        ("one/x", "x"),
        ("two/x", "x"),
        ("two/y", "y"),
    ]


def test_optional_parts_are_decided_on_after_yes():
    assert walks(compose("o", optional("any", X))) == ["any=no", "any=yes x=a", "any=yes x=b"]


def test_inner_loops_are_counted_anew_in_each_round_of_the_outer():
    layers = loop(ONE, at_most=2, more="more_layers")
    space = compose("nested", loop(layers, at_most=3, more="more_stages"))
    # One or two layers in each of one to three stages.
    assert space.count() == 2 + 4 + 8
    three = compose("three", loop(loop(layers, at_most=2, more="m"), at_most=2, more="n"))
    # A stage: 2; a block of one or two stages: 2 + 4 = 6; one or two blocks: 6 + 36.
    assert three.count() == 42


def test_loops_hold_branches_and_optional_parts():
    body = branch("kind", {"conv": X, "skip": None})
    space = compose("l", loop(body, optional("norm", ONE), at_most=3), Y)
    # A round has 3 * 2 forms.
    assert space.count() == (6 + 36 + 216) * 2


def test_rounds_are_counted_once_however_a_body_branches():
    body = branch("kind", {name: Decision(name, AB) for name in "pqrs"})
    space = compose("wide", loop(body, at_most=50))
    # A state for each of six decisions in each round.
    assert len(space.automaton.vertex) == 6 * 50
    assert space.count() == sum(8**n for n in range(1, 51))
    assert space.automaton.visit.max() == 49


def test_spaces_compose():
    space = compose("both", loop_space(3), within("head", loop_space(2)), enas_macro(2, AB))
    assert space.count() == 14 * 6 * 8
    nested = compose("n", loop(loop_space(2), at_most=2, more="again"))
    assert nested.count() == 6 + 36


def test_nodes_of_a_prefixed_part_are_its_own():
    pair = sequence(Decision("a", AB, node="a"), Decision("b", AB, points_at=("stem", "a")))
    space = compose("nodes", within("first", pair), within("second", pair))
    assert space.nodes == ("first/a", "stem", "second/a")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: compose("none"), "space 'none' has no decisions"),
        (lambda: compose("n", X, X), "decision 'x' stands at two places of space 'n'"),
        (lambda: loop(X, at_most=0), "loop 'more': 'at_most' is 0"),
        (lambda: loop(at_most=2), "loop 'more' has no body"),
        (lambda: compose("e", loop(sequence(), at_most=2)), "loop 'more' of space 'e' has no"),
        (lambda: sequence("x"), "'x' is no part of a design"),
        (lambda: compose("n", Decision("x", AB, next="end")), "decision 'x': 'next'"),
        (lambda: sequence(Decision("x", AB, max_visits=2)), "decision 'x': .*'max_visits'"),
        (lambda: branch("b", {}), "decision 'b': 'actions' must be a non-empty"),
        (
            lambda: SearchSpace("f", (Decision("x", AB, next=("x", "end"), max_visits=None),)),
            "decision 'x' can be taken again without end: give 'max_visits'",
        ),
        (
            lambda: SearchSpace("p", (Decision("x", AB, per="y"), Y)),
            "decision 'x': 'per' leads to 'y', which is not another decision of its loop",
        ),
    ],
)
def test_malformed_designs_are_refused_by_name(make, message):
    with pytest.raises(SpaceError, match=message):
        make()
