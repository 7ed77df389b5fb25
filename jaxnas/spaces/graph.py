"""A search space is a directed graph: vertices are decisions, edges are actions.

An architecture is a walk from the start to the end of the graph (de Laroussilhe et al. 2018,
arXiv:1812.10666). A fixed sequence of choices is the path-shaped special case; loops, bounded by
a cap on the visits of a decision, and branches are the general one.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

from jaxnas.spaces import encoding, pointers, ranking, space_json, walks
from jaxnas.spaces.automaton import Automaton, compile_graph
from jaxnas.spaces.decision_checks import END, check_decision, check_text
from jaxnas.spaces.errors import SpaceError

__all__ = ["END", "Decision", "SearchSpace"]


@dataclasses.dataclass(frozen=True)
class Decision:
    """One decision of a search space: a vertex, its actions, and where each action leads.

    Attributes:
      name: the name of the vertex, unique in its space.
      actions: the labels of the out-edges, unique within the decision.
      next: the decision that follows: one name for all actions, one name per action, or `None`
        for "the decision that stands next in the space" (the end, for the last one).
      points_at: for a decision that points at earlier nodes of the network, the node that each
        action points at (`None`: the action points at nothing, as "no skip"). Policies may score
        such actions by attention over the nodes' anchors (ENAS, section 2.1).
      node: the node of the network that is complete once this decision is taken.
      max_visits: how often one walk may take this decision; matters only in a loop. `None`: as
        often as the other decisions of its loop allow.
      per: a decision of the same loop; each time a walk takes it, the visits of this one are
        counted anew: `max_visits=3, per="more_stages"` are three visits in each stage.
      group: decisions of one group ask the same question, so that a policy may share their head.
    """

    name: str
    actions: tuple[str, ...]
    next: str | tuple[str, ...] | None = None
    points_at: tuple[str | None, ...] | None = None
    node: str | None = None
    max_visits: int | None = 1
    group: str | None = None
    per: str | None = None

    def __post_init__(self):
        for field in ("actions", "next", "points_at"):
            if isinstance(getattr(self, field), list):
                object.__setattr__(self, field, tuple(getattr(self, field)))
        check_decision(self)


@dataclasses.dataclass(frozen=True)
class SearchSpace:
    """A graph of decisions, checked when it is made, hashable, and static under `jit`.

    An architecture of the space is an `int32 [T]` array: the action taken at each step of its
    walk, padded with -1 after the end, where `T` is the length of the longest walk.

    Attributes:
      name: the name that encodings carry, so that they are not decoded with another space.
      decisions: the vertices, in the order in which `Decision.next=None` follows them.
      start: the name of the first decision; the first of `decisions` by default.

    Raises:
      SpaceError: a decision that cannot be reached, a decision from which the end cannot be
        reached, an unknown or repeated name, or a pointer at a node that is not there yet.

    Example:
      >>> more = Decision("more", ("stop", "again"), next=("end", "layer"), max_visits=3)
      >>> space = SearchSpace("loop", (Decision("layer", ("conv", "pool"), max_visits=3), more))
      >>> space.count()
      14

    Source: de Laroussilhe et al. 2018, "Neural architecture search over a graph search space".
    """

    name: str
    decisions: tuple[Decision, ...]
    start: str = ""

    def __post_init__(self):
        object.__setattr__(self, "decisions", tuple(self.decisions))
        for field in ("name", "start"):
            check_text(f"space {self.name!r}", field, getattr(self, field))
        if not self.decisions:
            raise SpaceError(f"space {self.name!r} has no decisions: give at least one.")
        object.__setattr__(self, "start", self.start or self.decisions[0].name)
        # Compile now: a malformed space fails here, not in the middle of a search.
        self.automaton  # noqa: B018
        pointers.check_pointers(self)

    @functools.cached_property
    def _hash(self) -> int:
        return hash((self.name, self.decisions, self.start))

    def __hash__(self) -> int:
        return self._hash

    def __getstate__(self) -> dict[str, Any]:
        # Hashes of strings differ between processes, so each computes its own.
        return {name: value for name, value in self.__dict__.items() if name != "_hash"}

    @functools.cached_property
    def automaton(self) -> Automaton:
        """The graph as small tables of ints, its loops unrolled to their caps."""
        return compile_graph(self.name, self.decisions, self.start)

    @functools.cached_property
    def vertex_index(self) -> Mapping[str, int]:
        """The position of each decision in `decisions`, by name."""
        return {decision.name: i for i, decision in enumerate(self.decisions)}

    @functools.cached_property
    def nodes(self) -> tuple[str, ...]:
        """The nodes of the network that decisions make or point at."""
        return pointers.node_names(self.decisions)

    @property
    def max_length(self) -> int:
        """`T`: the number of decisions in the longest walk."""
        return self.automaton.max_length

    @property
    def max_actions(self) -> int:
        """`A`: the largest number of actions that a decision has."""
        return self.automaton.next_state.shape[1]

    @property
    def acyclic(self) -> bool:
        """Whether no walk can take a decision twice."""
        return self.automaton.acyclic

    def count(self) -> int:
        """The exact number of architectures, as a Python int, without enumerating them."""
        return self.automaton.completions[0]

    def sample(self, key: jax.Array, num: int) -> jax.Array:
        """Samples architectures uniformly over walks, not merely uniformly at each decision.

        Args:
          key: a PRNG key; it is consumed.
          num: `N`, the number of architectures.

        Returns:
          `int32 [N, T]` actions, padded with -1.
        """
        return walks.sample_uniform(self, key, num)

    def walk(self, architectures: Any) -> walks.Walk:
        """Replays architectures `[..., T]` through the graph; see `jaxnas.spaces.Walk`."""
        return walks.replay(self, architectures)

    def validate(self, architectures: Any) -> np.ndarray:
        """Returns architectures as `int32 [..., T]`, or says what is wrong with the first bad one.

        Raises:
          SpaceError: the shape, an action out of range, or padding before the end.
        """
        return walks.validate(self, architectures)

    def enumerate(self) -> Iterator[np.ndarray]:
        """Yields every architecture as `int32 [T]`, in lexicographic order of actions."""
        return walks.enumerate_walks(self)

    def all_architectures(self, most: int = 1_000_000) -> np.ndarray:
        """Every architecture, `int32 [count, T]`, in the order of `enumerate`.

        Raises:
          SpaceError: the space has more than `most` architectures.
        """
        return ranking.all_architectures(self, most)

    def rank(self, architecture: Any) -> int:
        """The position of one architecture `[T]` in the order of `enumerate`, exact at any size.

        `jaxnas.spaces.rank` does many at once in a small space, and under `jit`.

        Raises:
          SpaceError: the architecture does not fit.

        Example:
          >>> space = jaxnas.spaces.chain(2, ("conv", "pool"))
          >>> space.rank([1, 0]), space.unrank(2)
          (2, array([1, 0], dtype=int32))
        """
        return ranking.exact_rank(self, architecture)

    def unrank(self, position: int) -> np.ndarray:
        """The architecture `int32 [T]` at a position, the inverse of `rank`.

        Raises:
          SpaceError: the position is not in `[0, count)`.
        """
        return ranking.exact_unrank(self, position)

    def choices(self, architecture: Any) -> encoding.Choices:
        """The actions of one architecture `[T]` by the name of the decision."""
        return encoding.choices(self, architecture)

    def encode(self, architecture: Any) -> dict[str, Any]:
        """One architecture `[T]` as JSON that a person can read; `decode` is its inverse."""
        return encoding.encode(self, architecture)

    def decode(self, encoded: Mapping[str, Any]) -> np.ndarray:
        """The architecture `int32 [T]` of an encoding; raises `SpaceError` if it does not fit."""
        return encoding.decode(self, encoded)

    def to_json(self) -> dict[str, Any]:
        """The space itself as JSON that a person can read; `from_json` is its inverse."""
        return space_json.to_json(self)

    @classmethod
    def from_json(cls, encoded: Mapping[str, Any]) -> SearchSpace:
        """The space of its JSON; raises `SpaceError` where that is not one, or is newer."""
        return space_json.from_json(encoded)

    def describe(self) -> str:
        """A table of the decisions and the size of the space, for people."""
        return encoding.describe(self)
