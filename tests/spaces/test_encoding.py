"""Architectures as JSON, for any space."""

import json

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_spaces import all_spaces, branching_space, everything, loop_space

from jaxnas.evaluators import rank
from jaxnas.spaces import Decision, SearchSpace, SpaceError, chain


@st.composite
def random_spaces(draw):
    """Graphs with jumps ahead and, sometimes, one loop back; each leads on to the next decision."""
    num = draw(st.integers(1, 4))
    names = [f"d{i}" for i in range(num)]
    decisions = []
    for i, name in enumerate(names):
        actions = tuple(f"a{k}" for k in range(draw(st.integers(1, 3))))
        ahead = [*names[i + 1 :], "end"]
        targets = [ahead[0], *(draw(st.sampled_from(ahead)) for _ in actions[1:])]
        if draw(st.booleans()) and len(actions) > 1:
            targets[-1] = draw(st.sampled_from(names[: i + 1]))
        cap = draw(st.integers(1, 2))
        decisions.append(Decision(name, actions, next=tuple(targets), max_visits=cap))
    return SearchSpace("random", tuple(decisions))


def count_by_recursion(space):
    """Walks the decisions themselves; a cap counts the visits of a decision in its own loop."""
    decisions = {d.name: d for d in space.decisions}

    def targets(d):
        return d.next

    def reachable(name, seen):
        for t in targets(decisions[name]):
            if t != "end" and t not in seen:
                seen.add(t)
                reachable(t, seen)
        return seen

    reach = {name: reachable(name, set()) for name in decisions}

    def same_loop(a, b):
        return b in reach[a] and a in reach[b]

    def walks(name, visits):
        if name == "end":
            return 1
        if name in reach[name] and visits.get(name, 0) >= decisions[name].max_visits:
            return 0
        visits = visits | {name: visits.get(name, 0) + 1}
        total = 0
        for t in targets(decisions[name]):
            kept = visits if t != "end" and same_loop(name, t) else {}
            total += walks(t, kept)
        return total

    return walks(space.start, {})


@settings(max_examples=40, deadline=None)
@given(random_spaces())
def test_count_enumeration_rank_and_json_agree_for_random_spaces(space):
    every = everything(space)
    assert len(every) == space.count() == count_by_recursion(space)
    space.validate(every)
    for architecture in every[:: max(1, len(every) // 10)]:
        text = json.dumps(space.encode(architecture))
        np.testing.assert_array_equal(space.decode(json.loads(text)), architecture)


@settings(max_examples=5, deadline=None)
@given(random_spaces())
def test_samples_of_random_spaces_are_valid(space):
    sampled = space.validate(space.sample(jax.random.key(0), 20))
    every = everything(space)
    np.testing.assert_array_equal(every[np.asarray(rank(space, sampled))], sampled)


@pytest.mark.parametrize("space", all_spaces(), ids=lambda s: s.name)
def test_round_trip_through_json(space):
    for architecture in everything(space)[:20]:
        encoded = space.encode(architecture)
        again = space.decode(json.loads(json.dumps(encoded)))
        np.testing.assert_array_equal(again, architecture)
        assert again.dtype == np.int32


def test_the_form_is_readable():
    assert loop_space().encode([1, 0, -1, -1, -1, -1]) == {
        "space": "loop",
        "version": 1,
        "walk": [["layer", "pool"], ["more", "stop"]],
    }


def test_choices_by_name_and_visit():
    choices = loop_space().choices([1, 1, 0, 0, -1, -1])
    assert dict(choices) == {"layer": 1, "more": 1}
    assert choices.visits("layer") == (1, 0)
    assert choices.visits("more") == (1, 0)
    assert choices.visits("nothing") == ()
    assert len(choices) == 2


def walk_of(*pairs):
    return {"space": "branching", "version": 1, "walk": [list(pair) for pair in pairs]}


@pytest.mark.parametrize(
    ("encoded", "message"),
    [
        ([], "is a mapping with 'space', 'version', 'walk'"),
        ({"space": "branching", "version": 1}, "is a mapping with"),
        (walk_of() | {"space": "other"}, "belongs to space 'other', not to 'branching'"),
        (walk_of() | {"version": 2}, "has version 2; this jaxnas reads 1"),
        (walk_of(("root", "d")), "'root' has no action 'd'"),
        (walk_of(("x", "1")), "step 0 of the walk is decision 'x'.*asks 'root'"),
        (walk_of(("root", "c"), ("x", "1")), "goes on after its end"),
        (walk_of(("root", "a")), "stops before the end"),
        (walk_of(("root", "a", "b")), r"not \[decision, action\]"),
        (walk_of() | {"walk": ["root"]}, r"not \[decision, action\]"),
    ],
)
def test_encodings_that_do_not_fit_are_refused(encoded, message):
    with pytest.raises(SpaceError, match=message):
        branching_space().decode(encoded)


def test_a_walk_past_a_cap_is_refused():
    walk = [["layer", "conv"], ["more", "again"]] * 3
    encoded = {"space": "loop", "version": 1, "walk": walk}
    with pytest.raises(SpaceError, match="step 5 of the walk passes a visit cap"):
        loop_space().decode(encoded)


def test_describe_rounds_a_count_that_no_float_holds():
    first = chain(500).describe().splitlines()[0]
    assert first.startswith("space chain: 3.055e+349 architectures, 500 decisions")


def test_describe_shows_decisions_targets_and_caps():
    text = loop_space().describe()
    assert "14 architectures" in text
    assert "with loops" in text
    assert "conv | pool" in text
    assert "['end', 'layer'] (at most 3 visits)" in text
