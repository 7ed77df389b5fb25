"""A chain of choices: one operation for each layer (single-path one-shot spaces)."""

from __future__ import annotations

from collections.abc import Sequence

from jaxnas.spaces.graph import Decision, SearchSpace

OPERATIONS = ("conv_3x3", "separable_3x3", "separable_5x5", "inverted_residual", "skip")


def chain(
    layers: int = 12, operations: Sequence[str] = OPERATIONS, *, name: str = "chain"
) -> SearchSpace:
    """A space with one decision per layer, `layer_0` to `layer_{layers-1}`.

    Args:
      layers: the number of decisions.
      operations: the labels of the actions, the same at every layer.
      name: the name of the space.

    Example:
      >>> chain(layers=3, operations=("conv", "pool")).count()
      8
    """
    actions = tuple(operations)
    decisions = (Decision(f"layer_{i}", actions, group="operation") for i in range(layers))
    return SearchSpace(name, tuple(decisions))
