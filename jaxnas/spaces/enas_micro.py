"""ENAS micro: a normal and a reduction cell of a convolutional network.

Source: Pham et al. 2018, "Efficient neural architecture search via parameter sharing"
(arXiv:1802.03268), section 2.4, and the authors' code (`micro_controller.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxnas.spaces.graph import Decision, SearchSpace

OPERATIONS = ("separable_3x3", "separable_5x5", "avg_pool_3x3", "max_pool_3x3", "identity")
CELLS = ("normal", "reduction")


def enas_micro(
    nodes: int = 5,
    operations: Sequence[str] = OPERATIONS,
    cells: Sequence[str] = CELLS,
) -> SearchSpace:
    """The space of cells with `nodes` computed nodes, each the sum of two operations.

    Nodes 0 and 1 of a cell are the outputs of the two cells before it. Each later node takes the
    decisions `input_1`, `input_2` (which earlier node), `op_1`, `op_2`, in the order of the
    authors' code.

    Args:
      nodes: computed nodes per cell (5 in the paper's experiments).
      operations: the labels of the operations.
      cells: the kinds of cell that are searched.

    Returns:
      A space of `prod_{i=2}^{nodes+1} (K i)^2` architectures per cell for `K` operations.

    Example:
      >>> enas_micro(cells=("normal",)).count()
      5062500000000
    """
    decisions = [
        d for cell in cells for i in range(2, nodes + 2) for d in _node(cell, i, operations)
    ]
    return SearchSpace("enas_micro", tuple(decisions))


def from_authors_code(code: Sequence[int]) -> tuple[int, ...]:
    """An architecture of `enas_micro` from the ints that the authors' code writes cells as.

    For each node the code has `input_1`, `op_1`, `input_2`, `op_2`; a walk takes both inputs first.

    Args:
      code: four ints per node, both cells one after the other.

    Raises:
      ValueError: the number of ints is no multiple of 4.

    Example:
      >>> from_authors_code(AUTHORS_CELLS)[:8]
      (0, 0, 2, 0, 0, 0, 4, 1)
    """
    if len(code) % 4:
        raise ValueError(f"the code has {len(code)} ints; give 4 for each node.")
    nodes = (code[i : i + 4] for i in range(0, len(code), 4))
    return tuple(int(x) for i1, op1, i2, op2 in nodes for x in (i1, i2, op1, op2))


def _node(cell: str, i: int, operations: Sequence[str]) -> list[Decision]:
    inputs = tuple(str(j) for j in range(i))
    points_at = tuple(f"{cell}/{j}" for j in range(i))
    where = f"{cell}/{i}"
    pointing = [
        Decision(f"{where}/input_{side}", inputs, points_at=points_at, group="input")
        for side in (1, 2)
    ]
    first = Decision(f"{where}/op_1", tuple(operations), group="operation")
    second = Decision(f"{where}/op_2", tuple(operations), node=where, group="operation")
    return [*pointing, first, second]


AUTHORS_CELLS = (
    *(0, 2, 0, 0, 0, 4, 0, 1, 0, 4, 1, 1, 1, 0, 0, 1, 0, 2, 1, 1),
    *(1, 0, 1, 0, 0, 3, 0, 2, 1, 1, 3, 1, 1, 0, 0, 4, 0, 3, 1, 1),
)
"""The cells that the authors found, as their `scripts/cifar10_micro_final.sh` writes them."""

PUBLISHED = from_authors_code(AUTHORS_CELLS)
"""The cells that the authors found, an architecture of `enas_micro()`."""
