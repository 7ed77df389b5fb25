"""InstaNAS's space: any subset of five modules in each block of a MobileNetV2.

Source: Cheng et al. 2018, "InstaNAS: instance-aware neural architecture search"
(arXiv:1811.10201), section 3, and the authors' code (`search/models/instanas.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxnas.spaces.graph import Decision, SearchSpace

BLOCKS = 17
MODULES = (
    "inverted_residual_3x3_6",
    "inverted_residual_3x3_3",
    "inverted_residual_5x5_6",
    "inverted_residual_5x5_3",
    "basic_block",
)


def mobilenet(blocks: int = BLOCKS, modules: Sequence[str] = MODULES) -> SearchSpace:
    """The space of `2 ** (blocks * modules)` policies: each module of each block is on or off.

    An architecture is the bits in order, block by block: `int32 [blocks * modules]`. An inverted
    residual is labelled by its kernel and its expansion.

    Args:
      blocks: blocks of the network (17 in the paper).
      modules: the labels of the modules of a block.

    Example:
      >>> mobilenet().count() == 2**85
      True
    """
    decisions = (
        Decision(f"block_{block}/{module}", ("off", "on"), group=module)
        for block in range(blocks)
        for module in modules
    )
    return SearchSpace("mobilenet", tuple(decisions))
