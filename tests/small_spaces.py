"""Small spaces of every shape, shared by the tests."""

from __future__ import annotations

import numpy as np

from jaxnas.spaces import Decision, SearchSpace, chain, enas_macro, enas_micro


def loop_space(cap: int = 3) -> SearchSpace:
    layer = Decision("layer", ("conv", "pool"), max_visits=cap)
    more = Decision("more", ("stop", "again"), next=("end", "layer"), max_visits=cap)
    return SearchSpace("loop", (layer, more))


def branching_space() -> SearchSpace:
    """Three branches of different lengths, two of which meet again."""
    return SearchSpace(
        "branching",
        (
            Decision("root", ("a", "b", "c"), next=("x", "y", "end")),
            Decision("x", ("1", "2"), next="z", group="side"),
            Decision("y", ("1", "2", "3"), next=("z", "x", "end"), group="side"),
            Decision("z", ("1", "2")),
        ),
    )


def pointing_space() -> SearchSpace:
    """Skips, an input choice, a node that no decision makes, and one that a branch leaves out."""
    return SearchSpace(
        "pointing",
        (
            Decision("op_a", ("1", "2", "3"), next=("op_b", "op_b", "skip"), node="a"),
            Decision("op_b", ("1", "2"), node="b"),
            Decision("skip", ("no", "stem", "a"), points_at=(None, "stem", "a")),
            Decision("input", ("a", "b"), points_at=("a", "b")),
        ),
    )


def all_spaces() -> tuple[SearchSpace, ...]:
    return (
        chain(3, ("a", "b")),
        SearchSpace("single", (Decision("only", ("one",)),)),
        loop_space(),
        branching_space(),
        pointing_space(),
        enas_macro(3, ("a", "b")),
        enas_micro(2, ("a", "b"), ("normal",)),
    )


def everything(space: SearchSpace) -> np.ndarray:
    """All architectures `[count, T]`."""
    return np.stack(list(space.enumerate()))
