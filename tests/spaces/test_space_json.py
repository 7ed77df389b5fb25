"""Spaces as JSON."""

import json

import pytest
from small_spaces import all_spaces, loop_space

from jaxnas.spaces import Decision, SearchSpace, SpaceError, compose, loop


@pytest.mark.parametrize("space", all_spaces(), ids=lambda s: s.name)
def test_round_trip_is_exact(space):
    text = json.dumps(space.to_json())
    again = SearchSpace.from_json(json.loads(text))
    assert again == space
    assert json.dumps(again.to_json()) == text


def test_counts_of_inner_loops_survive():
    inner = loop(Decision("x", ("a", "b")), at_most=2, more="inner")
    space = compose("nested", loop(inner, at_most=2, more="outer"))
    assert SearchSpace.from_json(space.to_json()) == space


def test_the_form_is_readable():
    assert loop_space().to_json() == {
        "name": "loop",
        "version": 1,
        "start": "layer",
        "decisions": [
            {"name": "layer", "actions": ["conv", "pool"], "max_visits": 3},
            {
                "name": "more",
                "actions": ["stop", "again"],
                "next": ["end", "layer"],
                "max_visits": 3,
            },
        ],
    }


GOOD = loop_space().to_json()


@pytest.mark.parametrize(
    ("encoded", "message"),
    [
        ([], "a mapping with 'name', 'version', 'decisions'"),
        (GOOD | {"version": 2}, "has version 2; this jaxnas reads 1"),
        ({k: v for k, v in GOOD.items() if k != "name"}, "the space lacks 'name'"),
        (GOOD | {"starts": "layer"}, "has 'starts'.*did you mean 'start'"),
        (GOOD | {"decisions": ["x"]}, "decision 0 of the space is 'x', not a mapping"),
        (GOOD | {"decisions": [{"name": "x"}]}, "decision 0 of the space lacks 'actions'"),
        (
            GOOD | {"decisions": [{"name": "x", "actions": ["a"], "max_visit": 2}]},
            "has 'max_visit'.*did you mean 'max_visits'",
        ),
        (GOOD | {"start": "nowhere"}, "the start 'nowhere' is not one of its decisions"),
    ],
)
def test_what_is_no_space_is_refused(encoded, message):
    with pytest.raises(SpaceError, match=message):
        SearchSpace.from_json(encoded)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", 7, "decision 7: 'name' is 7; it must be a string"),
        ("actions", [["u"], ["v"]], "'actions' holds .'u'.*as a string"),
        ("actions", [1, 2], "'actions' holds 1; give the label"),
        ("next", 5, "'next' is 5; give the name of one decision"),
        ("next", ["end", 5], "'next' is .'end', 5.; give the name"),
        ("points_at", 3, "'points_at' is 3; give the name of a node"),
        ("points_at", "ab", "'points_at' is 'ab'; give the name of a node"),
        ("max_visits", "3", "'max_visits' is '3'; it must be a whole number"),
        ("max_visits", 1.5, "'max_visits' is 1.5; it must be a whole number"),
        ("max_visits", True, "'max_visits' is True; it must be a whole number"),
        ("node", ["q"], "'node' is .'q'.; it must be a string"),
        ("group", ["g"], "'group' is .'g'.; it must be a string"),
        ("per", 1, "'per' is 1; it must be a string"),
    ],
)
def test_a_field_of_another_type_is_named(field, value, message):
    decision = {"name": "x", "actions": ["a", "b"]} | {field: value}
    with pytest.raises(SpaceError, match=message):
        SearchSpace.from_json(GOOD | {"start": "", "decisions": [decision]})


@pytest.mark.parametrize("field", ["name", "start"])
def test_a_space_is_named_by_text(field):
    with pytest.raises(SpaceError, match=f"'{field}' is None; it must be a string"):
        SearchSpace.from_json(GOOD | {field: None})
