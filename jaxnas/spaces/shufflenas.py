"""ShuffleNASNets: the working branch of ShuffleNet V2's units, searched with ENAS.

Source: Laube & Zell 2018, "ShuffleNASNets: efficient CNN models through modified efficient neural
architecture search" (arXiv:1812.02975). The frame is the paper's: split the channels, search what
one half passes through, concatenate with the other half, shuffle. The paper's numbers of nodes and
its list of operations were not available to us. Our reading: the nodes of a branch stand one after
the other, since ShuffleNet V2 warns of fragmented branches, each as wide as the branch; and the
operations are ENAS micro's five.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxnas.spaces.graph import Decision, SearchSpace

OPERATIONS = ("separable_3x3", "separable_5x5", "avg_pool_3x3", "max_pool_3x3", "identity")
CELLS = ("normal", "reduction")


def shufflenas(
    nodes: int = 4,
    operations: Sequence[str] = OPERATIONS,
    cells: Sequence[str] = CELLS,
) -> SearchSpace:
    """The space of branches with `nodes` operations one after the other, for each kind of unit.

    A branch in which a node reads any earlier one and the last is the output would be no richer:
    one input per node makes it a chain too, and `identity` gives chains of any shorter length.
    Different encodings can therefore name one function, with different shared weights.

    Args:
      nodes: operations per branch (4: ours).
      operations: the labels of the operations.
      cells: the kinds of unit that are searched.

    Returns:
      A space of `K^nodes` architectures per kind for `K` operations.

    Example:
      >>> shufflenas().count()
      390625
    """
    labels = tuple(operations)
    return SearchSpace(
        "shufflenas",
        tuple(
            Decision(f"{cell}/node_{i}", labels, group="operation")
            for cell in cells
            for i in range(nodes)
        ),
    )


def shufflenet_v2_unit(nodes: int = 4) -> tuple[int, ...]:
    """The architecture of `shufflenas(nodes)` whose units are those of ShuffleNet V2.

    Its branch has one separable 3 x 3 convolution and is otherwise the identity.

    Example:
      >>> shufflenas().choices(shufflenet_v2_unit())["normal/node_0"]
      0
    """
    separable, identity = OPERATIONS.index("separable_3x3"), OPERATIONS.index("identity")
    return (separable, *(identity,) * (nodes - 1)) * len(CELLS)
