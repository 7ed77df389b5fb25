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
