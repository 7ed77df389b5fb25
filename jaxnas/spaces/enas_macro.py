"""ENAS macro: an operation for each layer, and skip connections between any two layers.

Source: Pham et al. 2018, "Efficient neural architecture search via parameter sharing"
(arXiv:1802.03268), section 2.3, and the authors' code (`general_controller.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxnas.spaces.graph import Decision, SearchSpace

OPERATIONS = (
    "conv_3x3",
    "separable_3x3",
    "conv_5x5",
    "separable_5x5",
    "avg_pool_3x3",
    "max_pool_3x3",
)


PUBLISHED = tuple(
    int(digit)
    for layer in (
        "0",
        "30",
        "010",
        "2001",
        "20000",
        "311010",
        "2000001",
        "20110111",
        "101110101",
        "0000000000",
        "20000010000",
        "010011000011",
        "2010000010110",
        "10010001110101",
        "011010100000100",
        "2001000000010101",
        "20100010011110010",
        "200001010100101001",
        "3011010000010101000",
        "30110000000001100001",
        "010010110001000001100",
        "3010110010110110100100",
        "01010100000000101001000",
        "011000111010001010011000",
    )
    for digit in layer
)
"""The 24 layers that the authors found, an architecture of `enas_macro(24)`.

Each line is one layer: its operation, then its skip bits. Source: the authors'
`scripts/cifar10_macro_final.sh`.
"""


def enas_macro(layers: int = 12, operations: Sequence[str] = OPERATIONS) -> SearchSpace:
    """The space of chains of `layers` layers with any skip connections.

    A layer always reads the output of the layer before it. Its skip bits add further inputs: layer
    `i` has `i` of them, for the stem and the outputs of layers `0 .. i - 2`. The authors' code
    scores bit `j` with the anchor of layer `j`, one place off; here a bit points at the node whose
    output it adds.

    Args:
      layers: the number of layers (12 in the paper's search).
      operations: the labels of the operations.

    Returns:
      A space of `K^L 2^(L (L - 1) / 2)` architectures for `K` operations and `L` layers.

    Example:
      >>> f"{enas_macro().count():.3e}"
      '1.606e+29'
    """
    decisions: list[Decision] = []
    for i in range(layers):
        node = f"layer_{i}"
        skips = ("stem", *(f"layer_{j}" for j in range(i - 1)))[:i]
        last = not skips
        decisions.append(
            Decision(f"{node}/op", tuple(operations), node=node if last else None, group="op")
        )
        for j, source in enumerate(skips):
            complete = node if j == len(skips) - 1 else None
            decisions.append(_skip(f"{node}/skip_{source}", source, complete))
    return SearchSpace("enas_macro", tuple(decisions))


def _skip(name: str, source: str, node: str | None) -> Decision:
    return Decision(name, ("no", "yes"), points_at=(None, source), node=node, group="skip")
