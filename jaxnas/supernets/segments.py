"""Networks described as a chain of segments, each of which reads few decisions.

Where every image has its own architecture, a network is planned segment by segment: the few ways
through one segment are numbered once, and an image's way is found in a table, also inside `jit`.
A network that is not described so is one segment that reads all decisions.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from jaxnas.spaces import Choices, SearchSpace
from jaxnas.spaces.automaton import DONE
from jaxnas.supernets.network import Build, Network, Value


@dataclasses.dataclass(frozen=True)
class Segment:
    """One part of a network: a value in, a value out.

    Attributes:
      decisions: the names of the decisions that `describe` reads.
      describe: `(build, value, choices) -> value`; reads no other value than the one given.
    """

    decisions: tuple[str, ...]
    describe: Callable[[Build, Value, Choices], Value]


@dataclasses.dataclass(frozen=True)
class InSegments:
    """The description of a network that is a chain of segments: the `describe` of a `Network`.

    Example:
      >>> stem = Segment((), lambda build, x, choices: build.apply("stem", x))
      >>> describe = InSegments((stem,))
    """

    segments: tuple[Segment, ...]

    def __call__(self, build: Build, choices: Choices) -> Value:
        """Describes a child: the segments one after the other."""
        value = build.images
        for segment in self.segments:
            value = segment.describe(build, value, choices)
        return value


def segments_of(network: Network) -> tuple[Segment, ...]:
    """The segments of a network; one that reads every decision where it is not in segments."""
    if isinstance(network.describe, InSegments):
        return network.describe.segments
    names = tuple(decision.name for decision in network.space.decisions)
    return (Segment(names, lambda build, _, choices: network.describe(build, choices)),)


def columns(space: SearchSpace, segment: Segment) -> tuple[int, ...]:
    """The steps of a walk at which the decisions of a segment are taken.

    Raises:
      ValueError: walks of the space do not take each of these decisions once and at one step, so
        that a network over it cannot be described in segments; or the space has no such decision.
    """
    if len(segment.decisions) == len(space.decisions):
        return tuple(range(space.max_length))
    if not is_path(space):
        raise ValueError(
            f"space {space.name!r} has branches or loops: describe its network as a whole, not in "
            "segments."
        )
    unknown = [name for name in segment.decisions if name not in space.vertex_index]
    if unknown:
        raise ValueError(f"a segment reads {unknown[0]!r}, no decision of space {space.name!r}.")
    return tuple(space.vertex_index[name] for name in segment.decisions)


def is_path(space: SearchSpace) -> bool:
    """Whether every walk takes all decisions in the order in which the space lists them."""
    automaton, states = space.automaton, np.arange(len(space.decisions))
    if len(automaton.vertex) != len(states) or (automaton.vertex != states).any():
        return False
    following = np.append(states[1:], DONE)[:, None]
    return bool(((automaton.next_state == following) | (automaton.next_state == -1)).all())


def local_choices(space: SearchSpace, segment: Segment, actions: Any) -> Choices:
    """The choices that a segment reads, for the actions `[n]` at its steps."""
    if len(segment.decisions) == len(space.decisions):
        return space.choices(np.asarray(actions))
    return Choices(tuple(zip(segment.decisions, map(int, actions), strict=True)))


def all_actions(space: SearchSpace, segment: Segment, limit: int) -> np.ndarray:
    """Every way through a segment, `int32 [V, n]`, in the order of mixed-radix numbers.

    Raises:
      ValueError: there are more than `limit`, or the space is no path.
    """
    sizes = radices(space, segment)
    if not is_path(space) or math.prod(sizes) > limit:
        raise ValueError(
            f"a segment of a network over space {space.name!r} can be passed in more than {limit} "
            "ways, or in ways that are no path: inside `jit`, where architectures are not known, "
            "describe the network with `InSegments` of few decisions each."
        )
    ways = list(product(*(range(size) for size in sizes)))
    return np.array(ways, np.int32).reshape(len(ways), len(sizes))


def radices(space: SearchSpace, segment: Segment) -> tuple[int, ...]:
    """The numbers of actions of a segment's decisions."""
    return tuple(
        len(space.decisions[space.vertex_index[name]].actions) for name in segment.decisions
    )
