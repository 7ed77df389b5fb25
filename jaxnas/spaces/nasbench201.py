"""NAS-Bench-201: one cell with four nodes and an operation on each of its six edges.

Source: Dong & Yang 2020, "NAS-Bench-201: extending the scope of reproducible neural architecture
search" (arXiv:2001.00326).
"""

from __future__ import annotations

from jaxnas.spaces.graph import Decision, SearchSpace

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))


def nasbench201() -> SearchSpace:
    """The space of 5^6 = 15,625 cells; the decision `edge_i_j` chooses the operation from i to j.

    Example:
      >>> nasbench201().count()
      15625
    """
    decisions = (Decision(f"edge_{i}_{j}", OPERATIONS, group="operation") for i, j in EDGES)
    return SearchSpace("nasbench201", tuple(decisions))
