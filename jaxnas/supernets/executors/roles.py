"""What each child does with each operation, as coefficients: the form that needs no branches.

Whatever children of a network choose, an input of an operation is a sum of outputs of operations
and of sums before it. So a child is a table of small whole numbers: how often each output enters
each input. `describe` gives that table, without the network's author writing anything more.

Operations are told apart by their key, sums by their number within the child. This has no form for
a child that applies one operation twice, or for children that use operations in contrary orders.
"""

from __future__ import annotations

import dataclasses
import functools
import graphlib
from collections import Counter
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxnas.spaces import Choices
from jaxnas.supernets.network import Key, Network
from jaxnas.supernets.ops.operation import Shape, Zero

_PROBES = 512
IMAGES = ("images", 0)
LOGITS = ("logits", 0)

Role = tuple[str, Any]
Terms = Counter[Role]


class Edge(NamedTuple):
    """A way that values take: from the output of `source` into an input of `target`."""

    source: Role
    target: Role
    position: int


class Roles:
    """Describes one child as the edges that it uses; a `Build` whose values are sums of outputs."""

    def __init__(self, network: Network):
        self.network = network
        self.images: tuple[Terms, Shape] = (Counter([IMAGES]), tuple(network.image_shape))
        self.edges: Counter[Edge] = Counter()
        self._used: set[Role] = set()
        self._sums = 0

    def apply(self, key: Key, *inputs: tuple[Terms, Shape]) -> tuple[Terms, Shape]:
        """One operation; `Zero` is nothing."""
        shared = self.network.operations[self.network.check(key)]
        shape = shared.operation.output_shape(*shared.shapes)
        if isinstance(shared.operation, Zero):
            return Counter(), shape
        return self._read(("operation", key), inputs, shape)

    def add(self, *inputs: tuple[Terms, Shape]) -> tuple[Terms, Shape]:
        """A sum: its terms all enter one input."""
        self._sums += 1
        shape = inputs[0][1]
        terms: Terms = sum((terms for terms, _ in inputs), Counter())
        return self._read(("sum", (self._sums, shape)), [(terms, shape)], shape)

    def zeros(self, shape: Shape) -> tuple[Terms, Shape]:
        """Nothing."""
        return Counter(), tuple(shape)

    def _read(self, role: Role, inputs, shape: Shape) -> tuple[Terms, Shape]:
        if role in self._used:
            raise ValueError(
                f"executor 'dense': a child of network {self.network.name!r} applies {role[1]!r} "
                "more than once, which has no dense form: use another executor."
            )
        self._used.add(role)
        for position, (terms, _) in enumerate(inputs):
            for source, count in terms.items():
                self.edges[Edge(source, role, position)] += count
        return Counter([role]), shape


def child_edges(network: Network, choices: Choices) -> Counter[Edge]:
    """How often each edge carries a value in one child."""
    build = Roles(network)
    terms, _ = network.describe(build, choices)
    for source, count in terms.items():
        build.edges[Edge(source, LOGITS, 0)] += count
    return build.edges


@dataclasses.dataclass(frozen=True)
class DenseForm:
    """The static form of the children of a network.

    Attributes:
      network: the network.
      order: the roles, each after those that may feed it.
      edges: all edges that children may use.
    """

    network: Network
    order: tuple[Role, ...]
    edges: tuple[Edge, ...]

    def coefficients(self, children: list[Counter[Edge]]) -> np.ndarray:
        """`float [E, A]`, how often each edge carries a value in each child."""
        return np.array([[child[edge] for child in children] for edge in self.edges], float)


@functools.lru_cache(maxsize=64)
def dense_form(network: Network, extra: frozenset[Edge] = frozenset()) -> DenseForm:
    """The form of all edges that uniformly sampled children use, and of `extra` ones.

    Raises:
      ValueError: some children use operations in contrary orders.
    """
    architectures = np.asarray(network.space.sample(jax.random.key(0), _PROBES))
    edges = dict.fromkeys(extra)
    for architecture in np.unique(architectures, axis=0):
        edges |= dict.fromkeys(child_edges(network, network.space.choices(architecture)))
    reads: dict[Role, set[Role]] = {LOGITS: set()}
    for edge in edges:
        reads.setdefault(edge.target, set()).add(edge.source)
    try:
        order = tuple(graphlib.TopologicalSorter(reads).static_order())
    except graphlib.CycleError as error:
        raise ValueError(
            f"executor 'dense': children of network {network.name!r} use operations in contrary "
            "orders, which has no dense form: use another executor."
        ) from error
    return DenseForm(network, order, tuple(sorted(edges, key=repr)))
