"""NAS-RL's recurrent cells: a binary tree that combines an input, a hidden and a cell state.

Source: Zoph & Le 2017, "Neural architecture search with reinforcement learning"
(arXiv:1611.01578), section 3.4.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxnas.spaces.errors import SpaceError
from jaxnas.spaces.graph import Decision, SearchSpace

COMBINATIONS = ("add", "elem_mult")
ACTIVATIONS = ("identity", "tanh", "sigmoid", "relu")

EXTENDED_COMBINATIONS = (*COMBINATIONS, "max")
EXTENDED_ACTIVATIONS = (*ACTIVATIONS, "sin")
"""With these the paper's control experiment extends the space (section 4.2, figure 7)."""


def recurrent(
    base: int = 8,
    combinations: Sequence[str] = COMBINATIONS,
    activations: Sequence[str] = ACTIVATIONS,
) -> SearchSpace:
    """The space of recurrent cells whose tree has `base` leaves.

    Node `i` takes the decisions `node_i/combination` and `node_i/activation`. Nodes `0 .. base-1`
    are the leaves, each of which combines its own linear maps of the input `x_t` and of the hidden
    state `h_{t-1}`; then come the nodes of each further level, from left to right, each of which
    combines two of the level below; the last is the root, whose value is `h_t`. The cell state
    `c_{t-1}` is combined with the value of node `inject/node`, by a combination and an activation
    of its own; `c_t` is the value of node `cell/node` before its activation.

    Args:
      base: the number of leaves, a power of two (8 in the paper's search).
      combinations: how a node combines its two inputs.
      activations: what follows the combination.

    Returns:
      A space of `(K A)^(2 base) (2 base - 1)^2` cells for `K` combinations and `A` activations.

    Raises:
      SpaceError: `base` is not a power of two.

    Example:
      >>> recurrent(base=2).count()
      36864
    """
    nodes = num_nodes(base)
    decisions = [
        decision
        for place in (*(f"node_{i}" for i in range(nodes)), "inject")
        for decision in _node(place, combinations, activations)
    ]
    indices = tuple(str(i) for i in range(nodes))
    decisions += [Decision(name, indices, group="node") for name in ("inject/node", "cell/node")]
    return SearchSpace("recurrent", tuple(decisions))


def num_nodes(base: int) -> int:
    """The nodes of a tree with `base` leaves; raises `SpaceError` if that is no power of two."""
    if base < 1 or base & (base - 1):
        raise SpaceError(f"base is {base}: the leaves of a tree are a power of two, as 2, 4 or 8.")
    return 2 * base - 1


def _node(place: str, combinations: Sequence[str], activations: Sequence[str]) -> list[Decision]:
    return [
        Decision(f"{place}/combination", tuple(combinations), group="combination"),
        Decision(f"{place}/activation", tuple(activations), group="activation"),
    ]


def make_cell(nodes: str, *, inject: str, inject_node: int, cell_node: int) -> tuple[int, ...]:
    """A cell in words, as an architecture of `recurrent`.

    Args:
      nodes: the combination and the activation of each node, in order, as "add tanh, ...".
      inject: how `c_{t-1}` is merged in, as "add relu".
      inject_node: into the value of which node.
      cell_node: the node whose value before its activation is `c_t`.

    Raises:
      SpaceError: a word is no combination or activation of the extended space, a node is not one
        of the tree, or the number of nodes is that of no tree.

    Example:
      >>> make_cell("add tanh", inject="add relu", inject_node=0, cell_node=0)
      (0, 1, 0, 3, 0, 0)
    """
    places = [*nodes.split(","), inject]
    num_nodes(len(places) // 2)
    for index in (inject_node, cell_node):
        if len(places) % 2 or not 0 <= index < len(places) - 1:
            raise SpaceError(f"node {index} is not in a tree of {len(places) - 1} nodes.")
    codes = [code for place in places for code in _codes(place)]
    return (*codes, inject_node, cell_node)


def _codes(words: str) -> tuple[int, int]:
    try:
        combination, activation = words.split()
        return EXTENDED_COMBINATIONS.index(combination), EXTENDED_ACTIVATIONS.index(activation)
    except ValueError as error:
        raise SpaceError(
            f"{words!r} is not one of {EXTENDED_COMBINATIONS} and one of {EXTENDED_ACTIVATIONS}."
        ) from error


NASCELL = make_cell(
    "add sigmoid, add relu, add sigmoid, elem_mult relu,"
    "add tanh, add sigmoid, add tanh, add sigmoid,"
    "elem_mult tanh, add tanh, elem_mult tanh, add sigmoid,"
    "elem_mult identity, add tanh,"
    "elem_mult tanh",
    inject="add tanh",
    inject_node=8,
    cell_node=12,
)
"""The cell that the paper found (appendix A, figure 8), an architecture of `recurrent(8)`.

The same as `NASCell` of TensorFlow's contributed cells.
"""

LSTM = make_cell(
    "add identity, add identity, add sigmoid, add tanh,"
    "add identity, add identity, add identity, add identity,"
    "add sigmoid, elem_mult identity, add identity, add identity,"
    "add tanh, add sigmoid,"
    "elem_mult identity",
    inject="elem_mult identity",
    inject_node=8,
    cell_node=12,
)
"""An LSTM (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000) in base 8.

Node 8 is the forget gate, the sigmoid of the sum of leaves 0 and 1, times `c_{t-1}`; node 9 is the
input gate (leaf 2) times the candidate (leaf 3); node 12 adds them to `c_t`; node 13 is the output
gate, the sigmoid of the sum of leaves 4 to 7. Only the sums of those leaves' weights matter.
"""

RHN = make_cell(
    "add identity, add identity, add sigmoid, add tanh,"
    "add sigmoid, elem_mult identity,"
    "add identity",
    inject="elem_mult identity",
    inject_node=4,
    cell_node=6,
)
"""A recurrent highway layer of depth 1 with a carry gate of its own (Zilly et al. 2016) in base 4.

`h_t = c_t = carry * c_{t-1} + transform * candidate`: node 4 is the carry gate, the sigmoid of the
sum of leaves 0 and 1; leaf 2 is the transform gate, leaf 3 the candidate.
"""

GRU = make_cell(
    "add identity, add identity, add identity, add identity,"
    "add identity, add identity, add identity, add identity,"
    "add identity, add identity, add sigmoid, add identity,"
    "add identity, add identity, add identity, add identity,"
    "add identity, add identity, add identity, add identity,"
    "add identity, elem_mult identity, add identity, add identity,"
    "add identity, add identity, add tanh, add sigmoid,"
    "add sigmoid, elem_mult identity,"
    "add identity",
    inject="elem_mult identity",
    inject_node=28,
    cell_node=30,
)
"""A cell of base 16 that is a GRU (Cho et al. 2014) at weights that tie its two update gates.

`h_t = c_t = z * c_{t-1} + z' * tanh(A x + r * (C h))`: node 28 is `z`, the sigmoid of leaves 0 to
7; leaf 10 is the reset gate `r`; node 21 is `r` times leaf 11; node 20 is `A x`, of leaves 8 and 9;
node 27 is `z'`, of leaves 12 to 15, which at opposite weights is `1 - z`.
"""
